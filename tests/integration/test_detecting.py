"""Undeclared data: joined or refused, by the wrapper and at the wire, and never kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from guards import FR, SUMMER, TICKETS, settings
from offline import Upstream

from policyguard import DataFacts, Guard, NoDecision, NotAllowed
from policyguard.guard.detecting import joined, look
from policyguard.guard.facts import Facts
from policyguard.settings import DetectionSettings
from policyguard.vocabulary.call import ExportControl
from policyguard.vocabulary.found import Found

CANARY = "canary.person@acme.example"
CARD = "4111 1111 1111 1111"
PLAIN: dict[str, Any] = {**TICKETS, "data": {"classes": ["none"]}}


def guard_with(folder: Path, undeclared: Any) -> Guard:
    known = settings(folder)
    detection = DetectionSettings(undeclared=undeclared)
    return Guard(
        settings=known.model_copy(update={"detection": detection}),
        clock=lambda: SUMMER,
    )


@pytest.fixture(scope="module", params=["off", "join", "refuse"])
def guard(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Guard]]:
    folder = tmp_path_factory.mktemp(request.param)
    with guard_with(folder, request.param) as made:
        yield request.param, made.bind(**PLAIN)


def ask(guard: Guard, text: str, upstream: Upstream, *, protect: bool = False) -> Any:
    client = upstream.client(FR)
    messages: Any = [{"role": "user", "content": text}]
    if protect:
        guard.protect(client)
        return client.chat.completions.create(model="glm-5.2", messages=messages)
    return guard.call(
        client.chat.completions.create, model="glm-5.2", messages=messages
    )


def test_what_is_declared_rightly_goes_out(guard: tuple[str, Guard]) -> None:
    upstream = Upstream()

    ask(guard[1], "write a haiku", upstream)
    ask(guard[1].bind(data=TICKETS["data"]), f"answer {CANARY}", upstream)

    assert upstream.hosts == ["api.scaleway.ai"] * 2


def test_personal_data_that_was_declared_as_none_is_judged_or_refused(
    guard: tuple[str, Guard],
) -> None:
    mode, bound = guard
    upstream = Upstream()
    if mode == "off":
        ask(bound, f"answer {CANARY}", upstream)
        assert upstream.hosts == ["api.scaleway.ai"]
        return

    with pytest.raises(NotAllowed) as caught:
        ask(bound, f"answer {CANARY}", upstream)

    decision = caught.value.decision
    assert upstream.hosts == []
    assert decision.call.data.classes == ("pii",)
    assert decision.found == Found.model_validate(
        {
            "complete": True,
            "kinds": [{"kind": "email", "count": 1}],
            "undeclared": ["pii"],
        }
    )
    assert (decision.code == "guard.undeclared") == (mode == "refuse")
    assert "canary.person" not in str(caught.value)
    assert CANARY not in decision.model_dump_json()


def test_a_protected_client_is_searched_too(guard: tuple[str, Guard]) -> None:
    mode, bound = guard
    upstream = Upstream()
    if mode == "off":
        ask(bound, f"answer {CANARY}", upstream, protect=True)
        return

    with pytest.raises(Exception, match="not allowed"):
        ask(bound, f"answer {CANARY}", upstream, protect=True)

    assert upstream.hosts == []


def test_wrapper_and_wire_agree_so_that_one_decision_is_made(
    guard: tuple[str, Guard],
) -> None:
    mode, bound = guard
    upstream = Upstream()
    client = bound.protect(upstream.client(FR))
    declared = ["none"] if mode == "join" else ["pii"]
    known = bound.bind(data={"classes": declared, "subjects": ["DE"]})
    before = records(bound)

    known.call(
        client.chat.completions.create,
        model="glm-5.2",
        messages=[{"role": "user", "content": f"answer {CANARY}"}],
    )

    made = [item for item in records(bound)[len(before) :] if "verdict" in item]
    assert [(item["verdict"], item["data_classes"]) for item in made] == [
        ("allow", ["pii"])
    ]


def records(guard: Guard) -> list[Any]:
    guard.core.trail.flush()
    from policyguard.audit.reader import TrailReader

    (log,) = TrailReader.open(guard.trail_directory).logs
    return [json.loads(entry.body) for entry in log.entries()]


def test_a_text_that_is_too_large_makes_the_classes_unknown(
    guard: tuple[str, Guard],
) -> None:
    mode, bound = guard
    upstream = Upstream()
    text = "word " * 50_000
    if mode == "off":
        ask(bound, text, upstream)
        return

    with pytest.raises(NotAllowed) as caught:
        ask(bound, text, upstream)

    decision = caught.value.decision
    assert upstream.hosts == []
    assert (decision.call.data.classes, decision.found) == (None, Found(complete=False))
    assert any("data.classes" in item.missing for item in decision.findings)


def test_a_decorated_function_is_searched_by_its_arguments(
    guard: tuple[str, Guard],
) -> None:
    mode, bound = guard
    ran: list[str] = []

    @bound.guarded(model="glm-5.2", host="api.scaleway.ai")
    def reply(text: str) -> None:
        ran.append(text)

    reply("write a haiku")
    if mode != "off":
        with pytest.raises(NotAllowed):
            reply(f"charge {CANARY}")

    assert ran == ["write a haiku"]


def test_no_file_of_the_trail_has_what_was_found(guard: tuple[str, Guard]) -> None:
    mode, bound = guard
    upstream = Upstream()
    if mode != "off":
        with pytest.raises(NotAllowed):
            ask(bound, f"answer {CANARY}", upstream)
    bound.core.trail.flush()

    kept = [path for path in bound.trail_directory.rglob("*") if path.is_file()]

    assert kept
    assert [path for path in kept if b"canary.person" in path.read_bytes()] == []


def test_a_refusal_says_what_and_not_which(tmp_path: Path) -> None:
    upstream = Upstream()
    with guard_with(tmp_path, "refuse") as guard, pytest.raises(NoDecision) as caught:
        ask(guard.bind(**PLAIN), f"{CANARY} {CARD} EAR99", upstream)

    assert caught.value.decision.detail == (
        "what is sent seems to hold financial, pii, technical data (email 1x, card 1x,"
        " ear99 1x), which is not declared: declare it, or leave it out"
    )


def test_decision_trail_and_refusal_name_what_was_not_declared(tmp_path: Path) -> None:
    upstream = Upstream()
    with guard_with(tmp_path, "join") as guard:
        bound = guard.bind(**{**PLAIN, "exporter": "DE"})
        with pytest.raises(NotAllowed) as caught:
            ask(bound, CANARY, upstream)
        leaf = records(guard)[-1]

    decision = caught.value.decision
    (finding,) = [item for item in decision.findings if item.id == "FACT-08"]
    assert upstream.hosts == []
    assert (finding.effect, finding.facts["data.undeclared"]) == ("advise", ["pii"])
    assert [item["effect"] for item in leaf["rules"] if item["id"] == "FACT-08"] == [
        "advise"
    ]
    assert "  found        pii data, which was not declared (email 1x)" in str(
        caught.value
    )
    assert "canary" not in str(caught.value)


def data(**more: Any) -> Facts:
    return Facts(data=DataFacts.model_validate(more))


def joined_classes(declared: list[str] | None, content: str) -> tuple[str, ...] | None:
    facts = data(classes=declared) if declared else data()
    found = look(json.dumps(content).encode(), declared=facts.data)
    after = joined(facts, found).data
    assert after is not None
    return after.classes


@pytest.mark.parametrize(
    ("declared", "content", "after"),
    [
        (["none"], "nothing", ("none",)),
        (["none"], CANARY, ("pii",)),
        (["public"], CANARY, ("pii", "public")),
        (["pii"], CANARY, ("pii",)),
        (["health", "pii"], CANARY, ("health", "pii")),
        (["pii"], f"{CANARY} {CARD}", ("financial", "pii")),
        (["pii"], "nothing", ("pii",)),
        (None, CANARY, None),
        (None, "nothing", None),
    ],
)
def test_what_is_found_only_adds(
    declared: list[str] | None, content: str, after: tuple[str, ...] | None
) -> None:
    assert joined_classes(declared, content) == after


@pytest.mark.parametrize(
    ("content", "itar", "classification"),
    [
        ("ITAR controlled", None, "EAR99"),
        ("ECCN 3E001", False, None),
        ("EAR99", False, "EAR99"),
        ("nothing", False, "EAR99"),
    ],
)
def test_a_marking_that_contradicts_makes_unknown(
    content: str, itar: bool | None, classification: str | None
) -> None:
    facts = data(classes=["technical"], itar=False, ear={"classification": "EAR99"})
    found = look(json.dumps(content).encode(), declared=facts.data)

    after = joined(facts, found).data

    assert after is not None
    assert (after.itar, after.ear) == (
        itar,
        ExportControl(classification=classification),
    )


@pytest.mark.parametrize("content", [None, b"{", b"\xff", b"[" * 200, b" " * 900_000])
def test_what_cannot_be_read_is_not_searched(content: bytes | None) -> None:
    assert look(content, declared=None) == Found(complete=False)


def test_an_empty_body_has_nothing_in_it() -> None:
    assert look(b"", declared=None) == Found(complete=True)
