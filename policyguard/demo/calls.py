"""Makes the calls of the demonstration, and says where they differ from what was announced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from policyguard.demo.client import loopback_client
from policyguard.demo.scenarios import Case
from policyguard.demo.server import Hit, ModelServer
from policyguard.errors import NotAllowed
from policyguard.guard.guard import Guard
from policyguard.vocabulary.decision import Decision
from policyguard.vocabulary.record import DecisionRecord


class Calendar:
    """Is the demonstration's clock: it stands still at the instant of the case."""

    def __init__(self, at: datetime) -> None:
        """Begin at an instant, UTC."""
        self.at = at

    def __call__(self) -> datetime:
        """Return the legal instant."""
        return self.at


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Is what the calling code was told: an answer, or why there is none."""

    case: Case
    reply: str | None
    refusal: str | None
    decision: Decision | None
    """The decision that the refusal carries."""
    hits: tuple[Hit, ...]
    """What reached the server during the call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """Is one case with what its code was told and what the trail remembers."""

    told: Told
    record: DecisionRecord

    @property
    def case(self) -> Case:
        """Return the case."""
        return self.told.case

    @property
    def rules(self) -> tuple[str, ...]:
        """Return the ids of the rules that made the verdict, sorted."""
        verdict = self.record.verdict
        return tuple(
            sorted({item.id for item in self.record.rules if item.effect == verdict})
        )

    @property
    def missing(self) -> tuple[str, ...]:
        """Return the facts that were needed and unknown, sorted."""
        return tuple(
            sorted({name for item in self.record.rules for name in item.missing})
        )

    def faults(self) -> tuple[str, ...]:
        """Say where the case differs from what was announced."""
        case, record, told = self.case, self.record, self.told
        offered = (
            {item.host for item in told.decision.alternatives}
            if told.decision
            else set()
        )
        pairs: tuple[tuple[str, object, object], ...] = (
            ("verdict", case.verdict, record.verdict),
            ("rules", case.rules, self.rules),
            ("obligations", case.obligations, tuple(sorted(set(record.obligations)))),
            ("missing", case.missing, self.missing),
            ("requests that reached a host", case.hits, len(told.hits)),
            ("hosts", [case.host] * case.hits, [hit.host for hit in told.hits]),
            (
                "alternatives",
                [],
                [name for name in case.alternatives if name not in offered],
            ),
            ("answered", case.verdict == "allow", told.reply is not None),
            ("simulated", True, record.simulated),
        )
        return tuple(
            f"{case.key}: {what} announced {_shown(wanted)}, found {_shown(found)}"
            for what, wanted, found in pairs
            if wanted != found
        )


def make_calls(
    cases: Sequence[Case], *, guard: Guard, calendar: Calendar, server: ModelServer
) -> tuple[Told, ...]:
    """Make each case's call through the guard, at the case's own instant.

    Args:
        cases: What is called, in order.
        guard: A guard whose clock is the calendar.
        calendar: Set to the instant of each case.
        server: What stands for every host.
    """
    return tuple(
        _call(case, guard=guard, calendar=calendar, server=server) for case in cases
    )


def _call(case: Case, *, guard: Guard, calendar: Calendar, server: ModelServer) -> Told:
    calendar.at = case.at
    before = len(server.hits)
    reply: str | None = None
    refusal: NotAllowed | None = None
    client = loopback_client(case.base_url, port=server.port)
    try:
        guard.protect(client)
        # The SDK's method is a set of overloads; one flag for both kinds is of neither.
        create: Callable[..., Any] = client.chat.completions.create
        reply = _text_of(
            guard.bind(**case.facts).call(
                create,
                model=case.model,
                messages=[{"role": "user", "content": case.prompt}],
                stream=case.stream,
            )
        )
    except NotAllowed as error:
        refusal = error
    finally:
        client.close()
    return Told(
        case=case,
        reply=reply,
        refusal=None if refusal is None else str(refusal),
        decision=None if refusal is None else refusal.decision,
        hits=server.hits[before:],
    )


def _text_of(result: Any) -> str:
    """Return the text of an answer, a stream's by reading it to its end."""
    if hasattr(result, "choices"):
        return str(result.choices[0].message.content)
    with result:
        return "".join(chunk.choices[0].delta.content or "" for chunk in result)


def _shown(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return f"`{', '.join(map(str, value)) or 'none'}`"
    return f"`{value}`"
