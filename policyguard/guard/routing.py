"""Which deployments a call may use, in a documented order, and what the others met.

The order: the call's own model first, since other hosts of the same weights answer
alike; then the other models that the caller's code accepts, as it lists them. Within a
model the rank decides, by default the list price of a million tokens in and a million
out; what has no price comes last; equal ones are in the order of their ids.

Nothing here is remembered but by who asks, and nothing is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from policyguard.catalog.catalog import Catalog
from policyguard.catalog.schema import Deployment, Price
from policyguard.errors import CatalogError, ConfigurationError
from policyguard.guard.messages import objections
from policyguard.vocabulary.call import Asked, ModelCall
from policyguard.vocabulary.decision import Alternative, Decision, Rejected, Verdict

MOST_TRIED: Final = 12
"""A denial must stay cheap: the cheapest deployments of the model are tried first."""
MOST_CONSIDERED: Final = 512
"""So many deployments are asked about when somebody asks for a route."""

Rank: TypeAlias = Literal["cost"] | Callable[[Alternative], Any]
"""`cost`, or a function that returns what to sort by, the best first."""
Models: TypeAlias = Sequence[str] | Literal["any"]
"""Other models that would do too, the best first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """Is why a deployment may not be used."""

    verdict: Verdict
    code: str | None = None
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Considered:
    """Is what came of asking about deployments, in their order."""

    permitted: tuple[Alternative, ...] = ()
    rejected: tuple[Rejected, ...] = ()


NOTHING: Final = Considered()


def considered(
    call: ModelCall,
    *,
    catalog: Catalog,
    objection: Callable[[ModelCall], Objection | None],
) -> Considered:
    """Ask about the other deployments of a refused call's model, cheapest first.

    Args:
        call: The call that is not allowed.
        catalog: Where its model's deployments are found.
        objection: Says why a call would not be allowed, without recording that.
    """
    permitted, rejected = [], []
    for candidate in others(call, catalog=catalog)[:MOST_TRIED]:
        against = objection(moved(call, candidate))
        if against is None:
            permitted.append(candidate)
        else:
            rejected.append(rejection(candidate, against))
    return Considered(permitted=tuple(permitted), rejected=tuple(rejected))


def others(
    call: ModelCall, *, catalog: Catalog, models: Models = (), rank: Rank = "cost"
) -> tuple[Alternative, ...]:
    """Return the deployments beside those of a call's route, best first; none is asked."""
    return tuple(
        item
        for item in candidates(call, catalog=catalog, models=models, rank=rank)
        if item.deployment not in call.route
    )


def candidates(
    call: ModelCall, *, catalog: Catalog, models: Models = (), rank: Rank = "cost"
) -> tuple[Alternative, ...]:
    """Return the deployments that a call could use, best first; none is asked yet.

    Raises:
        ConfigurationError: a model that the catalog has not, or an unknown rank.
    """
    if not callable(rank) and rank != "cost":
        raise ConfigurationError(
            f"there is no rank `{rank}`: give `cost`, or a function of an alternative"
        )
    found = [
        item
        for group in _groups(call, catalog=catalog, models=models)
        for item in sorted(group, key=_by_cost if rank == "cost" else _by(rank))
    ]
    return tuple(found[:MOST_CONSIDERED])


def moved(call: ModelCall, candidate: Alternative) -> ModelCall:
    """Return the question that a call would be at another deployment."""
    asked = Asked(model=candidate.name, host=candidate.host, opaque=call.asked.opaque)
    return call.model_copy(
        update={
            "model": candidate.model,
            "route": (candidate.deployment,),
            "asked": asked,
        }
    )


def rejection(candidate: Alternative, against: Objection) -> Rejected:
    """Return what is recorded of a deployment that may not be used."""
    return Rejected(
        deployment=candidate.deployment,
        model=candidate.model,
        verdict=against.verdict,
        code=against.code,
        rules=against.rules,
    )


def objection_of(decision: Decision) -> Objection | None:
    """Return why a decision does not allow; `None`: it does."""
    if decision.allowed:
        return None
    return Objection(
        verdict=decision.verdict,
        code=decision.code,
        rules=tuple(dict.fromkeys(item.id for item in objections(decision))),
    )


def _groups(
    call: ModelCall, *, catalog: Catalog, models: Models
) -> Iterator[tuple[Alternative, ...]]:
    """Yield the deployments of the call's model, then those of the others."""
    first = () if call.model is None else (call.model,)
    if call.model is not None:
        yield _deployments(catalog, first)
    if isinstance(models, str):
        if models != "any":
            raise ConfigurationError(
                f"`models` is the text `{models}`: give a list of ids, or `any`"
            )
        # Nobody has said which would do better: the rank decides among all of them.
        yield _deployments(
            catalog, tuple(key for key in catalog.entries.models if key not in first)
        )
        return
    for model in dict.fromkeys(models):
        if model not in first:
            yield _deployments(catalog, (model,))


def _deployments(catalog: Catalog, models: tuple[str, ...]) -> tuple[Alternative, ...]:
    try:
        for model in models:
            catalog.model(model)
    except CatalogError as error:
        raise ConfigurationError(f"{error}: `models` names it") from error
    wanted = frozenset(models)
    return tuple(
        _alternative(key, item, catalog=catalog)
        for key, item in sorted(catalog.entries.deployments.items())
        if item.model in wanted
    )


def _alternative(key: str, deployment: Deployment, *, catalog: Catalog) -> Alternative:
    known = catalog.model(deployment.model).names
    names = deployment.names or (deployment.model, *known)
    return Alternative(
        deployment=key,
        model=deployment.model,
        host=deployment.hosts[0] if deployment.hosts else None,
        name=names[0],
        countries=deployment.processing_countries,
        price=_price(deployment.price),
        microusd=_microusd(deployment.price),
    )


def _by_cost(candidate: Alternative) -> tuple[bool, int]:
    return candidate.microusd is None, candidate.microusd or 0


def _by(rank: Rank) -> Callable[[Alternative], Any]:
    return rank if callable(rank) else _by_cost


def _microusd(price: Price | None) -> int | None:
    return None if price is None else price.input_microusd + price.output_microusd


def _price(price: Price | None) -> str | None:
    if price is None:
        return None
    spent, earned = price.input_microusd / 1e6, price.output_microusd / 1e6
    return f"${spent:.2f} in, ${earned:.2f} out per million tokens"
