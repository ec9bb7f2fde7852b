"""Rows that cover a function are it, say no more than they must, and none is idle."""

from __future__ import annotations

import pytest
from hypothesis import given
from unit.testing.test_diagrams import EVERY, SIZES, built, tables

from policyguard.testing.covers import Row, cover_of, holds_in, row_root
from policyguard.testing.diagrams import Diagrams

IN_PARITY = [sum(values) % 2 for values in EVERY]


def fits(row: Row, values: tuple[int, ...]) -> bool:
    return all(row[level] >> values[level] & 1 for level in row)


@given(tables)
def test_rows_together_are_the_function(leaves: list[int]) -> None:
    diagrams = Diagrams(SIZES)
    marked = [min(leaf, 1) for leaf in leaves]
    root = built(diagrams, marked)

    rows = cover_of(diagrams, root)

    assert [int(any(fits(r, v) for r in rows)) for v in EVERY] == marked
    assert all(holds_in(diagrams, root, row) for row in rows)


@given(tables)
def test_no_row_says_more_than_it_has_to_and_none_can_be_left_out(
    leaves: list[int],
) -> None:
    diagrams = Diagrams(SIZES)
    root = built(diagrams, [min(leaf, 1) for leaf in leaves])

    rows = cover_of(diagrams, root)

    for row in rows:
        for level, bits in row.items():
            for value in range(SIZES[level]):
                if not bits >> value & 1:
                    wider = {**row, level: bits | 1 << value}
                    assert not holds_in(diagrams, root, wider)
        rest = diagrams.leaf(0)
        for other in rows:
            if other is not row:
                made = row_root(diagrams, other)
                rest = diagrams.joined(rest, made, lambda one, two: one | two)
        assert rest != root


def test_a_function_of_too_many_rows_is_refused() -> None:
    diagrams = Diagrams(SIZES)

    with pytest.raises(OverflowError, match="more than 3 rows"):
        cover_of(diagrams, built(diagrams, IN_PARITY), most=3)


def test_what_is_nowhere_has_no_row_and_what_is_everywhere_has_one() -> None:
    diagrams = Diagrams(SIZES)

    assert cover_of(diagrams, diagrams.leaf(0)) == ()
    assert cover_of(diagrams, diagrams.leaf(1)) == ({},)
