"""A machine whose clock is earlier than the lists in use calls nobody."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from guards import TICKETS, guard_in

from policyguard.guard import running
from policyguard.guard.describe import Described
from policyguard.guard.facts import facts_of

LAW = Described(model="glm-5.2", host="api.scaleway.ai", path="/v1/chat/completions")


@pytest.mark.parametrize(
    ("early", "simulated", "code"),
    [
        (timedelta(seconds=1), False, "guard.clock"),
        (timedelta(days=9_999), False, "guard.clock"),
        (timedelta(0), False, None),
        # Whoever gives a guard a clock asks about another time on purpose.
        (timedelta(days=99), True, None),
    ],
)
def test_a_call_before_the_newest_list_is_refused(
    tmp_path: Path, early: timedelta, simulated: bool, code: str | None
) -> None:
    with guard_in(tmp_path) as guard:
        lists = guard.core.catalog.entries.lists.values()
        newest = max(listed.as_of for listed in lists)
        day = datetime(newest.year, newest.month, newest.day, tzinfo=UTC)
        at = day - timedelta(days=1) - early
        core = replace(guard.core, clock=lambda: at, simulated=simulated)

        answer = running.at_wire(
            core, LAW, own=facts_of(**TICKETS), attempt=0, body=None, text=None
        )

    assert answer.decision.code == code
    if code:
        assert not answer.decision.goes_ahead
        assert "clock is earlier than the lists" in answer.decision.detail
