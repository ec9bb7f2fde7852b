"""Approvals in the guard: what they let through once, and what they never do."""

from __future__ import annotations

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from approving import ALICE, BOB, approve_all, line, refused_call, with_people
from guards import CN, FR, MESSAGES, NOWHERE, SUMMER, TICKETS
from integration.loopback import remembered
from offline import Upstream

from policyguard import ApprovalRequired, Guard, NotAllowed, PolicyDenied
from policyguard.audit.vault_reading import read_content
from policyguard.audit.verify import verify_trail
from policyguard.errors import TrailError
from policyguard.identity import new_id


@pytest.fixture
def guard(tmp_path: Path):
    with Guard(settings=with_people(tmp_path), clock=lambda: SUMMER) as made:
        yield made


@pytest.fixture
def client():
    return Upstream().client(NOWHERE)


def call(guard: Guard, client: Any, *, model: str = "glm-5.2", **facts: Any) -> Any:
    bound = guard.bind(**{**TICKETS, **facts})
    return bound.call(client.chat.completions.create, model=model, messages=MESSAGES)


def later(guard: Guard, instant: datetime) -> Guard:
    return Guard.of_core(replace(guard.core, clock=lambda: instant))


def test_an_approved_call_is_made_once_and_its_record_names_the_approval(
    guard: Guard, client: Any
) -> None:
    (given,) = approve_all(guard, refused_call(guard, client))

    reply = call(guard, client)

    assert reply.choices[0].message.content == "hello"
    record = _decisions(guard)[-1]
    softened = [rule["softened"] for rule in record["rules"] if rule["softened"]]
    assert record["verdict"] == "allow"
    assert softened == [
        [{"by": "approval", "id": given.id, "effect": "require_approval"}]
    ]
    with pytest.raises(ApprovalRequired):
        call(guard, client)


def test_the_recorded_question_holds_the_approval_and_replays_to_the_same_answer(
    guard: Guard, client: Any
) -> None:
    (given,) = approve_all(guard, refused_call(guard, client))
    call(guard, client)
    guard.core.trail.flush()

    record = _decisions(guard)[-1]
    vault = next(guard.trail_directory.glob("logs/*/vault.sqlite"))
    (sealed,) = read_content(vault, record=record["id"])
    question = json.loads(sealed.body)["input"]
    again = guard.core.snapshot.evaluate(json.dumps(question).encode())

    assert [item["id"] for item in question["approvals"]] == [given.id]
    assert again["verdict"] == "allow"


@pytest.mark.parametrize(
    ("changes", "facts", "model"),
    [
        ({}, {"caller": "carol@acme.example"}, "glm-5.2"),
        ({}, {"data": {"classes": ["health", "pii"], "subjects": ["DE"]}}, "glm-5.2"),
        ({}, {"purpose": "evaluate"}, "glm-5.2"),
        ({}, {}, "kimi-k2"),
        ({"rule": "FACT-01"}, {}, "glm-5.2"),
        ({"tenant": "other"}, {}, "glm-5.2"),
        ({"bundle": "ab" * 32}, {}, "glm-5.2"),
        ({"asked_host": "other.example"}, {}, "glm-5.2"),
        ({"route": ("glm-5.2@fra-1",)}, {}, "glm-5.2"),
        ({"msg": "something else"}, {}, "glm-5.2"),
        ({"missing": ("data.itar",)}, {}, "glm-5.2"),
        ({"since": SUMMER + timedelta(seconds=1)}, {}, "glm-5.2"),
        ({"until": SUMMER}, {}, "glm-5.2"),
        ({"until": SUMMER - timedelta(seconds=1)}, {}, "glm-5.2"),
    ],
)
def test_an_approval_of_something_else_lifts_nothing(
    guard: Guard,
    client: Any,
    changes: dict[str, Any],
    facts: dict[str, Any],
    model: str,
) -> None:
    approve_all(guard, refused_call(guard, client), **changes)

    with pytest.raises(NotAllowed):
        call(guard, client, model=model, **facts)
    assert [item.used for item in _listing(guard)] == [0]


def test_an_approval_holds_until_the_instant_of_its_end(
    guard: Guard, client: Any
) -> None:
    end = SUMMER + timedelta(days=1)
    approve_all(guard, refused_call(guard, client), until=end, uses=9)

    call(later(guard, end - timedelta(microseconds=1)), client)

    with pytest.raises(ApprovalRequired):
        call(later(guard, end), client)


def test_another_host_is_another_call(guard: Guard, client: Any) -> None:
    approve_all(guard, refused_call(guard, client))
    other = Upstream().client("https://llm.other.example/v1")

    with pytest.raises(ApprovalRequired):
        call(guard, other)


def test_whoever_asks_cannot_have_approved(tmp_path: Path, client: Any) -> None:
    settings = with_people(tmp_path, line(BOB), line(ALICE))
    with Guard(settings=settings, clock=lambda: SUMMER) as guard:
        decision = refused_call(guard, client)
        (by_bob,) = approve_all(guard, decision)
        leave = guard.core.leave
        assert leave is not None
        leave.approvals.take([by_bob])
        own = {"id": new_id(), "approver": ALICE.key_name}
        leave.approvals.keep(
            leave.approvals.sign(by_bob.model_copy(update=own), signer=ALICE)
        )

        with pytest.raises(ApprovalRequired):
            call(guard, client)

        assert [item.used for item in _listing(guard)] == [1, 0]


def test_an_undeclared_caller_has_no_approvals(guard: Guard, client: Any) -> None:
    approve_all(guard, refused_call(guard, client))
    facts = {name: value for name, value in TICKETS.items() if name != "caller"}

    with pytest.raises(ApprovalRequired):
        guard.bind(**facts).call(
            client.chat.completions.create, model="glm-5.2", messages=MESSAGES
        )


def test_no_approval_lifts_a_denial(guard: Guard) -> None:
    upstream = Upstream()
    client = upstream.client(CN)
    with pytest.raises(PolicyDenied) as caught:
        call(guard, client)
    decision = caught.value.decision
    leave = guard.core.leave
    assert leave is not None
    asking = decision.model_copy(
        update={
            "findings": tuple(
                item.model_copy(update={"effect": "require_approval"})
                for item in decision.findings
            )
        }
    )
    approve_all(guard, asking)

    with pytest.raises(PolicyDenied):
        call(guard, client)

    assert upstream.hosts == []


def test_what_a_caller_puts_among_the_approvals_is_dropped(
    guard: Guard, client: Any
) -> None:
    decision = refused_call(guard, client)
    (given,) = approve_all(guard, decision)
    leave = guard.core.leave
    assert leave is not None
    leave.approvals.take([given])
    forged = decision.call.model_copy(update={"approvals": (given,)})

    answer = guard.check(forged)

    assert answer.verdict == "require_approval"
    assert answer.call.approvals == ()


def test_a_check_shows_what_would_be_and_takes_no_use(
    guard: Guard, client: Any
) -> None:
    decision = refused_call(guard, client)
    approve_all(guard, decision)

    answers = [guard.check(decision.call).verdict for _ in range(3)]

    assert answers == ["allow"] * 3
    assert [item.used for item in _listing(guard)] == [0]


def test_calls_at_once_get_no_use_too_many(guard: Guard, client: Any) -> None:
    approve_all(guard, refused_call(guard, client), uses=4)

    def made(_: int) -> bool:
        try:
            call(guard, client)
        except ApprovalRequired:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(made, range(12)))

    assert results.count(True) == 4


def test_wrapper_and_transport_of_one_call_take_one_use(
    guard: Guard, client: Any
) -> None:
    approve_all(guard, refused_call(guard, client), uses=2)
    guard.protect(client)

    call(guard, client)

    assert [item.used for item in _listing(guard)] == [1]


def test_a_damaged_store_leaves_the_call_waiting_for_approval(
    guard: Guard, client: Any
) -> None:
    approve_all(guard, refused_call(guard, client))
    (guard.trail_directory / "approvals.sqlite").write_bytes(b"damaged" * 999)

    with pytest.raises(ApprovalRequired):
        call(guard, client)


def test_lost_approvals_leave_what_needs_one_waiting_and_let_nothing_more_be_approved(
    guard: Guard, client: Any
) -> None:
    refused = refused_call(guard, client)
    approve_all(guard, refused)
    file = guard.trail_directory / "approvals.sqlite"
    file.rename(file.with_name("backup"))

    with pytest.raises(ApprovalRequired) as raised:
        call(guard, client)
    with pytest.raises(TrailError, match=r"approvals.sqlite` is missing: restore"):
        approve_all(guard, raised.value.decision)
    file.with_name("backup").rename(file)

    assert call(guard, client).choices[0].message.content == "hello"


def test_a_use_that_nobody_could_keep_is_no_use(guard: Guard, client: Any) -> None:
    (given,) = approve_all(guard, refused_call(guard, client))
    with (
        closing(sqlite3.connect(guard.trail_directory / "approvals.sqlite")) as raw,
        raw,
    ):
        raw.execute(
            "CREATE TRIGGER full BEFORE UPDATE ON approval"
            " BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
    raw.close()

    with pytest.raises(ApprovalRequired):
        call(guard, client)
    assert given.uses == 1


def test_an_allowed_call_is_not_slowed_by_a_look_at_approvals(
    guard: Guard,
) -> None:
    client = Upstream().client(FR)

    call(guard, client)

    assert not (guard.trail_directory / "approvals.sqlite").exists()


def test_a_trail_with_approvals_verifies(guard: Guard, client: Any) -> None:
    approve_all(guard, refused_call(guard, client))
    call(guard, client)
    guard.core.trail.flush()

    assert verify_trail(guard.trail_directory).erased == 0


def _decisions(guard: Guard) -> list[dict[str, Any]]:
    return [item for item in remembered(guard) if item["kind"] == "decision"]


def _listing(guard: Guard) -> list[Any]:
    leave = guard.core.leave
    assert leave is not None
    return list(leave.approvals.listing())
