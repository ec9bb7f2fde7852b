"""Makes the records that benchmarks of the trail write."""

from __future__ import annotations

from policyguard.audit.entry import DecisionEntry
from policyguard.audit.trail import Trail
from policyguard.identity import new_id
from policyguard.vocabulary.record import OutcomeRecord

TIME = "2026-07-10T12:00:00.000001Z"
CONTENT = {"input": {"model": "glm-5.2", "data": {"classes": ["pii"]}}}


def decision() -> dict[str, object]:
    """Return the fields of a decision's record."""
    digest = "ab" * 32
    return {
        "kind": "decision",
        "id": new_id(),
        "call_id": new_id(),
        "layer": "call",
        "time": TIME,
        "at": TIME,
        "simulated": True,
        "enforced": True,
        "tenant": "acme",
        "model": "glm-5.2",
        "deployments": ("glm-5.2@api.scaleway.ai",),
        "operators": ("scaleway",),
        "countries": ("FR",),
        "purpose": "inference",
        "data_classes": ("pii",),
        "verdict": "allow",
        "code": None,
        "rules": (),
        "obligations": (),
        "bundle": {"revision": "1", "digest": digest},
        "catalog": {"version": "1", "digest": digest},
        "engine": {"name": "regorus", "version": "1", "digest": digest},
    }


def outcome(of: str | None = None) -> OutcomeRecord:
    """Return what became of a call; without an id of a call that nobody knows."""
    return OutcomeRecord(
        id=new_id(),
        call_id=new_id(),
        decision=of or new_id(),
        time=TIME,
        outcome="complete",
    )


def append_pairs(trail: Trail, count: int) -> None:
    """Append decisions with their contents, and an outcome of each."""
    made = [decision() for _ in range(count)]
    trail.append_decisions(
        DecisionEntry(fields=fields, caller=None, content=CONTENT) for fields in made
    )
    for fields in made:
        trail.append_later(outcome(str(fields["id"])), failed=fail)


def fail(error: BaseException) -> None:
    """End the run: what was not written was not measured."""
    raise SystemExit(f"not written: {error}")
