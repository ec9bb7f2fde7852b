"""Reads `api.json` of models.dev: which provider serves which model, where, at what price.

Format: an object of providers, each with `api` (the base URL) and `models`; a model has
`id` (the name that the provider's clients use), `cost` in US dollars for a million
tokens, and sometimes `base_model`, the model that the entry is a serving of. It says
nothing about regions, operators, retention or training, and a provider may be a
gateway to others: all that stays unknown.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from policyguard.canonical import digest
from policyguard.catalog.catalog import Catalog
from policyguard.catalog.endpoints import endpoint_of
from policyguard.catalog.importers.overlay import (
    Imported,
    Row,
    Tally,
    agreed,
    id_of,
    known_answer,
    mapping_of,
    parse_source,
    price_of,
    text_of,
    unique_model,
)
from policyguard.catalog.schema import CatalogFile, Deployment, Model

WHAT: Final = "models.dev api.json"
_UNSAID: Final = {
    "deployments.operator": "a provider may pass calls on: models.dev names no operator",
    "deployments.mode": "models.dev does not tell vendors, clouds and gateways apart",
    "deployments.processing_countries": "models.dev names no region",
    "deployments.storage_countries": "models.dev names no region",
    "deployments.data_policy": "models.dev says nothing on retention and training",
}
_LOCAL: Final = ("localhost", "127.", "0.0.0.0", "[::1]")  # noqa: S104 -- to leave out


@dataclass(frozen=True, slots=True, kw_only=True)
class _Served:
    """Is one model as one provider serves it."""

    provider: str
    name: str
    row: Row
    host: str | None
    model: str
    known: bool
    """Whether the catalog already has the model."""


def import_models_dev(
    data: bytes,
    *,
    as_of: date,
    catalog: Catalog,
    models: Container[str] | None = None,
    providers: Container[str] | None = None,
) -> Imported:
    """Return deployments and models of models.dev that a catalog does not have yet.

    Args:
        data: `api.json`, as served.
        as_of: The day on which it was fetched; the file does not say it.
        catalog: What is known already; its entries are kept and not repeated.
        models: Ids of the catalog's models to which the import is limited.
        providers: Ids of providers to which the import is limited.

    Raises:
        CatalogError: it is no `api.json`.
    """
    tally = Tally()
    root = mapping_of(parse_source(data, what=WHAT), what=WHAT)
    served = [
        item
        for item in _served(root, catalog=catalog, tally=tally, providers=providers)
        if models is None or item.model in models
    ]
    source = f"models.dev api.json of {as_of.isoformat()}"
    new: dict[str, list[_Served]] = {}
    deployments: dict[str, Deployment] = {}
    for item in _uncontested(served, tally=tally):
        entry = _deployment(item, catalog=catalog, tally=tally, as_of=as_of)
        if entry is None:
            continue
        deployments[id_of(item.model, item.provider, *_distinct(item))] = entry
        if not item.known:
            new.setdefault(item.model, []).append(item)
    return Imported(
        file=CatalogFile(
            models={
                key: _model(items, source=source, as_of=as_of, tally=tally)
                for key, items in sorted(new.items())
            },
            deployments=deployments,
        ),
        source=source,
        sha256=digest(data),
        gaps=tally.gaps(),
        skipped=tally.skipped(),
    )


def _served(
    root: Mapping[str, object],
    *,
    catalog: Catalog,
    tally: Tally,
    providers: Container[str] | None,
) -> Iterator[_Served]:
    for provider, value in sorted(root.items()):
        if providers is not None and provider not in providers:
            continue
        row = mapping_of(value, what=f"provider `{provider}`")
        offered = mapping_of(row.get("models"), what=f"`{provider}.models`")
        for key, entry in sorted(offered.items()):
            model = mapping_of(entry, what=f"`{provider}.models.{key}`")
            name = text_of(model, "id")
            if name is None:
                tally.skip(f"{provider}/{key}", "it has no id")
                continue
            base = text_of(model, "base_model")
            names = [name] if base is None else [base, base.partition("/")[2], name]
            known = unique_model(catalog, *names)
            yield _Served(
                provider=provider,
                name=name,
                row=model,
                host=_host(row, model),
                model=known or id_of(base or name),
                known=known is not None,
            )


def _uncontested(served: list[_Served], *, tally: Tally) -> Iterator[_Served]:
    """Yield one serving for each address and name; none where they contradict."""
    at: dict[tuple[str | None, str], list[_Served]] = {}
    for item in served:
        at.setdefault((item.host, item.name), []).append(item)
    for (host, name), items in at.items():
        if host is None:
            yield from items
            continue
        if len({item.model for item in items}) > 1:
            for item in items:
                why = f"providers disagree on which model `{name}` at `{host}` is"
                tally.skip(f"{item.provider}/{name}", why)
            continue
        yield items[0]
        for item in items[1:]:
            why = f"it is what `{items[0].provider}` serves at `{host}`"
            tally.skip(f"{item.provider}/{name}", why)


def _host(provider: Row, model: Row) -> str | None:
    """Return where the client goes; `None` for a template or a built-in address."""
    own = model.get("provider")
    api = text_of(own, "api") if isinstance(own, dict) else None
    url = api or text_of(provider, "api")
    return None if url is None or "$" in url else endpoint_of(url)


def _deployment(
    item: _Served, *, catalog: Catalog, tally: Tally, as_of: date
) -> Deployment | None:
    label = f"{item.provider}/{item.name}"
    if item.host is None:
        tally.skip(label, "models.dev states no plain address for it")
        return None
    if item.host.startswith(_LOCAL):
        tally.skip(label, "it is served on the caller's own machine")
        return None
    if kept := known_answer(catalog, host=item.host, name=item.name):
        tally.skip(label, f"the catalog has it: `{kept}`")
        return None
    for fact, why in _UNSAID.items():
        tally.lacks(fact, why)
    cost = item.row.get("cost")
    price = None
    if isinstance(cost, dict):
        price = price_of(cost.get("input"), cost.get("output"), tokens=1_000_000)
    if price is None:
        tally.lacks("deployments.price", "models.dev states no price for it")
    return Deployment(
        model=item.model,
        mode=None,
        hosts=(item.host,),
        names=(item.name,),
        price=price,
        source=f"models.dev api.json, provider {item.provider}",
        as_of=as_of,
    )


def _distinct(item: _Served) -> tuple[str, ...]:
    """Return what tells two servings of one model by one provider apart."""
    return () if id_of(item.name) == item.model else (item.name,)


def _model(items: list[_Served], *, source: str, as_of: date, tally: Tally) -> Model:
    tally.lacks("models.developer", "models.dev does not say who trained a model")
    tally.lacks("models.weights_licence", "models.dev states no licence for it")
    open_weights = agreed(item.row.get("open_weights") for item in items)
    if open_weights is None:
        tally.lacks("models.open_weights", "providers contradict each other")
    titles = sorted({text_of(item.row, "name") or item.name for item in items})
    # An id that every provider gives its own name says nothing about names elsewhere:
    # each deployment lists the one by which it answers.
    return Model(
        name=titles[0],
        open_weights=open_weights is True if open_weights is not None else None,
        source=source,
        as_of=as_of,
    )
