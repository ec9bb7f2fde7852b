"""Trails for tests: records as the guard makes them, without a guard."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from policyguard.audit.reader import Entry, TrailReader
from policyguard.audit.trail import Trail
from policyguard.identity import new_id
from policyguard.vocabulary.record import OutcomeRecord

DIGEST: Final = "ab" * 32
TIME: Final = "2026-07-10T12:00:00.000001Z"
CALLER: Final = "canary-alice@acme.example"
SECRET: Final = "canary-content"


def decision(**changes: Any) -> dict[str, Any]:
    """Return the fields of a decision's record."""
    fields: dict[str, Any] = {
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
        "bundle": {"revision": "1", "digest": DIGEST},
        "catalog": {"version": "1", "digest": DIGEST},
        "engine": {"name": "regorus", "version": "1", "digest": DIGEST},
    }
    return fields | changes


def outcome(of: str) -> OutcomeRecord:
    """Return the record of a call that ended well."""
    return OutcomeRecord(
        id=new_id(), call_id=new_id(), decision=of, time=TIME, outcome="complete"
    )


def append_pair(trail: Trail, *, caller: str | None = CALLER) -> str:
    """Append a decision with its outcome, and return the decision's id."""
    fields = decision()
    trail.append_decision(fields, caller=caller, content={"input": {"data": SECRET}})
    trail.append(outcome(fields["id"]))
    return str(fields["id"])


def made_trail(directory: Path, *, pairs: int = 3, name: str = "acme.example") -> Path:
    """Make a closed trail of so many decisions and outcomes."""
    trail = Trail.open_or_create(directory, name=name)
    for _ in range(pairs):
        append_pair(trail)
    trail.close()
    return directory


def copied(directory: Path, target: Path) -> Path:
    """Copy a trail with its lock database."""
    shutil.copytree(directory, target)
    shutil.copytree(directory.with_name(f"{directory.name}.lock"), f"{target}.lock")
    return target


def entries(directory: Path) -> Iterator[Entry]:
    """Read all records of all logs."""
    for log in TrailReader.open(directory).logs:
        yield from log.entries()


def kinds(directory: Path) -> list[str]:
    """Return the kinds of all records."""
    return [entry.record().kind for entry in entries(directory)]
