"""What can be watched: every name has a value, and no output has what a client typed."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from time import time_ns
from typing import Any

import prometheus_client
import pytest
import structlog
from guards import CN, FR, MESSAGES, NOWHERE, TICKETS, guard_in
from offline import Upstream
from opentelemetry import baggage
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from policyguard import Guard, NotAllowed
from policyguard.errors import ConfigurationError
from policyguard.guard.signals import ATTRIBUTES, INSTRUMENTS, PULLED, SPAN
from policyguard.guard.watching import operation_in
from policyguard.integrations import otel, prometheus
from policyguard.integrations import structlog as events

TYPED = f"{NOWHERE.rsplit('/', 1)[0]}/canary-path/v1"


class Watched:
    """Is a guard that everybody watches, and all that they were told."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self.exporter = InMemorySpanExporter()
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader], shutdown_on_exit=False)
        self.registry = prometheus_client.CollectorRegistry()
        self.logged: list[dict[str, Any]] = []
        otel.watch(guard, tracer_provider=self.tracers, meter_provider=self.meters)
        prometheus.watch(guard, registry=self.registry)
        events.watch(guard, logger=self.logger())

    def logger(self) -> Any:
        def keep(_logger: Any, _method: str, event: dict[str, Any]) -> Any:
            self.logged.append(dict(event))
            raise structlog.DropEvent

        return structlog.wrap_logger(None, processors=[events.add_decision, keep])

    @property
    def spans(self) -> list[Any]:
        return list(self.exporter.get_finished_spans())

    def points(self, name: str) -> list[Any]:
        """Return the data points of one instrument of OpenTelemetry."""
        return [
            point
            for resource in self._collected()
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]

    def scrape(self) -> str:
        return prometheus_client.generate_latest(self.registry).decode()

    def metric(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)

    def all_that_was_told(self) -> str:
        spans = [span.to_json() for span in self.spans]
        return "\n".join(
            [*spans, repr(self._collected()), self.scrape(), repr(self.logged)]
        )

    def names(self) -> set[str]:
        return {
            metric.name
            for resource in self._collected()
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def _collected(self) -> list[Any]:
        data = self.reader.get_metrics_data()
        return [] if data is None else list(data.resource_metrics)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with guard_in(tmp_path) as guard:
        yield Watched(guard)


def ask(guard: Guard, client: Any, **more: Any) -> Any:
    given = {"model": "glm-5.2", "messages": MESSAGES, **more}
    return guard.call(client.chat.completions.create, **given)


def test_a_refusal_is_a_span_with_the_names_of_the_conventions(
    watched: Watched,
) -> None:
    begun = time_ns()
    with pytest.raises(NotAllowed) as caught:
        ask(watched.guard.bind(**TICKETS), Upstream().client(CN))

    (span,) = watched.spans
    decision = caught.value.decision
    assert (span.name, span.status.is_unset) == (SPAN, True)
    assert dict(span.attributes) == {
        "gen_ai.provider.name": "zhipu-bigmodel",
        "gen_ai.request.model": "glm-5.2",
        "server.address": "open.bigmodel.cn",
        "policyguard.decision.id": decision.id,
        "policyguard.call.id": decision.call_id,
        "policyguard.verdict": "deny",
        "policyguard.enforced": True,
        "policyguard.kind": "decision",
        "policyguard.layer": "call",
        "policyguard.attempt": 0,
        "policyguard.deployment": "glm-5.2@open.bigmodel.cn",
        "policyguard.rules": ("GDPR-01", "GDPR-04"),
        "policyguard.bundle.revision": decision.bundle.revision,
    }
    # Its length is measured by another clock.
    assert begun - 10**6 < span.start_time < span.end_time <= time_ns()


def test_a_span_hangs_under_the_callers_own(watched: Watched) -> None:
    tracer = watched.tracers.get_tracer("application")
    with tracer.start_as_current_span("handler") as parent:
        ask(watched.guard.bind(**TICKETS), Upstream().client(FR))

    child = next(span for span in watched.spans if span.name == SPAN)
    assert child.parent is not None
    assert child.parent.span_id == parent.get_span_context().span_id


def test_the_transport_says_which_operation_it_saw(watched: Watched) -> None:
    client = Upstream().client(FR)
    watched.guard.bind(**TICKETS).protect(client)
    client.chat.completions.create(model="glm-5.2", messages=MESSAGES)

    (span,) = watched.spans
    assert span.attributes["policyguard.layer"] == "http"
    assert span.attributes["gen_ai.operation.name"] == "chat"


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        ("/v1/chat/completions", "chat"),
        ("/v1/completions/", "text_completion"),
        ("/v1/embeddings", "embeddings"),
        ("/v1/messages", "chat"),
        ("/v1/responses", "chat"),
        ("/model/anthropic.claude/converse", "chat"),
        ("/model/anthropic.claude/converse-stream", "chat"),
        ("/v1beta/models/gemini:generateContent", "generate_content"),
        ("/v1beta/models/gemini:streamGenerateContent", "generate_content"),
        ("/canary-path/v1", None),
        ("", None),
    ],
)
def test_an_operation_is_read_from_the_url_or_not_said(
    path: str, operation: str | None
) -> None:
    assert operation_in(path) == operation


def test_metrics_count_decisions_rules_unknown_facts_outcomes_and_tokens(
    watched: Watched,
) -> None:
    support = watched.guard.bind(**TICKETS)
    ask(support, Upstream().client(FR))
    for _ in range(2):
        with pytest.raises(NotAllowed):
            ask(support, Upstream().client(CN))
    with pytest.raises(NotAllowed):
        ask(watched.guard, Upstream().client(FR))

    allowed = {"verdict": "allow", "code": "", "layer": "call", "enforced": "true"}
    denied = {**allowed, "verdict": "deny"}
    named = {"gen_ai_request_model": "glm-5.2", "gen_ai_provider_name": "scaleway"}
    read = watched.metric
    assert read("policyguard_decisions_total", **allowed) == 1
    assert read("policyguard_decisions_total", **denied) == 2
    assert read("policyguard_objections_total", rule="GDPR-01", effect="deny") == 2
    assert read("policyguard_unknown_facts_total", fact="data.classes") == 1
    assert read("policyguard_outcomes_total", outcome="complete") == 1
    assert read("policyguard_decision_duration_seconds_count", layer="call") == 4
    assert read("policyguard_trail_durable_wait_seconds_count") == 4
    assert (
        read("gen_ai_client_token_usage_tokens_sum", gen_ai_token_type="input", **named)
        == 3
    )
    assert (
        read("gen_ai_client_operation_duration_seconds_count", error_type="", **named)
        == 1
    )
    assert read("policyguard_trail_queue") in {0, 1}
    use = watched.guard.core.policies.newest.memo.use
    assert read("policyguard_memo_hits_total") == use.hits
    assert read("policyguard_memo_misses_total") == use.misses
    assert use.hits > 0
    bundle, catalog = watched.guard.core.bundle, watched.guard.core.catalog
    assert (
        read("policyguard_policy", revision=bundle.revision, catalog=catalog.version)
        == 1
    )


def test_opentelemetry_has_the_numbers_of_prometheus(watched: Watched) -> None:
    support = watched.guard.bind(**TICKETS)
    ask(support, Upstream().client(FR))
    with pytest.raises(NotAllowed):
        ask(support, Upstream().client(CN))

    found = {
        point.attributes["policyguard.verdict"]: point.value
        for point in watched.points("policyguard.decisions")
    }
    (hits,) = watched.points("policyguard.memo.hits")
    tokens = {
        point.attributes["gen_ai.token.type"]: point.sum
        for point in watched.points("gen_ai.client.token.usage")
    }
    assert found == {"allow": 1, "deny": 1}
    # A label that says nothing is left out.
    assert {
        name
        for point in watched.points("policyguard.decisions")
        for name in point.attributes
    } == {"policyguard.verdict", "policyguard.layer", "policyguard.enforced"}
    assert hits.value == watched.guard.core.policies.newest.memo.use.hits
    assert tokens == {"input": 3, "output": 5}


def test_every_name_of_the_reference_is_given(watched: Watched) -> None:
    ask(watched.guard.bind(**TICKETS), Upstream().client(FR))
    with pytest.raises(NotAllowed):
        ask(watched.guard, Upstream().client(FR))

    scraped = set(re.findall(r"^# HELP (\S+)", watched.scrape(), re.MULTILINE))
    assert watched.names() == {item.name for item in INSTRUMENTS}
    assert {name.removesuffix("_total") for name in prometheus.names()} == {
        name.removesuffix("_total") for name in scraped if "created" not in name
    }
    seen = {name for span in watched.spans for name in span.attributes}
    assert seen <= set(ATTRIBUTES)


def test_events_have_the_ids_and_bind_them_inside_a_call(watched: Watched) -> None:
    application = watched.logger()

    def handler(request: Any) -> Any:
        application.info("request.sent")
        return original(request)

    upstream = Upstream()
    original = upstream.__call__
    client = upstream.client(FR)
    client._client._transport.handler = handler
    ask(watched.guard.bind(**TICKETS), client)
    application.info("after")

    decided, inside, ended, after = watched.logged
    assert decided["event"] == events.DECISION
    assert (inside["event"], inside["decision_id"], inside["call_id"]) == (
        "request.sent",
        decided["decision_id"],
        decided["call_id"],
    )
    assert (ended["event"], ended["outcome"]) == (events.OUTCOME, "complete")
    assert ended["decision_id"] == decided["decision_id"]
    assert after == {"event": "after"}


def test_nothing_that_was_typed_is_told_to_anybody(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="policyguard")
    upstream, guard = Upstream(), watched.guard.bind(**TICKETS)
    typed = upstream.client(TYPED)
    ask(guard, upstream.client(FR))
    list(ask(guard, upstream.client(FR), stream=True))
    protected = upstream.client(FR)
    guard.protect(protected)
    protected.chat.completions.create(model="glm-5.2", messages=MESSAGES)
    moving = guard.bind(on_deny="reroute", clients=[upstream.client(FR)])
    ask(moving, upstream.client(CN))
    guard.route("canary-model")
    for more in ({}, {"model": "canary-model"}, {"user": "canary-user"}):
        with pytest.raises(NotAllowed):
            ask(guard, typed, **more)
    upstream.answer = _fail
    with pytest.raises(ZeroDivisionError):
        ask(guard, upstream.client(FR))
    guard.core.trail.close()
    with pytest.raises(NotAllowed):
        ask(guard, upstream.client(FR))

    told = watched.all_that_was_told() + caplog.text
    assert "canary" in str(MESSAGES) + str(TICKETS) + TYPED
    assert "canary" not in told
    assert "llm.unknown.example" not in told
    assert baggage.get_all() == {}
    # All of it happened: told is not merely empty.
    for word in (
        "GDPR-01", "complete", "reroute", "trail.not_durable", "ZeroDivisionError",
    ):  # fmt: skip
        assert word in told


def _fail(_: Any) -> Any:
    raise ZeroDivisionError("canary-secret")


def test_a_watcher_that_fails_changes_no_call_and_is_named_once(
    watched: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing:
        name = "the failing one"

        def decided(self, event: Any) -> None:
            raise ZeroDivisionError("canary")

        def ended(self, event: Any) -> None:
            raise ZeroDivisionError("canary")

    watched.guard.core.watching.add(Failing())
    support, upstream = watched.guard.bind(**TICKETS), Upstream()
    for _ in range(2):
        ask(support, upstream.client(FR))

    failures = [line for line in caplog.text.splitlines() if "watcher.failed" in line]
    assert upstream.hosts == ["api.scaleway.ai"] * 2
    assert len(failures) == 1
    assert "the failing one" in failures[0]
    assert "canary" not in failures[0]


def test_a_guard_is_watched_once_by_each(watched: Watched, tmp_path: Path) -> None:
    bound = watched.guard.bind(caller="bob")
    with pytest.raises(ConfigurationError, match="OpenTelemetry watches this guard"):
        otel.watch(bound, meter_provider=watched.meters)
    with pytest.raises(ConfigurationError, match="structlog watches this guard"):
        events.watch(bound)
    with (
        guard_in(tmp_path / "other") as other,
        pytest.raises(ConfigurationError, match="the registry has metrics"),
    ):
        prometheus.watch(other, registry=watched.registry)


def test_a_closed_and_forgotten_guard_gives_no_readings(tmp_path: Path) -> None:
    registry = prometheus_client.CollectorRegistry()
    with guard_in(tmp_path) as guard:
        prometheus.watch(guard, registry=registry)
        assert registry.get_sample_value("policyguard_trail_queue") == 0
    del guard

    assert registry.get_sample_value("policyguard_trail_queue") is None


def test_without_watchers_a_decision_asks_nobody(tmp_path: Path) -> None:
    with guard_in(tmp_path) as guard:
        ask(guard.bind(**TICKETS), Upstream().client(FR))

        assert guard.core.watching.watchers == ()


def test_what_is_pulled_is_no_part_of_a_decision() -> None:
    assert {item.name for item in PULLED} == {
        "policyguard.memo.hits",
        "policyguard.memo.misses",
        "policyguard.memo.entries",
        "policyguard.engine.compared",
        "policyguard.engine.differed",
        "policyguard.trail.queue",
        "policyguard.policy",
    }
