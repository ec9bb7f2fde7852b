"""Lives through the lives of catalogs with Hypothesis, and asks the rules at each step.

    TestCatalogs = lifecycle(Trial.of("rules")).TestCase     # in a file of tests

Models are withdrawn and restored, parties listed and taken off, operators sold,
deployments moved, weights changed; in between calls are asked and recorded. After each
step must hold:

* **history**: a change of one day changes no answer of an instant before it;
* **withdrawal**: from its day nothing is allowed that is sent to what is withdrawn;
* **return**: from the day of its return the answers are those of a catalog in which it
  never was away; the same of a party that is taken off a list again;
* **lists add**: who is listed is allowed no more than before;
* **replay**: a recorded call, asked again with the catalog that it was decided by, is
  answered the same.

A step that breaks one is shrunk by Hypothesis to few steps and one call.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, TypeAlias

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from policyguard.canonical import Json
from policyguard.catalog.document import with_views
from policyguard.testing.answers import UNANSWERED, VERDICTS, Answer
from policyguard.testing.catalogs import (
    Catalog,
    listed,
    moved,
    restored,
    reweighed,
    sold,
    unlisted,
    withdrawn,
)
from policyguard.testing.instants import instant
from policyguard.testing.strategies import inputs
from policyguard.testing.trial import Trial

Call: TypeAlias = dict[str, Any]

_DAY: Final = 86_400
_SOME_DAY: Final = 1_767_225_600
_LONGEST: Final = 10
"""Days that pass at once."""
_MOST_ASKED: Final = 20
_REPLAYED: Final = 4
"""How many records are replayed after a step: the first ones and the last ones."""
_COUNTRIES: Final = ("CN", "DE", "US")
_ORDER: Final = (*VERDICTS, UNANSWERED)
"""Verdicts by how much they refuse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """Is a call with its answer, and the catalog that it was decided by."""

    call: Call = field(repr=False)
    answer: Answer
    catalog: Catalog = field(repr=False)


class CatalogLifecycle(RuleBasedStateMachine):
    """Is one policy, and a catalog that changes; `lifecycle` makes one of a trial.

    Authors may add rules and invariants in a class of their own: `catalog` is the catalog
    as it is, `now` the instant in seconds since 1970, and `answers` asks.
    """

    trial: ClassVar[Trial]
    first: ClassVar[Catalog]
    questions: ClassVar[tuple[Call, ...]]

    @initialize()
    def begin(self) -> None:
        """Begin a day after what the catalog was last read: later its lists are stale."""
        self.now = max(_read_on(self.first), default=_SOME_DAY) + _DAY
        self.catalog: Catalog = self.first
        self.away: dict[str, Json] = {}
        """What is withdrawn, with the states that it had before."""
        self.named: set[tuple[str, str]] = set()
        """Lists, and whom they name since a step."""
        self.records: list[Recorded] = []

    @rule(days=st.integers(1, _LONGEST))
    def wait(self, days: int) -> None:
        """Let time pass."""
        self.now += days * _DAY

    @rule(data=st.data())
    def decide(self, data: st.DataObject) -> None:
        """Ask a call now, and record the answer."""
        drawn = st.one_of(st.sampled_from(self.questions), inputs(self.trial))
        call = {**data.draw(drawn, label="call"), "at": instant(self.now)}
        (answer,) = self.answers([call], self.catalog)
        self.records.append(Recorded(call=call, answer=answer, catalog=self.catalog))

    @rule(data=st.data())
    def withdraw_one(self, data: st.DataObject) -> None:
        """Switch a deployment off."""
        there = sorted(self.entries("deployments").keys() - self.away.keys())
        if there:
            self.withdraw(data.draw(st.sampled_from(there), label="deployment"))

    @precondition(lambda self: self.away)
    @rule(data=st.data())
    def restore_one(self, data: st.DataObject) -> None:
        """Bring a deployment back."""
        self.restore(data.draw(st.sampled_from(sorted(self.away)), label="deployment"))

    @rule(data=st.data())
    def list_one(self, data: st.DataObject) -> None:
        """Put a party on a list that names some."""
        parties = sorted({*self.entries("operators"), *self.entries("developers")})
        free = [
            (name, party)
            for name, entry in sorted(self.entries("lists").items())
            for party in parties
            if entry["parties"] and party not in entry["parties"]
        ]
        if free:
            self.put_on_list(*data.draw(st.sampled_from(free), label="listing"))

    @precondition(lambda self: self.named)
    @rule(data=st.data())
    def unlist_one(self, data: st.DataObject) -> None:
        """Take a party off a list that it was put on."""
        named = st.sampled_from(sorted(self.named))
        self.take_off_list(*data.draw(named, label="listing"))

    @rule(data=st.data(), country=st.sampled_from(_COUNTRIES))
    def sell(self, data: st.DataObject, country: str) -> None:
        """Sell an operator of whom the owners are known."""
        operators = self.entries("operators")
        known = sorted(k for k, v in operators.items() if v["owners"] is not None)
        if known:
            name = data.draw(st.sampled_from(known), label="operator")
            self._change(sold(self.catalog, name, country=country, at=self.now))

    @rule(data=st.data(), country=st.sampled_from(_COUNTRIES))
    def move(self, data: st.DataObject, country: str) -> None:
        """Let a deployment run elsewhere, which changes what is said of every day."""
        names = sorted(self.entries("deployments"))
        name = data.draw(st.sampled_from(names), label="deployment")
        self.catalog = moved(self.catalog, name, country=country)

    @rule(data=st.data(), digit=st.sampled_from("0f"))
    def change_weights(self, data: st.DataObject, digit: str) -> None:
        """Publish other bytes under the same name."""
        names = sorted(self.entries("weights"))
        if names:
            name = data.draw(st.sampled_from(names), label="weights")
            self.catalog = reweighed(self.catalog, name, digest=digit * 64)

    @invariant()
    def records_replay(self) -> None:
        """Ask the first and the last records again, with their own catalogs."""
        for item in self._some_records():
            (again,) = self.answers([item.call], item.catalog)
            if again != item.answer:
                raise _broken(
                    f"recorded is {item.answer.verdict}, replay says {again.verdict}",
                    item.call,
                )

    def withdraw(self, name: str) -> None:
        """Switch a deployment off: nothing is allowed that is sent to it."""
        self.away[name] = self.entries("deployments")[name]["states"]
        calls = self._sent_to(name)
        self._change(withdrawn(self.catalog, name, at=self.now), calls=calls)
        for call, answer in zip(calls, self.answers(calls, self.catalog), strict=True):
            if answer.verdict == "allow":
                raise _broken(
                    f"{name} is withdrawn, and it is allowed to call it", call
                )

    def restore(self, name: str) -> None:
        """Bring a deployment back: all is as if it never was away."""
        states = self.away.pop(name)
        calls = self._sent_to(name)
        self._change(restored(self.catalog, name, at=self.now), calls=calls)
        deployments = self.entries("deployments")
        never = {**deployments, name: {**deployments[name], "states": states}}
        self._require_alike("deployments", never, calls=calls, what=name)

    def put_on_list(self, name: str, party: str) -> None:
        """Put a party on a list: nothing is allowed that was not."""
        calls = self._all()
        before = self.answers(calls, self.catalog)
        self._change(listed(self.catalog, name, party, at=self.now))
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
        self._change(unlisted(self.catalog, name, party, at=self.now))
        lists = self.entries("lists")
        parties = {k: v for k, v in lists[name]["parties"].items() if k != party}
        never = {**lists, name: {**lists[name], "parties": parties}}
        self._require_alike("lists", never, calls=self._all(), what=party)

    def answers(self, calls: Sequence[Call], catalog: Catalog) -> list[Answer]:
        """Return the answers on some calls with a catalog, from an engine of its own."""
        engine = self.trial.engine_over(catalog)
        return [self.trial.answer(call, engine=engine) for call in calls]

    def entries(self, section: str) -> Mapping[str, Any]:
        """Return a section of the catalog as it is."""
        found: Any = self.catalog[section]
        entries: Mapping[str, Any] = found
        return entries

    def _change(self, catalog: Catalog, *, calls: Sequence[Call] = ()) -> None:
        """Take over a change of this day, which may change nothing of the days before."""
        before, self.catalog = self.catalog, catalog
        today = instant(self.now)
        asked = calls or self.questions
        past = [{**call, "at": instant(self.now - 1)} for call in asked]
        past += [i.call for i in self._some_records() if i.call["at"] < today]
        answers = (self.answers(past, before), self.answers(past, catalog))
        for call, one, other in zip(past, *answers, strict=True):
            if one != other:
                raise _broken(
                    f"a change of {today} makes {other.verdict} of {one.verdict}", call
                )

    def _require_alike(
        self, section: str, never: Mapping[str, Any], *, calls: list[Call], what: str
    ) -> None:
        """Check that all is as if what has ended had never begun."""
        without = {k: v for k, v in self.catalog.items() if k != "views"}
        ideal = self.answers(calls, with_views({**without, section: never}))
        found = self.answers(calls, self.catalog)
        for call, one, other in zip(calls, ideal, found, strict=True):
            if one != other:
                raise _broken(
                    f"{what} is as it was before: {other.verdict} and not {one.verdict}",
                    call,
                )

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


def lifecycle(
    trial: Trial,
    *,
    catalog: Catalog | None = None,
    questions: Sequence[Call] | None = None,
) -> type[CatalogLifecycle]:
    """Return the machine of one policy; its `TestCase` is what pytest runs.

    Args:
        trial: The policy.
        catalog: A compiled catalog to begin with; without it that of the policy.
        questions: Calls that are asked at each step, whatever their instant; without
            them some of the policy's golden vectors.
    """
    first: Any = trial.policy.data["catalog"] if catalog is None else catalog
    asked = questions
    if asked is None:
        golden: list[Any] = [vector.input for vector in trial.policy.golden]
        step = max(1, len(golden) // _MOST_ASKED)
        asked = golden[::step] or [trial.space.call({})]
    return type(
        "Lifecycle",
        (CatalogLifecycle,),
        {"trial": trial, "first": first, "questions": tuple(asked)},
    )


def _read_on(catalog: Catalog) -> Iterator[int]:
    """Yield the days on which entries of a catalog were read, in seconds since 1970."""
    for section in catalog.values():
        for entry in section.values() if isinstance(section, dict) else ():
            if isinstance(entry, dict) and isinstance(entry.get("as_of"), str):
                day = datetime.fromisoformat(entry["as_of"]).replace(tzinfo=UTC)
                yield int(day.timestamp())


def _broken(what: str, call: Call) -> AssertionError:
    return AssertionError(f"{what}\n{json.dumps(call, ensure_ascii=False)}")
