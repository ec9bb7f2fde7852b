"""Recomputes recorded decisions from what decided them, and says what differs.

A decision is a pure function of bundle, catalog and input. All three are kept, so years
later the same answer must come out; approvals and running counts are in the input, as
they were. What cannot be recomputed is counted with its reason, never passed over.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from policyguard.errors import ConfigurationError, EvaluationError
from policyguard.replay.answering import KeptVersions, Replayed, this_engine
from policyguard.replay.recorded import Recorded, read_recorded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policyguard.audit.log_verification import Progress
    from policyguard.audit.reader import Log, TrailReader

ERASED: Final = "its content is gone from the vault"
UNDISCHARGED: Final = frozenset({"obligation.undischarged", "obligation.unknown"})
"""Codes of answers that the rules allowed and the guard could not obey."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Is one thing that a recorded decision and its replay say differently."""

    what: str
    """As `verdict`, or `GDPR-01 msg`."""
    recorded: Any
    replayed: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Is one recorded decision that comes out otherwise."""

    id: str
    place: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unanswered:
    """Is one recorded decision that cannot be recomputed."""

    id: str
    place: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayReport:
    """Is what a replay found."""

    equal: int
    differences: tuple[Difference, ...]
    unanswered: tuple[Unanswered, ...]

    @property
    def decisions(self) -> int:
        """How many decisions were looked at."""
        return self.equal + len(self.differences) + len(self.unanswered)

    def reasons(self) -> Mapping[str, int]:
        """Return how many could not be recomputed, by reason."""
        return dict(Counter(item.reason for item in self.unanswered).most_common())


def replay(
    reader: TrailReader,
    *,
    only: Collection[str] | None = None,
    any_engine: bool = False,
    progress: Progress | None = None,
) -> ReplayReport:
    """Recompute the decisions of a trail.

    Args:
        reader: The trail.
        only: The ids of those that are wanted; without it all.
        any_engine: Whether decisions of another engine are recomputed by this one.
        progress: Called as records are verified.

    Raises:
        TamperedError: a record, a content or a kept version is not what was recorded.
        TrailError: the trail cannot be read.
        ConfigurationError: one that is wanted is no decision of the trail.
    """
    versions = KeptVersions(store=reader.source.versions())
    engine = None if any_engine else this_engine()
    equal = 0
    differences: list[Difference] = []
    unanswered: list[Unanswered] = []
    for item in _wanted(reader.logs, only=only, progress=progress):
        reason = unanswerable(item) or _other_engine(item, engine)
        found = reason or _compared(item, versions)
        if isinstance(found, str):
            unanswered.append(Unanswered(id=item.id, place=item.place, reason=found))
        elif found:
            differences.append(
                Difference(id=item.id, place=item.place, changes=tuple(found))
            )
        else:
            equal += 1
    report = ReplayReport(
        equal=equal, differences=tuple(differences), unanswered=tuple(unanswered)
    )
    if only is not None and report.decisions < len(set(only)):
        raise ConfigurationError(
            "that is no decision of the trail: `policyguard audit list --kind decision`"
            " shows them"
        )
    return report


def unanswerable(item: Recorded) -> str | None:
    """Say why a recorded decision has no answer of rules that could be compared."""
    code = item.leaf["code"]
    if code is not None and code not in UNDISCHARGED:
        return f"the rules gave no answer (`{code}`)"
    return ERASED if item.content is None else None


def recorded_verdict(item: Recorded) -> str:
    """Return the verdict of the rules: the guard's own refusals are not theirs."""
    return "allow" if item.leaf["code"] in UNDISCHARGED else str(item.leaf["verdict"])


def _wanted(
    logs: Iterable[Log],
    *,
    only: Collection[str] | None,
    progress: Progress | None,
) -> Iterator[Recorded]:
    for log in logs:
        if only is None or any(log.find(name) is not None for name in only):
            yield from read_recorded(log, only=only, progress=progress)


def _other_engine(item: Recorded, engine: Any) -> str | None:
    if engine is None:
        return None
    made = item.leaf["engine"]
    # The interpreter checks what compiled policy has decided.
    version = made["version"].partition("+")[0]
    if (made["name"], version, made["digest"]) == (
        engine.name,
        engine.version,
        engine.digest,
    ):
        return None
    return f"another engine decided ({made['name']} {made['version']})"


def _compared(item: Recorded, versions: KeptVersions) -> list[Change] | str:
    answering = versions.of(item.versions)
    if isinstance(answering, str):
        return answering
    content = item.content or {}
    try:
        replayed = answering.answer(content["input"])
    except EvaluationError as error:
        return [
            Change(
                what="verdict",
                recorded=recorded_verdict(item),
                replayed=f"no answer: {error}",
            )
        ]
    return list(_changes(item, content["findings"], replayed))


def _changes(
    item: Recorded, findings: list[Mapping[str, Any]], replayed: Replayed
) -> Iterator[Change]:
    for what, before, now in (
        ("verdict", recorded_verdict(item), replayed.answer.verdict),
        ("obligations", item.leaf["obligations"], replayed.obligations),
        (
            "replaced",
            item.leaf["catalog"]["replaced"],
            list(replayed.answer.replaced),
        ),
    ):
        if before != now:
            yield Change(what=what, recorded=before, replayed=now)
    if len(findings) != len(replayed.findings):
        yield Change(
            what="findings",
            recorded=[found["id"] for found in findings],
            replayed=[found["id"] for found in replayed.findings],
        )
        return
    for old, new in zip(findings, replayed.findings, strict=True):
        if old != new:
            yield from _of_finding(old, new)


def _of_finding(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name):
            yield Change(
                what=f"{before['id']} {name}",
                recorded=before.get(name),
                replayed=now.get(name),
            )
