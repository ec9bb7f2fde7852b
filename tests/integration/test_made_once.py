"""What is made once and put together is what would be made anew and validated."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import httpx2
import pytest
from guards import CN, FR, MESSAGES, SUMMER, TICKETS, guard_in, settings
from offline import Upstream

from policyguard import Guard, PolicyDenied
from policyguard.catalog.endpoints import endpoint_of
from policyguard.guard.answers import Committing
from policyguard.guard.describe import Described, Observed
from policyguard.guard.facts import NOTHING, Facts, facts_of
from policyguard.guard.meaning import MOST_WORDS, Meanings
from policyguard.identity import new_id, record_time
from policyguard.integrations import wire_envelope
from policyguard.integrations.wire_envelope import Around, around_of
from policyguard.integrations.wire_stream import Watch
from policyguard.vocabulary.call import ModelCall
from policyguard.vocabulary.decision import Decision

ASKED = Described(model="glm-5.2", host="api.scaleway.ai", path="/v1/chat/completions")
BERLIN = timezone(timedelta(hours=2))


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Guard]:
    with guard_in(tmp_path) as made:
        yield made


def question(guard: Guard, described: Described = ASKED) -> ModelCall:
    return guard.core.question(described=described, facts=facts_of(**TICKETS))


@pytest.mark.parametrize("host", ["api.scaleway.ai", "open.bigmodel.cn", "no.example"])
def test_questions_and_decisions_are_as_validation_would_leave_them(
    guard: Guard, host: str
) -> None:
    put = question(guard, Described(model="glm-5.2", host=host, path=ASKED.path))
    decision = guard.check(put)

    assert ModelCall.model_validate(put.__dict__) == put
    assert put.__dict__.keys() == ModelCall.model_fields.keys()
    assert Decision.model_validate(decision.__dict__) == decision
    assert decision.__dict__.keys() == Decision.model_fields.keys()


def test_an_instant_of_another_clock_is_brought_to_utc(tmp_path: Path) -> None:
    instants = [SUMMER.astimezone(BERLIN), SUMMER.replace(tzinfo=None)]
    with Guard(settings=settings(tmp_path), clock=lambda: instants[0]) as guard:
        at = question(guard).at
        del instants[0]
        client = guard.protect(Upstream().client(FR))
        with pytest.raises(Exception, match=r"guard\.question"):
            guard.bind(**TICKETS).call(
                client.chat.completions.create, model="glm-5.2", messages=MESSAGES
            )

    assert (at, at.tzinfo) == (SUMMER, UTC)


def test_the_same_words_have_the_same_meaning_and_others_their_own(
    guard: Guard,
) -> None:
    meanings = Meanings(guard.core.catalog)
    opaque = Described(model="glm-5.2", host=ASKED.host, path=ASKED.path, opaque=True)
    elsewhere = Described(model="glm-5.2", host="open.bigmodel.cn", path=ASKED.path)
    long = Described(model="glm-5.2" * 40, host=ASKED.host, path=ASKED.path)

    found = [meanings.of(item) for item in (ASKED, opaque, elsewhere, long)]

    assert meanings.of(Described(**vars_of(ASKED))) is found[0]
    assert found[0].model == "glm-5.2"
    assert [item.asked.opaque for item in found] == [False, True, False, False]
    assert found[0].route == found[1].route != found[2].route
    assert (found[3].asked.model, found[3].model) == (None, None)


def test_words_are_remembered_up_to_a_number(guard: Guard) -> None:
    meanings = Meanings(guard.core.catalog)

    for number in range(MOST_WORDS + 1):
        meanings.of(Described(model=f"m{number}", host=ASKED.host))

    assert len(meanings._known) == 1


@pytest.mark.parametrize(
    ("longest", "longer"),
    [
        ({"model": "m" * 256}, {"model": "m" * 257}),
        ({"path": "/" + "p" * 1_023}, {"path": "/" + "p" * 1_024}),
    ],
)
def test_nothing_is_remembered_that_is_longer_than_words_are(
    guard: Guard, longest: dict[str, str], longer: dict[str, str]
) -> None:
    meanings = Meanings(guard.core.catalog)
    before = meanings.of(ASKED)

    kept = meanings.of(replace(ASKED, **longest))
    passed = [meanings.of(replace(ASKED, **longer)) for _ in range(2)]

    assert passed[0] == passed[1]
    assert list(meanings._known.values()) == [before, kept]


@pytest.mark.parametrize("module", [httpx, httpx2])
def test_what_is_long_around_a_body_is_read_and_not_remembered(module: Any) -> None:
    def ask(path: str, **headers: str) -> Around:
        url = f"https://api.scaleway.ai{path}"
        return around_of(module.Request("POST", url, headers=headers))

    wire_envelope._around.cache_clear()
    endpoint_of.cache_clear()
    charset = "a" * 1_025
    long = [
        ask("/" + "p" * 1_024),
        ask("/v1", **{"content-type": f"text/plain; charset={charset}"}),
        ask("/v1", host="h" * 1_025),
    ]
    short = ask("/v1", host="api.scaleway.ai")

    assert [(item.path[:3], item.host, item.unreadable) for item in (*long, short)] == [
        ("/pp", "api.scaleway.ai", ""),
        ("/v1", "api.scaleway.ai", "its body is in another character set than UTF-8"),
        ("/v1", None, ""),
        ("/v1", "api.scaleway.ai", ""),
    ]
    assert wire_envelope._around.cache_info().currsize == 1
    assert endpoint_of.cache_info().currsize == 1
    assert ask("/v1", host="api.scaleway.ai") is short


def test_facts_over_the_same_facts_are_the_same() -> None:
    above, below = facts_of(caller="alice"), facts_of(caller="bob", purpose="embed")

    assert above.over(below) is above.over(below)
    assert above.over(below) == facts_of(caller="alice", purpose="embed")
    assert above.over(facts_of(exporter="DE")) == facts_of(
        caller="alice", exporter="DE"
    )
    assert (above.over(NOTHING), NOTHING.over(below)) == (above, below)
    assert Facts() == NOTHING


def test_a_long_answer_is_read_at_once_and_a_short_one_with_its_record() -> None:
    seen = []
    for text in ("short", "x" * (64 << 10)):
        watch = Watch(
            {"content-type": "application/json"},
            committing=Committing(new_id()),
            record=lambda word, error, said: seen.append((word, error, said)),
        )
        usage = {"completion_tokens": 5}
        watch.feed(json.dumps({"id": text, "model": "m", "usage": usage}).encode())
        watch.exhausted()
        watch.closed()

    (_, _, short), (_, _, long) = seen
    # What was read is one value; what is still to be read is made when it is asked for.
    assert [short() is short(), long() is long()] == [False, True]
    assert [(it.served_model, it.output_tokens) for it in (short(), long())] == [
        ("m", 5),
        ("m", 5),
    ]
    assert {word for word, *_ in seen} == {"complete"}
    assert isinstance(short(), Observed)


def test_what_passes_after_the_end_is_not_in_what_is_recorded() -> None:
    decision, seen = new_id(), []
    watch = Watch(
        {"content-type": "application/json"},
        committing=Committing(decision),
        record=lambda word, error, said: seen.append(said),
    )
    watch.feed(b'{"model": "m"}')
    watch.closed()
    watch.feed(b"more")
    expected = Committing(decision)
    expected.feed(b'{"model": "m"}')

    assert [said().answer for said in seen] == [expected.commitment()]


def test_ids_are_of_version_7_and_times_in_utc() -> None:
    made = [new_id() for _ in range(100)]

    assert [str(UUID(item)) for item in made] == made
    assert {UUID(item).version for item in made} == {7}
    assert {UUID(item).variant for item in made} == {"specified in RFC 4122"}
    assert len(set(made)) == len(made)
    at = datetime(2026, 7, 10, 14, 0, 0, 5, tzinfo=BERLIN)
    assert record_time(at) == "2026-07-10T12:00:00.000005Z"


def test_a_refused_call_of_a_bound_guard_does_not_become_the_next_ones(
    guard: Guard,
) -> None:
    upstream = Upstream()
    bound = guard.bind(**TICKETS)
    said: list[Any] = []

    for base in (FR, CN, FR, CN):
        client = bound.protect(upstream.client(base))
        try:
            bound.call(
                client.chat.completions.create, model="glm-5.2", messages=MESSAGES
            )
            said.append("sent")
        except PolicyDenied as denied:
            said.append(denied.decision.verdict)

    assert said == ["sent", "deny", "sent", "deny"]
    assert upstream.hosts == ["api.scaleway.ai", "api.scaleway.ai"]


def vars_of(described: Described) -> dict[str, Any]:
    """Return the fields of a description."""
    return {name: getattr(described, name) for name in described.__slots__}
