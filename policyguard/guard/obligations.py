"""What must be done with an allowed call, and whether this guard can do it.

An obligation that nobody here can discharge makes the call not allowed: an answer that
cannot be obeyed is no permission. Four kinds of discharge: the record does it, a fact
shows that it is done, the body says it, or somebody is told.

INVARIANT: a type or a property that is not known here is never discharged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from pydantic import JsonValue

from policyguard.canonical import Json
from policyguard.catalog.catalog import Catalog
from policyguard.errors import CatalogError
from policyguard.vocabulary.call import ModelCall
from policyguard.vocabulary.decision import Obligation

SET_BY_BODY: Final[Mapping[str, str]] = {"set_inference_geo": "inference_geo"}
"""The field of the body that discharges an obligation, by the obligation's type."""
PARAMETERS: Final = frozenset({"inference_geo", "store"})
"""The fields of a body that obligations ask about."""
_NEVER: Final = "never given"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """Is what is known of the body of a call, and what can still be changed in it."""

    parameters: Mapping[str, Json] = field(default_factory=dict)
    """Those of `PARAMETERS` that the body has."""
    may_set: Callable[[], bool] = field(default=bool, repr=False)
    """Says whether fields can be added before it is sent; few obligations ask."""


ANYTHING: Final = Sending(may_set=lambda: True)
"""A body of which nothing is known, and which is not made yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Is all that a discharge may turn on."""

    call: ModelCall
    catalog: Catalog
    sending: Sending
    may_notify: bool
    """Whether somebody can be told."""


_Properties: TypeAlias = Mapping[str, JsonValue]
_Discharge: TypeAlias = Callable[[_Properties, Situation], bool]


def undischarged(
    obligations: tuple[Obligation, ...], *, situation: Situation
) -> tuple[Obligation, ...]:
    """Return the obligations that cannot be discharged for a call."""
    return tuple(
        item
        for item in obligations
        if item.type not in _KNOWN or not _KNOWN[item.type](item.properties, situation)
    )


def is_known(kind: str) -> bool:
    """Say whether there is a discharge for a type of obligation at all."""
    return kind in _KNOWN


def to_set(obligations: tuple[Obligation, ...]) -> dict[str, str]:
    """Return the fields that a body must have, with their values."""
    return {
        SET_BY_BODY[item.type]: str(item.properties["geo"])
        for item in obligations
        if item.type in SET_BY_BODY
    }


def to_notify(obligations: tuple[Obligation, ...]) -> tuple[Obligation, ...]:
    """Return the obligations that are discharged by telling somebody."""
    return tuple(item for item in obligations if item.type == "notify")


def _recorded(properties: _Properties, _: Situation) -> bool:
    # The durable decision record, which the guard writes first.
    years = properties.get("years", 0)
    return isinstance(years, int) and properties.keys() <= {"article", "years"}


def _inference_geo(properties: _Properties, situation: Situation) -> bool:
    geo, sending = properties.get("geo"), situation.sending
    if not isinstance(geo, str) or not geo or properties.keys() != {"geo"}:
        return False
    said = sending.parameters.get("inference_geo", _NEVER)
    return said == geo or (said == _NEVER and sending.may_set())


def _capped_retention(properties: _Properties, situation: Situation) -> bool:
    days = properties.get("days")
    if type(days) is not int or properties.keys() != {"days"}:
        return False
    if situation.sending.parameters.get("store", False) is not False:
        return False
    return all(_keeps_at_most(days, name, situation) for name in situation.call.route)


def _keeps_at_most(days: int, name: str | None, situation: Situation) -> bool:
    try:
        known = situation.catalog.deployment(name or "")
    except CatalogError:
        return False
    if known.mode == "self_hosted" and known.host_cloud is None:
        # Our own disks are nobody's retention.
        return True
    signed = [
        item.retention_days
        for item in situation.call.tenant.contracts or ()
        if item.operator == known.operator
    ]
    policy = known.data_policy
    agreed = signed[0] if signed and signed[0] is not None else policy.retention_days
    safety = policy.safety_retention_days or 0
    return agreed is not None and max(agreed, safety) <= days


def _displayed(properties: _Properties, situation: Situation) -> bool:
    name = properties.get("name")
    shown = situation.call.tenant.product.attributions or ()
    return (
        isinstance(name, str)
        and name in shown
        and properties.keys() <= {"name", "licence"}
    )


def _notified(properties: _Properties, situation: Situation) -> bool:
    about = properties.get("about")
    return isinstance(about, str) and situation.may_notify


_KNOWN: Final[Mapping[str, _Discharge]] = {
    "record_processing": _recorded,
    "record_keeping": _recorded,
    "set_inference_geo": _inference_geo,
    "cap_retention": _capped_retention,
    "display_name": _displayed,
    "notify": _notified,
}
"""How each type of obligation is discharged, by its type."""
