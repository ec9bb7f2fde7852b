"""Which span a caller was in: in the record of its decision, and in no question."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from guards import CN, FR, MESSAGES, TICKETS, guard_in
from integration.program import run
from offline import Upstream
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace import TracerProvider
from trails import entries

from policyguard import Guard, NotAllowed
from policyguard.audit.query import Question, ask
from policyguard.audit.reader import TrailReader
from policyguard.guard.asking import Asking
from policyguard.identity import new_id
from policyguard.vocabulary.record import DecisionRecord, Trace

TRACER = TracerProvider(shutdown_on_exit=False).get_tracer("application")


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Guard]:
    with guard_in(tmp_path) as made:
        yield made.bind(**TICKETS)


def here() -> Trace:
    """Return the span that the test is in."""
    span = trace.get_current_span().get_span_context()
    return Trace(
        trace_id=trace.format_trace_id(span.trace_id),
        span_id=trace.format_span_id(span.span_id),
    )


def call(guard: Guard, base: str = FR) -> None:
    guard.call(
        Upstream().client(base).chat.completions.create,
        model="glm-5.2",
        messages=MESSAGES,
    )


def decisions(guard: Guard) -> list[DecisionRecord]:
    return [
        record
        for entry in entries(guard.trail_directory)
        if isinstance(record := entry.record(), DecisionRecord)
    ]


def traces(guard: Guard) -> list[Trace | None]:
    return [record.trace for record in decisions(guard)]


def test_a_span_is_in_the_leaf_the_view_the_query_and_the_export(
    guard: Guard, tmp_path: Path
) -> None:
    with TRACER.start_as_current_span("handler"):
        known = here()
        call(guard)
    place = tmp_path / "trail"
    asked = Question(sql="SELECT trace_id FROM decisions")

    (leaf,) = (
        item.body for item in entries(place) if b'"kind":"decision"' in item.body
    )
    said = json.loads(
        run("audit", "show", "app-1:1", "--json", "--trail", place).stdout
    )
    shown = run("audit", "show", "app-1:1", "--trail", place).stdout
    found = ask(asked, reader=TrailReader.open(place)).rows
    events = tmp_path / "events"
    run("audit", "export", events, "--format", "opa", "--trail", place)
    (event,) = (
        json.loads(line)
        for path in events.iterdir()
        for line in path.read_text("utf-8").splitlines()
    )

    assert json.loads(leaf)["trace"] == known.model_dump()
    assert said["record"]["trace"] == known.model_dump()
    assert f"{known.trace_id} · {known.span_id}" in shown
    assert found == ((known.trace_id,),)
    assert (event["trace_id"], event["span_id"]) == (known.trace_id, known.span_id)


def test_who_is_in_no_span_that_counts_has_none_in_the_record(
    guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(trace.NonRecordingSpan):
        def get_span_context(self) -> Any:
            raise ZeroDivisionError

    call(guard)
    for span in (trace.INVALID_SPAN, Broken(trace.INVALID_SPAN_CONTEXT)):
        with trace.use_span(span):
            call(guard)
    with TRACER.start_as_current_span("handler"), monkeypatch.context() as patched:
        patched.delitem(sys.modules, "opentelemetry.trace")
        call(guard)

    assert traces(guard) == [None] * 4
    assert all(b'"trace"' not in entry.body for entry in entries(guard.trail_directory))


def test_each_task_has_the_span_that_it_asked_in(guard: Guard) -> None:
    known: list[Trace] = []

    async def one() -> None:
        with TRACER.start_as_current_span("task"):
            known.append(here())
            await guard.acall(
                Upstream().aclient(FR).chat.completions.create,
                model="glm-5.2",
                messages=MESSAGES,
            )

    async def main() -> None:
        await asyncio.gather(*(one() for _ in range(8)))

    asyncio.run(main())

    by_id = {item.trace_id: item for item in known}
    found = [item for item in traces(guard) if item is not None]
    assert {item.trace_id: item for item in found} == by_id
    assert len(found) == len(by_id) == 8


def test_a_thread_and_a_transport_of_a_loop_have_the_span_too(guard: Guard) -> None:
    known: list[Trace] = []
    client = Upstream().aclient(FR)
    guard.protect(client)

    async def main() -> None:
        with TRACER.start_as_current_span("request"):
            known.append(here())
            await client.chat.completions.create(model="glm-5.2", messages=MESSAGES)
        with TRACER.start_as_current_span("work"):
            known.append(here())
            await asyncio.to_thread(call, guard)

    asyncio.run(main())

    assert [item.layer for item in decisions(guard)] == ["http", "call"]
    assert traces(guard) == known


def test_the_span_is_that_of_the_question_wherever_it_is_answered(
    guard: Guard,
) -> None:
    with TRACER.start_as_current_span("asks"):
        known, asking = here(), Asking(call_id=new_id(), kind="check")
    with TRACER.start_as_current_span("answers"):
        guard.core.decide(guard.core.empty_question(), asking=asking)

    assert traces(guard) == [known]


def test_rules_are_asked_the_same_in_every_span_and_nothing_else_is_taken(
    guard: Guard,
) -> None:
    memo, misses = guard.core.policies.newest.memo, []
    token = context.attach(baggage.set_baggage("canary-key", "canary-value"))
    try:
        for _ in range(2):
            with (
                TRACER.start_as_current_span("canary-name", attributes={"canary": "x"}),
                pytest.raises(NotAllowed),
            ):
                call(guard, CN)
            misses.append(memo.use.misses)
    finally:
        context.detach(token)

    log = TrailReader.open(guard.trail_directory).logs[0]
    contents = [log.content(item.id) for item in decisions(guard)]
    vault = b"".join(item.body for item in contents if item is not None)
    told = vault + b"".join(entry.body for entry in log.entries())
    ids = {item.trace_id for item in traces(guard) if item is not None}
    assert (len(contents), len(ids), misses[1]) == (2, 2, misses[0])
    assert b"open.bigmodel.cn" in vault
    assert not any(name.encode() in vault for name in ids)
    assert not any(
        word in told for word in (b"canary-name", b"canary-key", b"canary-value")
    )
