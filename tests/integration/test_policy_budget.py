"""`--policy-budget`: what laws and gates have not looked at is skipped, and said."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.test_pytest_plugin import apart, project
from pytest_runs import Run
from unit.testing.test_laws import PROC_05
from unit.testing.trials import changed, space, trial

from policyguard.testing import laws
from policyguard.testing.budget import Budget, set_budget
from policyguard.testing.trial import Trial

pytest_plugins = ("pytester",)

SCORE = "min_mutation_score = 95"


@pytest.fixture
def _no_budget_afterwards() -> Iterator[None]:
    yield
    set_budget(None)


def test_a_gate_without_time_is_skipped_and_shown_and_tests_are_run(
    tmp_path: Path, ran: Run
) -> None:
    done = ran(project(tmp_path, table=SCORE), "-rs", "--policy-budget", "0")

    assert done.returncode == 0
    assert "6 passed, 1 skipped" in done.stdout
    assert "NOT LOOKED AT" in done.stdout
    assert (
        "not looked at to the end: the budget of 0 s for laws and gates is used up,"
        " before it began"
    ) in done.stdout


def test_a_gate_is_stopped_at_a_mutant(tmp_path: Path, ran: Run) -> None:
    done = ran(project(tmp_path, table=SCORE), "--policy-budget", "0.001")

    assert "used up, at mutant 1 of " in done.stdout
    assert "6 passed, 1 skipped" in done.stdout


def test_a_gate_with_time_enough_is_as_ever(tmp_path: Path, ran: Run) -> None:
    done = ran(project(tmp_path, table=SCORE), "--policy-budget", "600")

    assert "7 passed" in done.stdout
    assert "NOT LOOKED AT" not in done.stdout


def test_workers_say_what_they_have_not_looked_at(tmp_path: Path) -> None:
    done = apart(project(tmp_path, table=SCORE), "-n", "2", "--policy-budget", "0")

    assert "NOT LOOKED AT" in done.stdout
    assert "mutation score" in done.stdout


@pytest.mark.parametrize("odd", ["-1", "nan", "inf", "soon"])
def test_a_budget_that_is_none_is_refused(tmp_path: Path, odd: str, ran: Run) -> None:
    done = ran(project(tmp_path), f"--policy-budget={odd}")

    assert done.returncode == 4
    assert "--policy-budget" in done.stdout


def ticks(count: int) -> Budget:
    """Return a budget that is used up when its clock was looked at so often."""
    return Budget(count, clock=itertools.count().__next__)


@pytest.mark.usefixtures("_no_budget_afterwards")
def test_a_law_is_stopped_between_two_calls() -> None:
    law = laws.law("fail_closed", trial("PROC-05"), examples=20)
    set_budget(ticks(10))

    with pytest.raises(pytest.skip.Exception, match="after 8 of 20 calls, none"):
        law()
    with pytest.raises(pytest.skip.Exception, match="before it began"):
        law()


@pytest.mark.usefixtures("_no_budget_afterwards")
def test_a_law_that_was_broken_fails_though_no_time_is_left_to_shrink() -> None:
    holed = changed(
        PROC_05, "input.context.dod_contract == null", 'input.context.dod_tier == "x"'
    )
    law = laws.law("fail_closed", Trial(holed, space=space(), rules=["PROC-05"]))

    def fails(count: int) -> bool:
        set_budget(ticks(count))
        with pytest.raises((AssertionError, pytest.skip.Exception)) as caught:
            law()
        return caught.type is AssertionError

    clock = itertools.count()
    set_budget(Budget(100_000, clock=clock.__next__))
    with pytest.raises(AssertionError):
        law()
    whole = next(clock)
    least = bisect_left(range(whole), 1, key=fails)

    # There the first call that breaks it has just been found.
    assert 2 < least < whole - 10
    assert not fails(least - 1)
