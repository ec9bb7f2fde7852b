"""Many questions at once: the same answers and records, in few commits."""

from __future__ import annotations

from pathlib import Path

from guards import CN, FR, SUMMER, TICKETS, guard_in

from policyguard import Guard, ModelCall
from policyguard.audit.reader import TrailReader
from policyguard.audit.verify import verify_trail
from policyguard.guard.describe import Described
from policyguard.guard.facts import facts_of


def questions(guard: Guard, count: int) -> list[ModelCall]:
    hosts = [FR.split("/")[2], CN.split("/")[2]]
    facts = facts_of(**TICKETS)
    return [
        guard.core.question(
            described=Described(model="glm-5.2", host=hosts[index % 2]), facts=facts
        )
        for index in range(count)
    ]


def test_each_question_gets_the_answer_that_it_gets_alone(tmp_path: Path) -> None:
    with guard_in(tmp_path) as guard:
        asked = questions(guard, 4)
        alone = [guard.check(call) for call in asked]
        together = guard.check_many(asked)

    assert [(item.verdict, item.findings, item.call) for item in together] == [
        (item.verdict, item.findings, item.call) for item in alone
    ]
    assert [item.verdict for item in together] == ["allow", "deny", "allow", "deny"]
    assert {item.simulated for item in together} == {True}


def test_records_stand_in_order_under_few_checkpoints(tmp_path: Path) -> None:
    with guard_in(tmp_path) as guard:
        before = verify_trail(tmp_path / "trail").checkpoints
        decisions = guard.check_many(questions(guard, 300))

    (log,) = TrailReader.open(tmp_path / "trail").logs
    ids = [entry.record().id for entry in log.entries() if entry.index > 0]
    assert ids == [item.id for item in decisions]
    assert [item.record.index for item in decisions if item.record] == [*range(1, 301)]
    assert verify_trail(tmp_path / "trail").checkpoints - before <= 2


def test_what_cannot_be_recorded_is_not_allowed(tmp_path: Path) -> None:
    guard = guard_in(tmp_path)
    asked = questions(guard, 3)
    guard.close()

    decisions = guard.check_many(asked)
    assert [(item.verdict, item.code, item.record) for item in decisions] == [
        ("deny", "trail.not_durable", None)
    ] * 3


def test_one_that_makes_no_record_does_not_spoil_the_others(tmp_path: Path) -> None:
    with guard_in(tmp_path) as guard:
        first, second = questions(guard, 2)
        huge = first.model_copy(update={"route": ("x" * 128,) * 600})
        decisions = guard.check_many([first, huge, second])

    assert [item.code for item in decisions] == [None, "trail.not_durable", None]
    assert [item.record.index for item in decisions if item.record] == [1, 2]


def test_no_question_makes_no_record(tmp_path: Path) -> None:
    with guard_in(tmp_path, at=SUMMER) as guard:
        assert guard.check_many([]) == ()

    (log,) = TrailReader.open(tmp_path / "trail").logs
    assert len(list(log.entries())) == 1
