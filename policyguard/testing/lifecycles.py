"""Lives through the lives of catalogs with Hypothesis, and asks the rules at each step.

    TestCatalogs = lifecycle(Trial.of("rules")).TestCase     # in a file of tests

Models are published, withdrawn and restored, parties listed and taken off, operators sold,
deployments moved and priced anew, weights changed; in between calls are asked and
recorded. After each step must hold:

* **history**: a change of one day changes no answer of an instant before it;
* **arrival**: a model that nobody knows is not allowed to be called; once it is known, it
  is answered as the one that it is like;
* **withdrawal**: from its day nothing is allowed that is sent to what is withdrawn;
* **return**: from the day of its return the answers are those of a catalog in which it
  never was away; the same of a party that is taken off a list again;
* **lists add**: who is listed is allowed no more than before;
* **elsewhere**: where one deployment moves, calls that are sent to others are answered as
  before, and a price changes no answer at all;
* **replay**: a recorded call, asked again with the catalog that it was decided by, is
  answered the same;
* **properties**: those that are named hold with each catalog.

A step that breaks one is shrunk by Hypothesis to few steps and one call.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from policyguard.testing.catalogs import Catalog, reweighed, sold
from policyguard.testing.instants import instant
from policyguard.testing.life import DAY, Call, Life, Recorded
from policyguard.testing.properties import property_named
from policyguard.testing.strategies import inputs
from policyguard.testing.trial import Trial

_LONGEST: Final = 10
"""Days that pass at once."""
_MOST_ASKED: Final = 20
_MOST_NEW: Final = 2
"""Models that are published in one life."""
_HIGHEST: Final = 100_000_000
"""A price for a million tokens, in millionths of a US dollar."""
_COUNTRIES: Final = ("CN", "DE", "US")


class CatalogLifecycle(Life, RuleBasedStateMachine):
    """Is one policy, and a catalog that changes; `lifecycle` makes one of a trial.

    Authors may add rules and invariants in a class of their own: `catalog` is the catalog
    as it is, `now` the instant in seconds since 1970, and `answers` asks.
    """

    @initialize()
    def begin(self) -> None:
        """Begin with the first catalog."""
        self.born()

    @rule(days=st.integers(1, _LONGEST))
    def wait(self, days: int) -> None:
        """Let time pass."""
        self.now += days * DAY

    @rule(data=st.data())
    def decide(self, data: st.DataObject) -> None:
        """Ask a call now, and record the answer."""
        drawn = st.one_of(st.sampled_from(self.questions), inputs(self.trial))
        call = {**data.draw(drawn, label="call"), "at": instant(self.now)}
        (answer,) = self.answers([call], self.catalog)
        self.records.append(Recorded(call=call, answer=answer, catalog=self.catalog))

    @rule(data=st.data())
    def withdraw_one(self, data: st.DataObject) -> None:
        """Switch a deployment off that is not switched off yet."""
        there = self._there()
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
            self.change(sold(self.catalog, name, country=country, at=self.now))

    @precondition(lambda self: len(self.newcomers) < _MOST_NEW)
    @rule(data=st.data())
    def release_one(self, data: st.DataObject) -> None:
        """Publish a model that is as another one, which others run."""
        entries = self.entries("deployments")
        there = [n for n in self._there() if entries[n]["mode"] != "self_hosted"]
        if there:
            self.release(data.draw(st.sampled_from(there), label="like"))

    @rule(data=st.data(), microusd=st.integers(0, _HIGHEST))
    def reprice_one(self, data: st.DataObject, microusd: int) -> None:
        """Ask for another price."""
        names = sorted(self.entries("deployments"))
        name = data.draw(st.sampled_from(names), label="deployment")
        self.reprice(name, microusd=microusd)

    @rule(data=st.data(), country=st.sampled_from(_COUNTRIES))
    def move_one(self, data: st.DataObject, country: str) -> None:
        """Let a deployment run elsewhere, which changes what is said of every day."""
        names = sorted(self.entries("deployments"))
        name = data.draw(st.sampled_from(names), label="deployment")
        self.move(name, country=country)

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
        self.replay()

    @precondition(lambda self: self.properties)
    @invariant()
    def properties_hold(self) -> None:
        """Ask each property of the rules with the catalog as it is."""
        self.require_properties()

    def _there(self) -> list[str]:
        """Return the deployments of which no window is open: none is withdrawn."""
        return sorted(
            name
            for name, entry in self.entries("deployments").items()
            if all(window["until"] is not None for window in entry["states"])
        )


def lifecycle(
    trial: Trial,
    *,
    catalog: Catalog | None = None,
    questions: Sequence[Call] | None = None,
    properties: Iterable[str] = (),
) -> type[CatalogLifecycle]:
    """Return the machine of one policy; its `TestCase` is what pytest runs.

    Args:
        trial: The policy.
        catalog: A compiled catalog to begin with; without it that of the policy.
        questions: Calls that are asked at each step, whatever their instant; without
            them some of the policy's golden vectors.
        properties: Names of properties of a call that have to hold with each catalog, as
            `fail_closed`; each step takes a second more.

    Raises:
        ConfigurationError: there is no such property.
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
        {
            "trial": trial,
            "first": first,
            "questions": tuple(asked),
            "properties": tuple(map(property_named, properties)),
        },
    )
