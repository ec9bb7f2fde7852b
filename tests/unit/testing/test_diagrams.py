"""Diagrams agree with the tables that they stand for, whatever is done with them."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import islice
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyguard.testing.diagrams import Diagrams, Root

SIZES = (2, 3, 4)
EVERY = tuple(itertools.product(*(range(size) for size in SIZES)))
tables = st.lists(st.integers(0, 2), min_size=len(EVERY), max_size=len(EVERY))


def built(diagrams: Diagrams, leaves: Sequence[int]) -> Root:
    """Build a function from the leaf of each choice."""
    table = dict(zip(EVERY, leaves, strict=True))

    def go(level: int, values: tuple[int, ...]) -> Root:
        if level == len(SIZES):
            return diagrams.leaf(table[values])
        return diagrams.choose(
            level,
            [(go(level + 1, (*values, v)), 1 << v) for v in range(SIZES[level])],
        )

    return go(0, ())


def leaves_of(diagrams: Diagrams, root: Root) -> list[int]:
    return [diagrams.value(root, values) for values in EVERY]


@given(tables)
def test_a_diagram_has_the_leaf_of_each_choice(leaves: list[int]) -> None:
    diagrams = Diagrams(SIZES)

    root = built(diagrams, leaves)

    assert leaves_of(diagrams, root) == leaves
    assert diagrams.counts(root) == dict(Counter(leaves))
    assert diagrams.leaves(root) == set(leaves)


@given(tables, tables)
def test_equal_functions_are_the_same_number_and_others_are_not(
    one: list[int], other: list[int]
) -> None:
    diagrams = Diagrams(SIZES)

    assert (built(diagrams, one) == built(diagrams, other)) == (one == other)


@given(tables, tables)
def test_joining_combines_the_leaves_of_each_choice(
    one: list[int], other: list[int]
) -> None:
    diagrams = Diagrams(SIZES)

    root = diagrams.joined(
        built(diagrams, one), built(diagrams, other), lambda a, b: a * 3 + b
    )

    assert leaves_of(diagrams, root) == [
        a * 3 + b for a, b in zip(one, other, strict=True)
    ]


@given(tables, st.integers(0, 2), st.data())
def test_a_fact_that_is_given_a_value_makes_no_difference_any_more(
    leaves: list[int], level: int, data: st.DataObject
) -> None:
    diagrams = Diagrams(SIZES)
    value = data.draw(st.integers(0, SIZES[level] - 1))
    table = dict(zip(EVERY, leaves, strict=True))

    root = diagrams.at(built(diagrams, leaves), level, value)

    assert leaves_of(diagrams, root) == [
        table[(*values[:level], value, *values[level + 1 :])] for values in EVERY
    ]
    assert level not in diagrams.levels(root)


@given(tables, tables)
def test_tuples_name_the_leaves_that_meet(one: list[int], other: list[int]) -> None:
    diagrams = Diagrams(SIZES)

    root, found = diagrams.tuples(
        [built(diagrams, one), built(diagrams, other)], most=99
    )

    assert [found[place] for place in leaves_of(diagrams, root)] == list(
        zip(one, other, strict=True)
    )
    assert set(found) == set(zip(one, other, strict=True))


def test_more_tuples_than_are_looked_at_are_refused() -> None:
    diagrams = Diagrams(SIZES)
    root = built(diagrams, list(range(len(EVERY))))

    with pytest.raises(OverflowError, match="more than 5"):
        diagrams.tuples([root], most=5)


@given(tables, st.integers(0, 2))
def test_an_example_has_the_leaf_whatever_the_other_facts_are(
    leaves: list[int], wanted: int
) -> None:
    diagrams = Diagrams(SIZES)
    root = built(diagrams, leaves)

    found = diagrams.example(root, wanted)

    meant: Callable[[tuple[int, ...]], bool] = lambda values: all(  # noqa: E731
        values[level] == value for level, value in (found or {}).items()
    )
    assert (found is None) == (wanted not in leaves)
    if found is not None:
        assert {leaf for v, leaf in zip(EVERY, leaves, strict=True) if meant(v)} == {
            wanted
        }


@given(tables, st.integers(0, 2), st.integers(0, 99))
def test_choices_that_are_drawn_have_the_leaf_in_each_way_that_leads_to_it(
    leaves: list[int], wanted: int, seed: int
) -> None:
    diagrams = Diagrams(SIZES)
    root = built(diagrams, leaves)

    drawn = list(
        islice(diagrams.drawn(root, wanted, Random(seed), usual={0: 1, 2: 3}), 20)
    )

    shown = [tuple(found.get(level, 0) for level in range(3)) for found in drawn]
    assert len(drawn) == 20 * (wanted in leaves)
    assert {diagrams.value(root, values) for values in shown} <= {wanted}


def test_drawn_choices_are_as_usual_more_often_than_not_and_are_all_others_too() -> (
    None
):
    diagrams = Diagrams(SIZES)
    root = diagrams.among(2, [1, 2, 3])

    drawn = Counter(
        found[2]
        for found in islice(diagrams.drawn(root, 1, Random(0), usual={2: 3}), 300)
    )

    assert drawn[3] > 150
    assert drawn.keys() == {1, 2, 3}


def test_a_fact_has_one_of_some_values() -> None:
    diagrams = Diagrams(SIZES)

    assert leaves_of(diagrams, diagrams.among(1, [0, 2])) == [
        int(values[1] in {0, 2}) for values in EVERY
    ]
    assert diagrams.among(1, []) == diagrams.leaf(0)


@given(tables, tables, st.integers(0, 2))
def test_a_fact_selects_functions_that_look_at_facts_before_it(
    one: list[int], other: list[int], level: int
) -> None:
    diagrams = Diagrams(SIZES)
    first, second = built(diagrams, one), built(diagrams, other)
    every = (1 << SIZES[level]) - 1

    root = diagrams.selected(level, [(first, 1), (second, every & ~1)])

    assert leaves_of(diagrams, root) == [
        a if values[level] == 0 else b
        for values, a, b in zip(EVERY, one, other, strict=True)
    ]


@given(tables)
def test_a_function_of_some_facts_is_the_same_among_more(leaves: list[int]) -> None:
    diagrams, wider = Diagrams(SIZES), Diagrams((5, SIZES[0], SIZES[1], 7, SIZES[2]))
    root = built(diagrams, leaves)

    taken = wider.taken(root, diagrams, {0: 1, 1: 2, 2: 4}, lambda leaf: leaf + 10)

    found = [wider.value(taken, (4, one, two, 6, three)) for one, two, three in EVERY]
    assert found == [leaf + 10 for leaf in leaves]
    assert wider.levels(taken) <= {1, 2, 4}
