from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from policyguard.errors import ConfigurationError
from policyguard.guard.facts import Facts, context, context_facts, facts_of
from policyguard.vocabulary.call import Caller, DataFacts, Exporter, Purpose


def test_short_forms_stand_for_whole_groups() -> None:
    declared = facts_of(caller="alice", purpose="inference", exporter="DE")

    assert declared == Facts(
        caller=Caller(id="alice"),
        purpose=Purpose(kind="inference"),
        exporter=Exporter(establishment="DE"),
    )


def test_the_order_of_classes_is_no_fact() -> None:
    one = facts_of(data={"classes": ["pii", "health"], "subjects": ["FR", "DE", "FR"]})

    assert one.data == DataFacts(classes=("health", "pii"), subjects=("DE", "FR"))


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"data": {"clases": ["pii"]}}, "`data.clases`"),
        ({"data": {"classes": ["secret"]}}, "`data.classes.0`"),
        ({"data": {"classes": []}}, "`data.classes`"),
        ({"data": "pii"}, "give a mapping"),
        ({"caller": 7}, "give a mapping"),
        ({"caller": ""}, "`caller.id`"),
        ({"purpose": "fun"}, "`purpose.kind`"),
        ({"exporter": "Germany"}, "`exporter.establishment`"),
        (
            {"exporter": "EL"},
            "`exporter.establishment`: `EL` is no country's code: write `GR`",
        ),
        (
            {"data": {"subjects": ["DE", "UK"]}},
            "`data.subjects.1`: `UK` is no country's code: write `GB`",
        ),
        (
            {"context": {"state_body": "US-TEX"}},
            "`context.state_body`: `US` has no such subdivision",
        ),
    ],
)
def test_a_wrong_fact_is_named(wrong: dict[str, object], why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        facts_of(**wrong)  # type: ignore[arg-type]


def test_an_inner_block_wins_group_by_group_and_ends() -> None:
    with context(caller="alice", purpose="inference"):
        with context(purpose="embed"):
            inner = context_facts()
        outer = context_facts()

    assert inner == facts_of(caller="alice", purpose="embed")
    assert outer == facts_of(caller="alice", purpose="inference")
    assert context_facts() == Facts()


def test_a_block_follows_tasks_but_not_a_bare_executor() -> None:
    async def read() -> Facts:
        return await asyncio.create_task(asyncio.to_thread(context_facts))

    with context(caller="alice"):
        in_task = asyncio.run(read())
        with ThreadPoolExecutor(1) as pool:
            in_thread = pool.submit(context_facts).result()

    assert in_task == facts_of(caller="alice")
    assert in_thread == Facts()


def test_a_block_in_a_generator_counts_for_whoever_resumes_it_until_it_ends() -> None:
    """Python's own rule for context variables; the how-to says so."""

    def parts() -> Iterator[Facts]:
        with context(caller="alice"):
            yield context_facts()

    async def aparts() -> AsyncIterator[Facts]:
        with context(caller="alice"):
            yield context_facts()

    async def first() -> tuple[Facts, Facts, Facts]:
        made = aparts()
        inside, between = await anext(made), context_facts()
        assert [item async for item in made] == []
        return inside, between, context_facts()

    made = parts()
    inside, between = next(made), context_facts()
    assert list(made) == []
    alice = facts_of(caller="alice")

    assert (inside, between, context_facts()) == (alice, alice, Facts())
    assert asyncio.run(first()) == (alice, alice, Facts())


def test_what_is_declared_in_the_same_words_is_the_same_value() -> None:
    def declared(**data: object) -> Facts:
        return facts_of(
            caller="a", data=data, purpose="train", context={"dod_contract": True}
        )

    first, again = declared(classes=["pii"]), declared(classes=["pii"])
    other = declared(classes=["health"])

    assert [
        getattr(first, name) is getattr(again, name)
        for name in ("caller", "data", "purpose", "context")
    ] == [True] * 4
    assert other.data != first.data
    assert facts_of(purpose={"kind": "train"}).purpose == first.purpose


def test_people_and_what_is_no_json_are_told_apart() -> None:
    declared = [
        facts_of(data={"classes": ("pii",), "persons": {"US": [name]}}) for name in "ab"
    ]

    assert declared[0].data is declared[1].data
    assert declared[0].persons != declared[1].persons
    assert facts_of(data={"classes": frozenset({"pii"})}).data == declared[0].data
