"""Decisions as events of OPA's decision log, for whatever collects those already.

Field names are those of https://www.openpolicyagent.org/docs/management-decision-logs;
`erased` and `masked` are JSON pointers (RFC 6901), as OPA writes them. Pure.

INVARIANT: what is on the list of pointers is not in the event. By default that is who
asked, what the client typed, and every text that a person wrote.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any, Final

from policyguard.audit.reader import Entry
from policyguard.errors import ConfigurationError
from policyguard.version import __version__
from policyguard.vocabulary.record import DecisionRecord

PATH: Final = "policyguard/main/decision"
DEFAULT_MASK: Final = (
    "/input/asked",
    "/input/caller",
    "/input/context",
    "/input/data/anonymous_evidence",
    "/input/data/ear/evidence",
    "/input/exporter",
    "/input/tenant/contracts",
    "/input/tenant/licences",
)
_NOWHERE: Final = object()


def event_of(
    entry: Entry,
    record: DecisionRecord,
    *,
    content: Mapping[str, Any] | None,
    mask: Sequence[str] = DEFAULT_MASK,
) -> dict[str, Any]:
    """Return the event of one decision.

    Args:
        entry: Where the record is.
        record: What it says.
        content: What the vault has of it; `None`: erased, then `/input` is erased.
        mask: JSON pointers of what is taken out.

    Raises:
        ConfigurationError: a pointer is none.
    """
    event: dict[str, Any] = {
        "labels": {
            "app": "policyguard",
            "version": __version__,
            "id": entry.origin,
            "entry": str(entry.index),
            "tenant": record.tenant,
            "kind": record.kind,
        },
        "decision_id": record.id,
        "bundles": {"policyguard": {"revision": record.bundle.revision}},
        "path": PATH,
        "result": {
            "verdict": record.verdict,
            "code": record.code,
            "rules": [
                {"id": rule.id, "effect": rule.effect, "status": rule.status}
                for rule in record.rules
            ],
            "obligations": list(record.obligations),
        },
        "requested_by": record.caller or "",
        "timestamp": record.time,
        "metrics": {},
        **({} if record.trace is None else dict(record.trace)),
    }
    if content is None:
        event["erased"] = ["/input"]
        return event
    event["input"] = deepcopy(content.get("input"))
    gone = [pointer for pointer in mask if _remove(event, pointer)]
    if gone:
        event["erased"] = sorted(gone)
    return event


def require_pointers(pointers: Iterable[str]) -> None:
    """Refuse what is no pointer into `input` or `result`.

    Raises:
        ConfigurationError: one is not.
    """
    for pointer in pointers:
        parts = pointer.split("/")
        if parts[0] or parts[1:2] not in (["input"], ["result"]):
            raise ConfigurationError(
                f"`{pointer}` is no pointer to mask: begin with `/input` or `/result`"
            )


def _remove(event: dict[str, Any], pointer: str) -> bool:
    """Take out what a pointer points to; say whether there was anything."""
    require_pointers([pointer])
    *path, last = [
        part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]
    ]
    value: Any = event
    for step in path:
        value = _step(value, step)
    if _step(value, last) is _NOWHERE:
        return False
    if isinstance(value, list):
        # The places of the others must not move: they may be pointed to as well.
        value[int(last)] = None
    else:
        del value[last]
    return True


def _step(value: Any, step: str) -> Any:
    if isinstance(value, dict):
        return value.get(step, _NOWHERE)
    if isinstance(value, list) and step.isascii() and step.isdecimal():
        return value[int(step)] if int(step) < len(value) else _NOWHERE
    return _NOWHERE
