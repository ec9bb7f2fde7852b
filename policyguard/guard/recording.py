"""Makes records of decisions and outcomes: what goes into the leaf, what into the vault.

INVARIANT: the leaf gets ids, countries, classes and codes; whatever may name a person
or was typed by a client goes into the vault, bound to the leaf by a salted HMAC.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, TypeAlias

from policyguard.guard.identity import new_id, record_time, wall_clock
from policyguard.vocabulary.call import ModelCall
from policyguard.vocabulary.record import OutcomeRecord, RuleAnswer

if TYPE_CHECKING:
    from policyguard.audit.trail import Trail
    from policyguard.catalog.catalog import Catalog
    from policyguard.guard.core import Asking
    from policyguard.guard.describe import Observed
    from policyguard.vocabulary.decision import Decision, Place

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
    call = decision.call
    operators, countries = _route_facts(call, catalog=catalog)
    return trail.append_decision(
        {
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
            "rules": tuple(
                RuleAnswer(
                    id=item.id,
                    effect=item.effect,
                    status=item.status,
                    verified=item.verified,
                    missing=item.missing,
                )
                for item in decision.findings
            ),
            "obligations": tuple(item.type for item in decision.obligations),
            "bundle": decision.bundle,
            "catalog": decision.catalog,
            "engine": decision.engine,
        },
        caller=call.caller.id if call.caller else None,
        content={
            "input": call.engine_input(),
            "detail": decision.detail,
            "findings": [item.model_dump(mode="json") for item in decision.findings],
        },
    )


def outcome_of(
    decision: Decision,
    *,
    outcome: OutcomeWord,
    error: BaseException | str | None = None,
    status: int | None = None,
    observed: Observed | None = None,
    catalog: Catalog,
) -> OutcomeRecord:
    """Return the record of what became of an allowed call.

    Args:
        decision: The decision that allowed it.
        outcome: How it ended.
        error: The exception, or its type's name; its text is never kept.
        status: The HTTP status, where it is known.
        observed: What the answer said of itself.
        catalog: Names the served model; a name that it does not know is left out.
    """
    served = observed.served_model if observed else None
    return OutcomeRecord(
        id=new_id(),
        call_id=decision.call_id,
        decision=decision.id,
        time=record_time(wall_clock()),
        outcome=outcome,
        error=_type_name(error),
        status=status,
        served_model=(
            catalog.resolve(asked_model=served, host=None).model if served else None
        ),
        input_tokens=observed.input_tokens if observed else None,
        output_tokens=observed.output_tokens if observed else None,
    )


def _type_name(error: BaseException | str | None) -> str | None:
    if error is None:
        return None
    name = error if isinstance(error, str) else type(error).__qualname__
    return re.sub(r"[^A-Za-z_.]", "_", name)[:128] or "Exception"


def _route_facts(
    call: ModelCall, *, catalog: Catalog
) -> tuple[tuple[str | None, ...], tuple[str, ...] | None]:
    """Return the operators of the hops, and all their countries or `None`: unknown."""
    known = [
        catalog.find_deployment(name) if name is not None else None
        for name in call.route
    ]
    operators = tuple(item.operator if item else None for item in known)
    countries: set[str] = set()
    for item in known:
        if item is None or item.processing_countries is None:
            return operators, None
        countries.update(item.processing_countries)
    return operators, tuple(sorted(countries))
