"""The catalog as a value: what is known of models, their makers and their hosts.

A catalog is its document; the digest is the SHA-256 of the document's RFC 8785 bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final, TypeVar, cast

import orjson

from policyguard.canonical import Json, canonical_bytes, digest
from policyguard.catalog.document import compile_document
from policyguard.catalog.lists import Edition, List
from policyguard.catalog.resolve import Index, Resolution, index_of
from policyguard.catalog.schema import (
    CatalogFile,
    Deployment,
    Developer,
    Model,
    Operator,
    Weights,
)
from policyguard.errors import CatalogError

E = TypeVar("E")
_UNPRICED: Final = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """Is one version of the catalog; made by `load_catalog`."""

    version: str
    digest: str
    """SHA-256 of `document_json`, in hexadecimal."""
    replaced: tuple[str, ...]
    """Ids of shipped entries that an overlay replaces, sorted."""
    document_json: bytes = field(repr=False)
    """`data.catalog` as RFC 8785 bytes."""
    entries: CatalogFile = field(repr=False, compare=False)
    """Every entry, typed."""
    index: Index = field(repr=False, compare=False)

    @property
    def document(self) -> dict[str, Json]:
        """Return a fresh copy of `data.catalog`: changing it changes no catalog."""
        return cast("dict[str, Json]", orjson.loads(self.document_json))

    def developer(self, key: str) -> Developer:
        """Return a developer, or raise CatalogError."""
        return _entry(self.entries.developers, key, "developer")

    def model(self, key: str) -> Model:
        """Return a language model, or raise CatalogError."""
        return _entry(self.entries.models, key, "model")

    def weights(self, key: str) -> Weights:
        """Return a set of weights, or raise CatalogError."""
        return _entry(self.entries.weights, key, "set of weights")

    def operator(self, key: str) -> Operator:
        """Return an operator, or raise CatalogError."""
        return _entry(self.entries.operators, key, "operator")

    def deployment(self, key: str) -> Deployment:
        """Return a deployment, or raise CatalogError."""
        return _entry(self.entries.deployments, key, "deployment")

    def list_of(self, key: str) -> List:
        """Return a dated list of parties or countries, or raise CatalogError."""
        return _entry(self.entries.lists, key, "list")

    def known_on(self, day: date) -> Catalog:
        """Return this catalog with each list as it was known on a day, in UTC.

        Only lists have editions: what is said of models, hosts and parties is taken as
        it is known now. Of a list that was not known yet the oldest edition stands in;
        its `as_of` is then later than the day, for a reader to see.
        """
        lists = {key: _as_known(item, day) for key, item in self.entries.lists.items()}
        return catalog_of(
            self.entries.model_copy(update={"lists": lists}),
            version=f"{self.version}@{day.isoformat()}",
            replaced=self.replaced,
        )

    def resolve(
        self, *, asked_model: str | None, host: str | None, path: str | None = None
    ) -> Resolution:
        """Find the model and the deployment that a client's words mean.

        Args:
            asked_model: The name in the body, or `None` if none could be seen.
            host: The host as `endpoint_of` returns it, or `None`: unknown.
            path: The path of the URL. A model in the path wins over the body's.
        """
        return self.index.resolve(asked_model=asked_model, host=host, path=path)

    def deployments_of(self, model: str) -> tuple[str, ...]:
        """Return the ids of a model's deployments, cheapest first, unpriced last.

        What counts is the sum of the list prices of input and output; equal ones are
        in the order of their ids. A model without deployments has none.

        Raises:
            CatalogError: the catalog has no such model.
        """
        self.model(model)
        return tuple(
            key
            for _, key in sorted(
                (_price(item), key)
                for key, item in self.entries.deployments.items()
                if item.model == model
            )
        )


def catalog_of(
    file: CatalogFile, *, version: str, replaced: tuple[str, ...] = ()
) -> Catalog:
    """Make a catalog of merged entries in which `consistency` finds no fault."""
    ids = tuple(sorted(set(replaced)))
    document = canonical_bytes(compile_document(file, version=version, replaced=ids))
    return Catalog(
        version=version,
        digest=digest(document),
        replaced=ids,
        document_json=document,
        entries=file,
        index=index_of(file),
    )


def _entry(entries: Mapping[str, E], key: str, kind: str) -> E:
    try:
        return entries[key]
    except KeyError:
        raise CatalogError(f"the catalog has no {kind} `{key}`") from None


def _as_known(listed: List, day: date) -> List:
    oldest = listed.editions[0] if listed.editions else Edition.of(listed)
    edition = listed.known_on(day) or oldest
    kept = tuple(item for item in listed.editions if item.as_of < edition.as_of)
    said = {name: getattr(edition, name) for name in Edition.model_fields}
    names = tuple(
        item.model_copy(update={"seen_until": None})
        for item in listed.names
        if item.seen_on(edition.as_of)
    )
    return listed.model_copy(update={**said, "names": names, "editions": kept})


def _price(deployment: Deployment) -> int:
    price = deployment.price
    return price.input_microusd + price.output_microusd if price else _UNPRICED
