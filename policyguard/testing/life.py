"""Holds a policy to what it said while its catalog changes, one change at a time.

Each verb is a change of one day, and checks what has to hold of it; the state machine in
`lifecycles` calls them in any order.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, TypeAlias

from policyguard.canonical import Json
from policyguard.catalog.document import with_views
from policyguard.testing.answers import UNANSWERED, VERDICTS, Answer
from policyguard.testing.breaches import breach_of
from policyguard.testing.catalogs import (
    Catalog,
    listed,
    moved,
    priced,
    released,
    restored,
    served,
    unlisted,
    withdrawn,
)
from policyguard.testing.instants import instant
from policyguard.testing.properties import Property
from policyguard.testing.trial import Trial

Call: TypeAlias = dict[str, Any]

DAY: Final = 86_400
_SOME_DAY: Final = 1_767_225_600
_REPLAYED: Final = 4
"""How many records are replayed after a step: the first ones and the last ones."""
_ORDER: Final = (*VERDICTS, UNANSWERED)
"""Verdicts by how much they refuse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """Is a call with its answer, and the catalog that it was decided by."""

    call: Call = field(repr=False)
    answer: Answer
    catalog: Catalog = field(repr=False)


class Life:
    """Is one policy, and a catalog that changes; each verb raises where a law is broken."""

    trial: ClassVar[Trial]
    first: ClassVar[Catalog]
    questions: ClassVar[tuple[Call, ...]]
    properties: ClassVar[tuple[Property, ...]]
    """What has to hold of the rules with each catalog."""

    now: int
    """Seconds since 1970."""
    catalog: Catalog
    away: dict[str, Json]
    """What is withdrawn, with the states that it had before."""
    named: set[tuple[str, str]]
    """Lists, and whom they name since a step."""
    newcomers: list[str]
    """Models that were published since the beginning."""
    records: list[Recorded]

    def born(self) -> None:
        """Begin a day after what the catalog was last read: later its lists are stale."""
        self.now = max(_read_on(self.first), default=_SOME_DAY) + DAY
        self.catalog = self.first
        self.away, self.named, self.newcomers, self.records = {}, set(), [], []

    def replay(self) -> None:
        """Ask the first and the last records again, with their own catalogs."""
        for item in self._some_records():
            (again,) = self.answers([item.call], item.catalog)
            if again != item.answer:
                raise _broken(
                    f"recorded is {item.answer.verdict}, replay says {again.verdict}",
                    item.call,
                )

    def release(self, like: str) -> None:
        """Publish a model: it may be called as another one is, and not before."""
        name = f"newcomer-{len(self.newcomers) + 1}"
        model = self.entries("deployments")[like]["model"]
        new = {model: name, like: served(name, like)}
        old = self._sent_to(like)
        calls: list[Call] = [_renamed(call, new) for call in old]
        for call, answer in zip(calls, self.answers(calls, self.catalog), strict=True):
            if answer.verdict == "allow":
                raise _broken(
                    f"nobody knows {name}, and it is allowed to call it", call
                )
        self._change_for(released(self.catalog, like, name=name), kept=self._all())
        self.newcomers.append(name)
        one, other = (self.answers(asked, self.catalog) for asked in (old, calls))
        _require_same(calls, one, other, what=f"{name} is as {model}")

    def reprice(self, name: str, *, microusd: int) -> None:
        """Ask for another price: no rule is about prices."""
        changed = priced(self.catalog, name, microusd=microusd)
        self._change_for(changed, kept=self._sent_to(name))

    def move(self, name: str, *, country: str) -> None:
        """Let a deployment run elsewhere: what is sent to others is answered as before."""
        others = [call for call in self._all() if name not in call["route"]]
        # Where it runs has no window: that is said of every day.
        before = self.answers(others, self.catalog)
        self.catalog = moved(self.catalog, name, country=country)
        after = self.answers(others, self.catalog)
        _require_same(others, before, after, what=f"{name} moves, and is not called")

    def withdraw(self, name: str) -> None:
        """Switch a deployment off: nothing is allowed that is sent to it."""
        self.away[name] = self.entries("deployments")[name]["states"]
        calls = self._sent_to(name)
        self.change(withdrawn(self.catalog, name, at=self.now), calls=calls)
        for call, answer in zip(calls, self.answers(calls, self.catalog), strict=True):
            if answer.verdict == "allow":
                raise _broken(
                    f"{name} is withdrawn, and it is allowed to call it", call
                )

    def restore(self, name: str) -> None:
        """Bring a deployment back: all is as if it never was away."""
        states = self.away.pop(name)
        calls = self._sent_to(name)
        self.change(restored(self.catalog, name, at=self.now), calls=calls)
        deployments = self.entries("deployments")
        never = {**deployments, name: {**deployments[name], "states": states}}
        self._require_alike("deployments", never, calls=calls, what=name)

    def put_on_list(self, name: str, party: str) -> None:
        """Put a party on a list: nothing is allowed that was not."""
        calls = self._all()
        before = self.answers(calls, self.catalog)
        self.change(listed(self.catalog, name, party, at=self.now))
        self.named.add((name, party))
        after = self.answers(calls, self.catalog)
        for call, one, other in zip(calls, before, after, strict=True):
            if _ORDER.index(other.verdict) < _ORDER.index(one.verdict):
                raise _broken(
                    f"{name} names {party}: {other.verdict} and not {one.verdict}", call
                )

    def take_off_list(self, name: str, party: str) -> None:
        """Take a party off a list: all is as if it never was on it."""
        self.named.remove((name, party))
        self.change(unlisted(self.catalog, name, party, at=self.now))
        lists = self.entries("lists")
        parties = {k: v for k, v in lists[name]["parties"].items() if k != party}
        never = {**lists, name: {**lists[name], "parties": parties}}
        self._require_alike("lists", never, calls=self._all(), what=party)

    def require_properties(self) -> None:
        """Check what has to hold of the rules with the catalog as it is."""
        data = {**self.trial.policy.data, "catalog": dict(self.catalog)}
        now = Trial(replace(self.trial.policy, data=data), rules=self.trial.rules)
        for call in self._all():
            for prop in self.properties:
                breach = breach_of(prop, now, call)
                if breach is not None:
                    raise _broken(breach.text(), call)

    def answers(self, calls: Sequence[Call], catalog: Catalog) -> list[Answer]:
        """Return the answers on some calls with a catalog, from an engine of its own."""
        engine = self.trial.engine_over(catalog)
        return [self.trial.answer(call, engine=engine) for call in calls]

    def entries(self, section: str) -> Mapping[str, Any]:
        """Return a section of the catalog as it is."""
        found: Any = self.catalog[section]
        entries: Mapping[str, Any] = found
        return entries

    def _change_for(self, catalog: Catalog, *, kept: list[Call]) -> None:
        """Take over a change which changes no answer to some calls, on no day."""
        one, other = (self.answers(kept, which) for which in (self.catalog, catalog))
        _require_same(kept, one, other, what="what is not of this call has changed")
        self.change(catalog, calls=kept)

    def change(self, catalog: Catalog, *, calls: Sequence[Call] = ()) -> None:
        """Take over a change of this day, which may change nothing of the days before.

        Args:
            catalog: As it is from now on.
            calls: What is asked of the days before; without them the questions.
        """
        before, self.catalog = self.catalog, catalog
        today = instant(self.now)
        asked = calls or self.questions
        past = [{**call, "at": instant(self.now - 1)} for call in asked]
        past += [i.call for i in self._some_records() if i.call["at"] < today]
        one, other = (self.answers(past, which) for which in (before, catalog))
        _require_same(past, one, other, what=f"a change of {today} is of no day before")

    def _require_alike(
        self, section: str, never: Mapping[str, Any], *, calls: list[Call], what: str
    ) -> None:
        """Check that all is as if what has ended had never begun."""
        without = {k: v for k, v in self.catalog.items() if k != "views"}
        ideal = self.answers(calls, with_views({**without, section: never}))
        found = self.answers(calls, self.catalog)
        _require_same(calls, ideal, found, what=f"{what} is as it was before")

    def _some_records(self) -> list[Recorded]:
        half = _REPLAYED // 2
        return self.records[:half] + self.records[half:][-half:]

    def _all(self) -> list[Call]:
        return [{**call, "at": instant(self.now)} for call in self.questions]

    def _sent_to(self, deployment: str) -> list[Call]:
        """Return each question as it would be if it were sent to a deployment now."""
        entry = self.entries("deployments")[deployment]
        to = {"model": entry["model"], "route": [deployment]}
        named = {
            "model": next(iter(entry["names"]), None),
            "host": next(iter(entry["hosts"]), None),
        }
        return [
            {**call, **to, "asked": {**call["asked"], **named}} for call in self._all()
        ]


def _read_on(catalog: Catalog) -> Iterator[int]:
    """Yield the days on which entries of a catalog were read, in seconds since 1970."""
    for section in catalog.values():
        for entry in section.values() if isinstance(section, dict) else ():
            if isinstance(entry, dict) and isinstance(entry.get("as_of"), str):
                day = datetime.fromisoformat(entry["as_of"]).replace(tzinfo=UTC)
                yield int(day.timestamp())


def _broken(what: str, call: Call) -> AssertionError:
    return AssertionError(f"{what}\n{json.dumps(call, ensure_ascii=False)}")


def _require_same(
    calls: Sequence[Call],
    ideal: Sequence[Answer],
    found: Sequence[Answer],
    *,
    what: str,
) -> None:
    for call, one, other in zip(calls, ideal, found, strict=True):
        if one != other:
            raise _broken(f"{what}: {other.verdict} and not {one.verdict}", call)


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """Return a call in which what is said of one model is said of another."""
    if isinstance(value, dict):
        return {key: _renamed(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [_renamed(item, names) for item in value]
    return names.get(value, value) if isinstance(value, str) else value
