"""The smallest changes that flip a decision are the smallest, and all of them."""

from __future__ import annotations

import itertools
from functools import cache
from typing import Any

import orjson
import pytest
from integration.program import CALL, DENIED
from unit.testing.test_compare import shipped

from policyguard.errors import ConfigurationError
from policyguard.testing.answers import Asker
from policyguard.testing.choosing import Ground
from policyguard.testing.whatif import moves_of, what_if
from policyguard.vocabulary.call import ModelCall

FEW = ("deployment", "tenant.contracts.dpa", "tenant.contracts.sub_processors", "data.itar")  # fmt: skip


BARE = {
    name: value
    for name, value in CALL.items()
    if name not in {"context", "exporter", "tenant"}
} | {"tenant": {"id": "acme"}}
"""Says so little that ten rules object."""
SAID = ("exporter.establishment", "exporter.article_3", "context.dod_contract", "context.state_body")  # fmt: skip


def call_of(document: dict[str, Any]) -> ModelCall:
    return ModelCall.model_validate_json(orjson.dumps(document))


def broken(**contract: object) -> ModelCall:
    (signed,) = CALL["tenant"]["contracts"]
    tenant = {**CALL["tenant"], "contracts": [{**signed, **contract}]}
    return call_of({**CALL, "tenant": tenant})


@cache
def by_brute_force(call: ModelCall) -> tuple[int, frozenset[frozenset[str]]]:
    """Ask about every change, the small ones first."""
    ground, asker = Ground.of(shipped(), call), Asker(shipped())
    moves = tuple(moves_of(ground, FEW))
    for weight in (1, 2, 3):
        found = set()
        for count in range(1, weight + 1):
            for chosen in itertools.combinations(moves, count):
                facts = [move.fact for move in chosen]
                if len(set(facts)) < count or sum(m.weight for m in chosen) != weight:
                    continue
                asked = ground.apply(*(move.setting for move in chosen))
                if asker.ask(asked).verdict == "allow":
                    found.add(frozenset(f"{m.fact}={m.setting.label}" for m in chosen))
        if found:
            return weight, frozenset(found)
    return 0, frozenset()


@pytest.mark.parametrize(
    "call",
    [
        call_of(DENIED),
        broken(dpa=False, sub_processors=False),
        broken(training=True),
    ],
    ids=["denied", "two faults", "nothing helps"],
)
def test_the_search_finds_what_asking_about_every_change_finds(call: ModelCall) -> None:
    found = what_if(shipped(), call, mutable=FEW)

    changes = frozenset(
        frozenset(f"{name}={value}" for name, value in change.facts.items())
        for change in found.changes
    )
    assert (found.size, changes) == by_brute_force(call)


def test_ten_objections_are_answered_by_the_few_facts_that_all_of_them_read() -> None:
    call = call_of(BARE)
    ground, asker = Ground.of(shipped(), call), Asker(shipped())
    by_fact = {fact: list(moves_of(ground, [fact])) for fact in SAID}

    found = what_if(shipped(), call, mutable=SAID, most_facts=4, most=4_000)

    allowed = set()
    for chosen in itertools.product(*((None, *moves) for moves in by_fact.values())):
        changed = [move for move in chosen if move is not None]
        asked = ground.apply(*(move.setting for move in changed))
        if asker.ask(asked).verdict == "allow":
            allowed.add(frozenset((m.fact, m.setting.label) for m in changed))
    smallest = min(map(len, allowed))
    assert len(found.answer.rules) == 10
    assert found.size == smallest == 4
    assert {frozenset(change.facts.items()) for change in found.changes} == {
        change for change in allowed if len(change) == smallest
    }


def test_what_is_shown_is_a_whole_evaluation_of_the_changed_call() -> None:
    (change,) = what_if(shipped(), call_of(DENIED)).changes

    assert dict(change.facts) == {"deployment": "glm-5.2@api.scaleway.ai"}
    assert Asker(shipped()).ask(change.call) == change.answer
    assert (change.answer.verdict, change.answer.obligations) == ("allow", ("GDPR-01",))


def test_who_asks_and_what_is_sent_may_not_change_unless_that_is_declared() -> None:
    usual = what_if(shipped(), call_of(DENIED), most_facts=1)
    declared = what_if(shipped(), call_of(DENIED), mutable=["data.classes"])

    assert not any(name.startswith(("caller", "data", "at")) for name in usual.mutable)
    assert {"data.classes"} == {name for c in declared.changes for name in c.facts}


def test_a_contract_that_is_signed_is_with_who_runs_the_deployment() -> None:
    ground = Ground.of(shipped(), call_of(DENIED))
    (setting,) = ground.axis("tenant.contracts.dpa=true").settings

    contracts = ground.apply(setting)["tenant"]["contracts"]

    assert [(item["operator"], item["dpa"]) for item in contracts] == [
        ("scaleway", True),
        ("zhipu-bigmodel", True),
    ]
    assert contracts[1]["sub_processors"] is None


def test_an_allowed_call_is_shown_what_would_stop_it() -> None:
    found = what_if(shipped(), call_of(CALL), mutable=["tenant.contracts.*"])

    assert found.wanted == ("require_approval", "unavailable", "deny")
    assert {"tenant.contracts.dpa": "false"} in [dict(c.facts) for c in found.changes]


def test_a_search_that_is_too_long_says_how_far_it_came() -> None:
    found = what_if(shipped(), broken(training=True), mutable=["tenant.*"], most=30)

    assert (found.changes, found.size) == ((), 0)
    assert found.searched < 3


def test_what_cannot_be_asked_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"no fact is named `caller\.nmae`"):
        what_if(shipped(), call_of(CALL), mutable=["caller.nmae"])
    with pytest.raises(ConfigurationError, match="has the verdict `allow` already"):
        what_if(shipped(), call_of(CALL), to="allow")
