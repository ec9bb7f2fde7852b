"""Compares what an answer says of itself with the route that was approved.

What an answer says is a claim, made by whoever answered. One that fits proves little;
one that does not fit is a deviation: the call was allowed for another route than the one
it took. It cannot be taken back, so somebody is told.

INVARIANT: nothing is guessed. A name or a place that the catalog does not settle is a
deviation of its own kind, `unknown`; what an answer does not say is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from policyguard.catalog.catalog import Catalog
from policyguard.catalog.regions import country_of
from policyguard.catalog.schema import Deployment
from policyguard.errors import CatalogError
from policyguard.guard.describe import Observed
from policyguard.vocabulary.decision import Decision
from policyguard.vocabulary.record import Deviation

ANYWHERE: Final = "global"
_NOT_SAID: Final = frozenset({"", "not_available"})
_VERSION: Final = re.compile(r"[-@:](?:v|latest$|[0-9])[-0-9.:v]*", re.ASCII)
"""What a vendor adds to a name to say which snapshot of the same model answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Is what an answer says of model and place, as far as the catalog knows them."""

    model: str | None
    countries: tuple[str, ...] | None
    deviations: tuple[Deviation, ...]


def served(decision: Decision, observed: Observed, *, catalog: Catalog) -> Served:
    """Compare an answer with the decision that allowed its call.

    Args:
        decision: Names the model and the route, and what it obliged to.
        observed: What the answer says.
        catalog: Knows names and places.
    """
    name = observed.served_model
    resolved = catalog.resolve(asked_model=name, host=None).model if name else None
    model = resolved
    if name and resolved is None and _is_asked(name, decision, catalog=catalog):
        model = decision.call.model
    countries = _countries(observed.served_region)
    deviations = (
        *_of_model(name, model, decision),
        *_of_region(observed.served_region, countries, decision, catalog=catalog),
        *observed.deviations,
    )
    return Served(model=model, countries=countries, deviations=deviations)


def _of_model(
    name: str | None, model: str | None, decision: Decision
) -> Iterator[Deviation]:
    if name is None or decision.call.model is None:
        return
    if model is None:
        yield "model.unknown"
    elif model != decision.call.model:
        yield "model"


def _is_asked(name: str, decision: Decision, *, catalog: Catalog) -> bool:
    """Say whether a name is the asked one, or a snapshot of what was asked for."""
    return any(
        name == known or (name.startswith(known) and _is_version(name[len(known) :]))
        for known in _names(decision, catalog=catalog)
    )


def _is_version(rest: str) -> bool:
    return _VERSION.fullmatch(rest) is not None


def _names(decision: Decision, *, catalog: Catalog) -> Iterator[str]:
    call = decision.call
    if call.model is None:
        return
    yield call.model
    if call.asked.model:
        yield call.asked.model
    try:
        yield from catalog.model(call.model).names
    except CatalogError:
        return
    deployment = _approved(decision, catalog=catalog)
    yield from deployment.names if deployment else ()


def _of_region(
    region: str | None,
    countries: tuple[str, ...] | None,
    decision: Decision,
    *,
    catalog: Catalog,
) -> Iterator[Deviation]:
    if region is None or region in _NOT_SAID:
        return
    wanted = {
        str(item.properties.get("geo"))
        for item in decision.obligations
        if item.type == "set_inference_geo"
    }
    if wanted:
        if wanted != {region}:
            yield "region"
        return
    deployment = _approved(decision, catalog=catalog)
    approved = deployment.processing_countries if deployment else None
    if approved is None:
        # It was approved without a place, so that no place can differ from it.
        return
    if region == ANYWHERE or (countries and not set(countries) <= set(approved)):
        yield "region"
    elif countries is None:
        yield "region.unknown"


def _countries(region: str | None) -> tuple[str, ...] | None:
    """Return the countries of a region as an answer names it, if its name settles it."""
    if region is None:
        return None
    if region == "us":
        # As `inference_geo` has it. Which countries its `eu` is, the name does not say.
        return ("US",)
    country = country_of(cloud="azure", region=region.lower().replace(" ", ""))
    return None if country is None else (country,)


def _approved(decision: Decision, *, catalog: Catalog) -> Deployment | None:
    last = decision.call.route[-1]
    try:
        return catalog.deployment(last) if last else None
    except CatalogError:
        return None
