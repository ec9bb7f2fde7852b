"""A search asks compiled policy, and gets the interpreter's answers."""

from __future__ import annotations

import pytest
from unit.testing.test_prove import shipped, space

from policyguard.errors import EvaluationError
from policyguard.testing.counterexamples import Change
from policyguard.testing.rule_table import drawn
from policyguard.testing.tables import Analyst


def test_a_search_is_answered_as_the_interpreter_answers() -> None:
    analyst = Analyst(shipped(), space())
    # More than are asked before policy is compiled, of which some have no view.
    calls = [space().call(choice) for choice in drawn(space(), count=180, seed=7)]
    calls += [{**call, "at": "never"} for call in calls[:5]]

    searched = [analyst.searched(call) for call in calls]
    asked_once = analyst.evaluations
    found = [analyst.found(call) for call in calls]

    assert searched == found
    assert found[-5:] == [None] * 5
    assert sum(map(len, filter(None, found))) > len(calls)
    # Neither is asked twice about a call.
    assert [analyst.searched(call) for call in calls] == searched
    assert (asked_once, analyst.evaluations) == (len(calls), 2 * len(calls))


def test_nothing_is_shown_that_the_interpreter_does_not_say() -> None:
    model = space().dim("model")
    change = Change(Analyst(shipped(), space()), "PROV-01", model, 0)
    # Holds while it is searched for, and not when it is asked once more.
    turns = iter([True, False])

    with pytest.raises(EvaluationError, match="as the interpreter does not"):
        change.smallest({}, breaks=lambda *_: next(turns))
