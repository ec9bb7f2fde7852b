"""Bugs that are put into shipped rules are found, and the page names all of them."""

from __future__ import annotations

from benchmarks.diff import changes, measured
from benchmarks.seeded import BUGS, PAGE, looked_for
from policyguard.settings import Settings
from policyguard.testing.policies import configured_policy

KINDS = ("a hole for a missing fact", "a boundary off by one second")


def test_a_hole_and_a_boundary_are_found_with_a_smallest_call() -> None:
    bugs = tuple(bug for bug in BUGS if bug.kind in KINDS)

    found = {
        row.bug.kind: (row.broken, row.example)
        for row in looked_for(configured_policy(Settings()), bugs)
    }

    assert found == {
        "a hole for a missing fact": (
            ("fail_closed",),
            "context.dod_contract = null: PROC-05 indeterminate → nothing",
        ),
        "a boundary off by one second": (
            (),
            'at = "2026-06-12T21:21:00Z": VEND-01 unavailable → nothing',
        ),
    }


def test_every_bug_still_has_its_place_and_its_line_on_the_page() -> None:
    policy = configured_policy(Settings())
    page = PAGE.read_text("utf-8")

    assert len({bug.kind for bug in BUGS}) == len(BUGS) == 16
    assert [bug.kind for bug in BUGS if bug.put_into(policy) == policy] == []
    assert [
        bug.kind for bug in BUGS if f"| {bug.kind} | {bug.rule} |" not in page
    ] == []
    assert "nobody" not in page


def test_the_benchmark_of_comparing_compares_what_it_changes_and_no_other_rule() -> (
    None
):
    figures = {name: measured(name) for name in ("nothing", "rule")}

    assert {
        name: tuple(found[key] for key in ("relation", "same", "compared", "differ"))
        for name, found in figures.items()
    } == {
        "nothing": ("equivalent", 59, 0, 0),
        # Where the name of a model is displayed, another advice takes the place of none.
        "rule": ("incomparable", 57, 2, 2),
    }
    assert {name: len(bugs) for name, bugs in changes().items()} == {
        "nothing": 0,
        "rule": 1,
        "rules": 10,
        "facts": 1,
    }
