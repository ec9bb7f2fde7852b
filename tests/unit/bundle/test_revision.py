"""Tests of the order of revisions."""

from __future__ import annotations

import itertools

import pytest

from policyguard.bundle.revision import is_older

ORDERED = [
    "1",
    "2.0-rc1",
    "2.0-rc2",
    "2.0.1",
    "2.1",
    "2.9.9",
    "2.10",
    "10",
    "2026.9.1",
    "2026.10.1",
    "2026.11",
    "2026.11.1",
    "2026.11.2+build1",
    "2026.11.10",
]


@pytest.mark.parametrize(("older", "newer"), list(itertools.combinations(ORDERED, 2)))
def test_an_older_revision_is_before_a_newer_one(older: str, newer: str) -> None:
    assert (is_older(older, newer), is_older(newer, older)) == (True, False)


@pytest.mark.parametrize("revision", ORDERED)
def test_no_revision_is_before_itself(revision: str) -> None:
    assert not is_older(revision, revision)
