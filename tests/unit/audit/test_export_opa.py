"""Events of OPA's decision log: its field names, and nothing that is masked."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from trails import CALLER, decision

from policyguard.audit.export.http_sink import ATTEMPTS, MOST_EVENTS, HttpSink
from policyguard.audit.export.opa_events import event_of, require_pointers
from policyguard.audit.reader import Entry, TrailReader
from policyguard.audit.trail import Trail
from policyguard.errors import ConfigurationError, TrailError
from policyguard.vocabulary.record import DecisionRecord, Trace

INPUT: dict[str, Any] = {
    "at": "2026-07-10T12:00:00Z",
    "caller": {"citizenships": ["FR"]},
    "asked": {"model": "canary-typed", "host": "x"},
    "data": {"classes": ["pii"], "ear": {"evidence": "canary-text"}},
    "model": "glm-5.2",
    "route": ["a", "b"],
}
# https://www.openpolicyagent.org/docs/management-decision-logs
FIELDS = {
    "labels", "decision_id", "trace_id", "span_id", "bundles", "path", "query", "input",
    "result", "requested_by", "timestamp", "metrics", "erased", "masked", "req_id",
}  # fmt: skip


@pytest.fixture
def found(tmp_path: Path) -> tuple[Entry, DecisionRecord]:
    trail = Trail.create(tmp_path / "trail", name="acme.example")
    rule = {"id": "GDPR-01", "effect": "deny", "status": "in_force", "verified": True}
    fields = decision(verdict="deny", rules=[rule])
    trail.append_decision(fields, caller=CALLER, content={"input": INPUT})
    trail.close()
    entry = TrailReader.open(tmp_path / "trail").logs[0].find("1")
    assert entry is not None
    record = entry.record()
    assert isinstance(record, DecisionRecord)
    return entry, record


def test_an_event_has_the_names_that_opa_gives(
    found: tuple[Entry, DecisionRecord],
) -> None:
    entry, record = found

    event = event_of(entry, record, content={"input": INPUT})

    assert event.keys() <= FIELDS
    assert event["decision_id"] == record.id
    assert event["labels"]["id"] == "acme.example/app-1"
    assert event["labels"]["entry"] == "1"
    assert event["bundles"] == {"policyguard": {"revision": "1"}}
    assert event["requested_by"] == record.caller
    assert event["result"] == {
        "verdict": "deny",
        "code": None,
        "rules": [{"id": "GDPR-01", "effect": "deny", "status": "in_force"}],
        "obligations": [],
    }


def test_an_event_has_the_span_that_the_caller_was_in(
    found: tuple[Entry, DecisionRecord],
) -> None:
    entry, record = found
    trace = Trace(trace_id="ab" * 16, span_id="cd" * 8)
    traced = record.model_copy(update={"trace": trace})

    event = event_of(entry, traced, content=None)

    assert event == {**event_of(entry, record, content=None), **trace.model_dump()}
    assert event.keys() <= FIELDS


def test_who_asked_and_what_was_typed_is_left_out_and_named(
    found: tuple[Entry, DecisionRecord],
) -> None:
    event = event_of(*found, content={"input": INPUT})

    text = json.dumps(event)
    assert event["erased"] == [
        "/input/asked",
        "/input/caller",
        "/input/data/ear/evidence",
    ]
    assert event["input"]["data"] == {"classes": ["pii"], "ear": {}}
    assert "canary" not in text
    assert INPUT["caller"] == {"citizenships": ["FR"]}, "the content is left as it was"


def test_without_a_mask_nothing_is_left_out(
    found: tuple[Entry, DecisionRecord],
) -> None:
    event = event_of(*found, content={"input": INPUT}, mask=())

    assert event["input"] == INPUT
    assert "erased" not in event


def test_erased_content_is_named_as_erased(found: tuple[Entry, DecisionRecord]) -> None:
    event = event_of(*found, content=None)

    assert event["erased"] == ["/input"]
    assert "input" not in event


@pytest.mark.parametrize(
    ("pointer", "left"),
    [
        ("/input", None),
        (
            "/input/model",
            {key: value for key, value in INPUT.items() if key != "model"},
        ),
        ("/input/route/0", {**INPUT, "route": [None, "b"]}),
        ("/input/route/7", INPUT),
        ("/input/nothing/at/all", INPUT),
    ],
)
def test_a_pointer_takes_out_what_it_points_to(
    found: tuple[Entry, DecisionRecord], pointer: str, left: object
) -> None:
    event = event_of(*found, content={"input": INPUT}, mask=[pointer])

    assert event.get("input") == left
    assert event.get("erased", []) == ([] if left == INPUT else [pointer])


@pytest.mark.parametrize(
    "pointer", ["", "input", "/labels", "/decision_id/x", "//input"]
)
def test_only_input_and_result_are_masked(pointer: str) -> None:
    with pytest.raises(ConfigurationError, match="no pointer"):
        require_pointers([pointer])


class Collector:
    """Is a server that takes events, after answers that it was told to give first."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.batches: list[list[dict[str, Any]]] = []
        self.headers: list[dict[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.headers.append(dict(self.headers))
                answer = outer.answers.pop(0) if outer.answers else 204
                if answer == 204:
                    outer.batches.append(json.loads(gzip.decompress(body)))
                self.send_response(answer)
                if answer == 302:
                    self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/logs?x=1"

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def collectors() -> Iterator[list[Collector]]:
    made: list[Collector] = []
    yield made
    for item in made:
        item.close()


def send(collector: Collector, events: list[dict[str, Any]], **more: Any) -> list[int]:
    sink = HttpSink(url=collector.url, pause=lambda _: None, **more)
    return list(sink.send(events))


def test_events_are_sent_in_gzip_batches(collectors: list[Collector]) -> None:
    collectors.append(collector := Collector())
    events = [{"n": number} for number in range(MOST_EVENTS + 1)]

    taken = send(collector, events, token="secret")

    assert taken == [MOST_EVENTS, MOST_EVENTS + 1]
    assert [event for batch in collector.batches for event in batch] == events
    assert collector.headers[0]["Content-Encoding"] == "gzip"
    assert collector.headers[0]["Authorization"] == "Bearer secret"
    assert "secret" not in repr(HttpSink(url=collector.url, token="secret"))


def test_a_large_batch_is_divided(collectors: list[Collector]) -> None:
    collectors.append(collector := Collector())

    send(collector, [{"x": "y" * 400_000}] * 5)

    assert [len(batch) for batch in collector.batches] == [2, 2, 1]


def test_a_busy_collector_is_asked_again(collectors: list[Collector]) -> None:
    collectors.append(collector := Collector(503, 429))

    assert send(collector, [{"n": 1}]) == [1]
    assert collector.batches == [[{"n": 1}]]


@pytest.mark.parametrize(
    ("answers", "asked"),
    [([500] * 9, ATTEMPTS), ([401], 1), ([404], 1), ([302], 1)],
)
def test_a_collector_that_refuses_is_not_asked_for_ever(
    collectors: list[Collector], answers: list[int], asked: int
) -> None:
    collectors.append(collector := Collector(*answers))

    with pytest.raises(TrailError, match=str(answers[0])):
        send(collector, [{"n": 1}])

    assert len(collector.headers) == asked
    assert collector.batches == []


def test_a_collector_that_is_not_there_is_said_to_be() -> None:
    pauses: list[float] = []
    sink = HttpSink(url="http://127.0.0.1:1/logs", pause=pauses.append)

    with pytest.raises(TrailError, match="takes no events"):
        list(sink.send([{"n": 1}]))

    assert pauses == [0.5, 1.0, 2.0, 4.0]


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x/y",
        "https://",
        "x",
        "http://collector.example/logs",
        "https://user:secret@collector.example/",
        "https://x:port/",
        "https://[x/",
    ],
)
def test_records_go_to_no_such_address(url: str) -> None:
    with pytest.raises(ConfigurationError):
        HttpSink(url=url)
