"""Makes records of decisions and outcomes: what goes into the leaf, what into the vault.

INVARIANT: the leaf gets ids, countries, classes and codes; whatever may name a person
or was typed by a client goes into the vault, bound to the leaf by a salted HMAC.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

import orjson
from pydantic import BaseModel

from policyguard.audit.entry import DecisionEntry
from policyguard.canonical import MAX_INTEGER, canonical_bytes
from policyguard.errors import CanonicalError, CatalogError
from policyguard.guard.answers import answer_salt
from policyguard.guard.describe import Observed
from policyguard.guard.input_bytes import input_bytes
from policyguard.guard.served import served
from policyguard.identity import new_id, record_time
from policyguard.vocabulary.record import OutcomeRecord, RuleAnswer

if TYPE_CHECKING:
    from datetime import datetime

    from policyguard.audit.trail import Trail
    from policyguard.catalog.catalog import Catalog
    from policyguard.catalog.schema import Deployment
    from policyguard.guard.asking import Asking
    from policyguard.vocabulary.decision import Decision, Finding, Place

_COUNTS: Final = range(MAX_INTEGER + 1)
_STATUSES: Final = range(100, 600)
_MOST_WRITTEN: Final = 1_024
_WRITTEN: Final[dict[tuple[int, ...], _Written]] = {}
"""Findings by their identities: an entry keeps them alive, so that these stay theirs."""
_RouteFacts: TypeAlias = tuple[tuple[str | None, ...], tuple[str, ...] | None]
_ROUTES: Final[dict[tuple[str, tuple[str | None, ...]], _RouteFacts]] = {}
"""What routes are, by the digest of the catalog that says so."""
OutcomeWord: TypeAlias = Literal[
    "complete", "abandoned", "error", "cancelled", "delegated"
]


def record_decision(
    decision: Decision, *, asking: Asking, trail: Trail, catalog: Catalog
) -> Place:
    """Append a decision to the trail and return its place.

    Raises:
        TrailError: the record could not be made durable.
    """
    entry = entry_of(decision, asking=asking, catalog=catalog)
    return trail.append_decision(
        entry.fields,
        caller=entry.caller,
        content=entry.content,
        prompt=entry.prompt,
        people=entry.people,
    )


def entry_of(decision: Decision, *, asking: Asking, catalog: Catalog) -> DecisionEntry:
    """Return what the trail is given of a decision."""
    call, written = decision.call, _written(decision.findings)
    operators, countries = _route_facts(call.route, catalog=catalog)
    return DecisionEntry(
        fields={
            "kind": asking.kind,
            "id": decision.id,
            "call_id": decision.call_id,
            "attempt": asking.attempt,
            "layer": asking.layer,
            "time": record_time(decision.time),
            "at": record_time(call.at),
            "simulated": decision.simulated,
            "enforced": decision.enforced,
            "tenant": call.tenant.id,
            "model": call.model,
            "deployments": call.route,
            "operators": operators,
            "countries": countries,
            "purpose": call.purpose.kind if call.purpose else None,
            "data_classes": call.data.classes,
            "verdict": decision.verdict,
            "code": decision.code,
            "rules": written.rules,
            "obligations": tuple(item.type for item in decision.obligations),
            "bundle": decision.bundle,
            "catalog": decision.catalog,
            "engine": decision.engine,
            "trace": asking.trace,
            "tool": asking.tool,
        },
        caller=call.caller.id if call.caller else None,
        content=_content_of(
            decision,
            made=asking.kind == "decision" and decision.goes_ahead,
            findings=written.content,
            offered=asking.offered,
        ),
        prompt=asking.prompt,
        people=call.data.people or (),
    )


def _content_of(
    decision: Decision, *, made: bool, findings: bytes, offered: tuple[str, ...]
) -> Mapping[str, object] | bytes:
    """Return what goes into the vault as canonical bytes; most of them are at hand."""
    try:
        parts = {
            "detail": canonical_bytes(decision.detail),
            "findings": findings,
            "input": input_bytes(decision.call).whole,
        }
        if decision.rejected:
            parts["rejected"] = canonical_bytes(_dumped(decision.rejected))
        if made:
            parts["answer_salt"] = b'"%b"' % answer_salt(decision.id).hex().encode()
        if decision.requests:
            parts["requests"] = canonical_bytes(list(decision.requests))
        if decision.found:
            parts["found"] = canonical_bytes(decision.found.model_dump(mode="json"))
        if offered:
            parts["offered"] = canonical_bytes(list(offered))
    except CanonicalError:
        # The trail says of this one record what is wrong with it.
        return content_document(decision, made=made, offered=offered)
    members = (b'"%b":%b' % (name.encode(), parts[name]) for name in sorted(parts))
    return b"{%b}" % b",".join(members)


class _Written(NamedTuple):
    """Is what records say of some findings."""

    findings: tuple[Finding, ...]
    rules: tuple[RuleAnswer, ...]
    """In the leaf."""
    content: bytes
    """In the vault, canonical."""


def _written(findings: tuple[Finding, ...]) -> _Written:
    """Return what records say of findings; those of a remembered answer are the same."""
    key = tuple(map(id, findings))
    found = _WRITTEN.get(key)
    if found is None:
        found = _Written(
            findings=findings,
            rules=tuple(
                RuleAnswer(
                    id=item.id,
                    effect=item.effect,
                    status=item.status,
                    verified=item.verified,
                    missing=item.missing,
                    softened=item.softened,
                )
                for item in findings
            ),
            content=canonical_bytes(_dumped(findings)),
        )
        if len(_WRITTEN) >= _MOST_WRITTEN:
            _WRITTEN.clear()
        _WRITTEN[key] = found
    return found


def _dumped(values: Sequence[BaseModel]) -> list[object]:
    return [item.model_dump(mode="json") for item in values]


def content_document(
    decision: Decision, *, made: bool = False, offered: tuple[str, ...] = ()
) -> dict[str, object]:
    """Return what goes into the vault.

    Args:
        decision: Of the record.
        made: Whether its call is made, so that there will be an answer to commit to.
        offered: The tools that the model may call.
    """
    content: dict[str, object] = {
        "input": decision.call.engine_input(),
        "detail": decision.detail,
        "findings": _dumped(decision.findings),
    }
    if decision.rejected:
        content["rejected"] = _dumped(decision.rejected)
    if made:
        content["answer_salt"] = answer_salt(decision.id).hex()
    if decision.requests:
        content["requests"] = list(decision.requests)
    if decision.found:
        content["found"] = decision.found.model_dump(mode="json")
    if offered:
        content["offered"] = list(offered)
    return content


def prompt_of(args: Sequence[object], kwargs: Mapping[str, object]) -> bytes:
    """Return what a call sends, as JSON: its arguments as they were given.

    What has no JSON is kept as Python writes it: no argument may stop a decision.
    """
    given: dict[str, object] = {**kwargs, "args": list(args)} if args else {**kwargs}
    options = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
    try:
        return orjson.dumps(given, default=repr, option=options)
    except (TypeError, ValueError, RecursionError):
        return ascii(given).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Says how an allowed call ended."""

    outcome: OutcomeWord
    error: BaseException | str | None = None
    """The exception, or its type's name; its text is never kept."""
    status: int | None = None
    """The HTTP status, where it is known."""
    observed: Observed | Callable[[], Observed] | None = None
    """What the answer said of itself; or what reads it, in whatever thread records it."""

    def seen(self) -> Observed:
        """Return what the answer said of itself."""
        if self.observed is None or isinstance(self.observed, Observed):
            return self.observed or Observed()
        return self.observed()


def outcome_of(
    decision: Decision, *, ending: Ending, catalog: Catalog, time: datetime
) -> OutcomeRecord:
    """Return the record of what became of an allowed call.

    Args:
        decision: The decision that allowed it.
        ending: How it ended.
        catalog: Names the served model; a name that it does not know is left out.
        time: When it ended.
    """
    observed = ending.seen()
    found = served(decision, observed, catalog=catalog)
    return OutcomeRecord(
        id=new_id(),
        call_id=decision.call_id,
        decision=decision.id,
        time=record_time(time),
        outcome=ending.outcome,
        error=type_name(ending.error),
        status=_within(ending.status, _STATUSES),
        served_model=found.model,
        answer=observed.answer,
        served_countries=found.countries,
        deviations=found.deviations,
        input_tokens=_within(observed.input_tokens, _COUNTS),
        output_tokens=_within(observed.output_tokens, _COUNTS),
    )


def _within(number: object, bounds: range) -> int | None:
    """Return a number of an answer; one that no record may hold was not said.

    An answer must not keep its outcome, and what deviates in it, out of the trail.
    """
    return number if type(number) is int and number in bounds else None


def type_name(error: BaseException | str | None) -> str | None:
    """Return what a record says of an error: its type, never its text."""
    if error is None:
        return None
    name = error if isinstance(error, str) else type(error).__qualname__
    return re.sub(r"[^A-Za-z_.]", "_", name)[:128] or "Exception"


def _route_facts(route: tuple[str | None, ...], *, catalog: Catalog) -> _RouteFacts:
    """Return the operators of the hops, and all their countries or `None`: unknown."""
    key = (catalog.digest, route)
    found = _ROUTES.get(key)
    if found is None:
        found = _looked_up(route, catalog=catalog)
        if len(_ROUTES) >= _MOST_WRITTEN:
            _ROUTES.clear()
        _ROUTES[key] = found
    return found


def _looked_up(route: tuple[str | None, ...], *, catalog: Catalog) -> _RouteFacts:
    known = [_deployment(name, catalog=catalog) for name in route]
    operators = tuple(item.operator if item else None for item in known)
    countries: set[str] = set()
    for item in known:
        if item is None or item.processing_countries is None:
            return operators, None
        countries.update(item.processing_countries)
    return operators, tuple(sorted(countries))


def _deployment(name: str | None, *, catalog: Catalog) -> Deployment | None:
    try:
        return None if name is None else catalog.deployment(name)
    except CatalogError:
        # A checked call may name what this catalog has not: that is unknown.
        return None
