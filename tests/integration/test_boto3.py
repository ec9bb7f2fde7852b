"""Bedrock behind a guard: each operation, refused without a byte, and how calls end."""

from __future__ import annotations

import asyncio
import gc
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError
from guards import TICKETS, guard_in
from integration.bedrock import Bedrock
from integration.loopback import Since
from integration.test_routing import BLOG

from policyguard import Guard, NotAllowed, PolicyDenied, context
from policyguard.errors import CannotProtect
from policyguard.guard import endings
from policyguard.integrations import boto3

EU = "eu.anthropic.claude-fable-5"
GLOBAL = "global.anthropic.claude-fable-5"
ARN = "arn:aws:bedrock:eu-central-1:1:inference-profile/eu.anthropic.claude-fable-5"
HOST = "bedrock-runtime.eu-central-1.amazonaws.com"
MESSAGES = [{"role": "user", "content": [{"text": "canary-prompt"}]}]
BODY = json.dumps({"messages": MESSAGES})
OPERATIONS: dict[str, dict[str, Any]] = {
    "converse": {"messages": MESSAGES},
    "converse_stream": {"messages": MESSAGES},
    "invoke_model": {"body": BODY},
    "invoke_model_with_response_stream": {"body": BODY},
}


@pytest.fixture
def server() -> Iterator[Bedrock]:
    with Bedrock() as running:
        yield running


@pytest.fixture
def guard(shared: Guard) -> Guard:
    return shared


def used(answer: dict[str, Any]) -> Any:
    """Read an answer to its end, whatever kind of answer it is."""
    if "stream" in answer:
        return list(answer["stream"])
    body = answer.get("body")
    if hasattr(body, "read"):
        return body.read()
    return list(body) if body is not None else answer["output"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_allowed_operation_goes_out_once_and_its_end_is_recorded(
    server: Bedrock, guard: Guard, trail: Since, operation: str
) -> None:
    client = server.client()
    blog = guard.bind(**BLOG)
    guard.protect(client)

    answer = blog.call(getattr(client, operation), modelId=EU, **OPERATIONS[operation])

    assert used(answer)
    assert server.hits == {HOST: 1}
    decision, _ = trail.records
    assert decision["deployments"] == ["claude-fable-5@bedrock-eu"]
    assert trail.endings == [("complete", None)]


@pytest.mark.parametrize(
    ("operation", "mode"),
    [
        *((name, "standard") for name in OPERATIONS),
        ("converse", "legacy"),
        ("converse_stream", "adaptive"),
    ],
)
def test_a_refused_operation_sends_nothing_and_is_asked_once(
    server: Bedrock, guard: Guard, trail: Since, operation: str, mode: str
) -> None:
    client = server.client(mode=mode)
    guard.bind(**TICKETS).protect(client)

    # If this fails, botocore has changed how an exception leaves `before-send`.
    with pytest.raises(PolicyDenied):
        getattr(client, operation)(modelId=GLOBAL, **OPERATIONS[operation])

    assert server.hits == {}
    assert trail.kinds == ["decision"]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_wrapper_alone_refuses_before_botocore_begins(
    server: Bedrock, guard: Guard, operation: str
) -> None:
    client = server.client()

    with pytest.raises(PolicyDenied, match="claude-fable-5"):
        guard.bind(**TICKETS).call(
            getattr(client, operation), modelId=GLOBAL, **OPERATIONS[operation]
        )

    assert server.hits == {}


def test_a_wrapper_alone_records_usage_and_hands_over_streams(
    server: Bedrock, guard: Guard, trail: Since
) -> None:
    client = server.client()
    blog = guard.bind(**BLOG)

    blog.call(client.converse, modelId=EU, messages=MESSAGES)
    used(blog.call(client.converse_stream, modelId=EU, messages=MESSAGES))

    outcomes = [item for item in trail.records if item["kind"] == "outcome"]
    assert [
        (item["outcome"], item["input_tokens"], item["output_tokens"])
        for item in outcomes
    ] == [("complete", 3, 5), ("delegated", None, None)]


def test_what_the_wrapper_allowed_is_refused_where_the_host_is_another(
    server: Bedrock, guard: Guard, trail: Since
) -> None:
    # Set behind the wrapper's back: what is sent is what counts.
    client = server.client()
    guard.protect(client)
    client.meta.events.register(
        "before-sign.bedrock-runtime", lambda request, **_: _move(request)
    )

    with pytest.raises(NotAllowed):
        guard.bind(**BLOG).call(client.converse, modelId=EU, messages=MESSAGES)

    first, second, outcome = trail.records
    assert server.hits == {}
    assert [first["verdict"], second["verdict"]] == ["allow", "require_approval"]
    assert first["call_id"] == second["call_id"]
    assert (outcome["decision"], outcome["outcome"]) == (first["id"], "error")


def _move(request: Any) -> None:
    request.url = request.url.replace(HOST, "llm.unknown.example")


def _move_to_china(request: Any, **_: Any) -> None:
    request.url = request.url.replace("eu-central-1", "cn-north-1")


def _name_another_host(request: Any, **_: Any) -> None:
    request.headers["Host"] = "llm.unknown.example"


def _fall_back(request: Any, **_: Any) -> None:
    request.body = b'{"fallbacks": ["other"]}'.ljust(len(request.body))


def _compress(request: Any, **_: Any) -> None:
    request.headers["Content-Encoding"] = "gzip"


@pytest.mark.parametrize(
    "change", [_move_to_china, _name_another_host, _fall_back, _compress]
)
@pytest.mark.parametrize("event", ["before-send", "before-send.bedrock-runtime"])
def test_what_is_changed_after_the_guard_was_asked_is_asked_about_again(
    server: Bedrock, guard: Guard, trail: Since, change: Any, event: str
) -> None:
    client = server.client()
    client.meta.events.register(event, change)
    guard.protect(client)

    with pytest.raises(NotAllowed):
        guard.bind(**BLOG).call(client.converse, modelId=EU, messages=MESSAGES)

    assert server.hits == {}
    assert trail.verdicts == ["allow", "require_approval"]
    assert trail.endings == [("error", "ChangedError")]


def test_what_is_changed_into_what_is_allowed_is_sent_once(
    server: Bedrock, guard: Guard, trail: Since
) -> None:
    client = server.client()
    guard.bind(**BLOG).protect(client)

    def rewrite(request: Any, **_: Any) -> None:
        request.body = request.body.replace(b"canary", b"finch_")

    client.meta.events.register("before-send", rewrite)
    client.converse(modelId=EU, messages=MESSAGES)

    assert server.hits == {HOST: 1}
    assert trail.verdicts == ["allow", "allow"]
    assert trail.endings == [("error", "ChangedError"), ("complete", None)]


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ("converse", {"modelId": ARN, "messages": MESSAGES}),
        ("invoke_model", {"modelId": EU, "body": b'{"a": 1, "a": 2}'}),
        ("invoke_model", {"modelId": EU, "body": b"\x00not json"}),
        ("invoke_model", {"modelId": EU, "body": '{"fallbacks": ["other"]}'}),
        (
            "start_async_invoke",
            {
                "modelId": EU,
                "modelInput": {},
                "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "s3://bucket/a"}},
            },
        ),
    ],
    ids=["arn", "key_twice", "no_json", "fallbacks", "asynchronous"],
)
def test_what_is_not_plain_to_see_is_not_sent(
    server: Bedrock, guard: Guard, operation: str, more: dict[str, Any]
) -> None:
    client = server.client()
    guard.bind(**BLOG).protect(client)

    with pytest.raises(NotAllowed):
        getattr(client, operation)(**more)

    assert server.hits == {}


def test_each_attempt_is_asked_about_under_the_same_call(
    server: Bedrock, guard: Guard, trail: Since
) -> None:
    client = server.client()
    guard.protect(client)
    server.failures = [503]

    guard.bind(**BLOG).call(client.converse, modelId=EU, messages=MESSAGES)

    decisions = [item for item in trail.records if item["kind"] == "decision"]
    assert server.hits == {HOST: 2}
    assert [item["attempt"] for item in decisions] == [0, 1]
    assert len({item["call_id"] for item in decisions}) == 1
    assert trail.endings == [("error", "RetriedError"), ("complete", None)]


def test_an_answer_that_is_an_error_is_one(
    server: Bedrock, guard: Guard, trail: Since
) -> None:
    client = server.client()
    guard.bind(**BLOG).protect(client)
    server.failures = [400]

    with pytest.raises(ClientError):
        client.converse(modelId=EU, messages=MESSAGES)

    (outcome,) = [item for item in trail.records if item["kind"] == "outcome"]
    assert (outcome["outcome"], outcome["status"]) == ("error", 400)


def test_a_stream_that_is_closed_early_is_abandoned(
    server: Bedrock, guard: Guard, trail: Since
) -> None:
    client = server.client()
    guard.bind(**BLOG).protect(client)

    stream = client.converse_stream(modelId=EU, messages=MESSAGES)["stream"]
    next(iter(stream))
    stream.close()

    assert trail.endings == [("abandoned", None)]


def test_a_stream_that_is_forgotten_is_abandoned(
    server: Bedrock, guard: Guard, trail: Since
) -> None:
    client = server.client()
    guard.bind(**BLOG).protect(client)

    with warnings.catch_warnings():
        # The socket is forgotten with the stream, of which Python warns.
        warnings.simplefilter("ignore", ResourceWarning)
        client.converse_stream(modelId=EU, messages=MESSAGES)
        gc.collect()
        assert trail.endings == []  # the collector may run while the trail is locked

    endings.flush()
    assert trail.endings == [("abandoned", None)]


def test_a_stream_that_breaks_off_is_an_error(
    server: Bedrock, guard: Guard, trail: Since
) -> None:
    client = server.client()
    guard.bind(**BLOG).protect(client)
    server.cut = True

    stream = client.converse_stream(modelId=EU, messages=MESSAGES)["stream"]
    with pytest.raises(Exception, match=r"ended prematurely|Connection broken"):
        list(stream)

    ((word, error),) = trail.endings
    assert (word, error is not None) == ("error", True)


def test_an_answer_read_in_pieces_is_complete_at_its_end(
    server: Bedrock, guard: Guard, trail: Since
) -> None:
    client = server.client()
    guard.bind(**BLOG).protect(client)

    body = client.invoke_model(modelId=EU, body=BODY)["body"]
    assert b"".join(body.iter_chunks(4)) == b'{"content": "hello"}'

    assert trail.endings == [("complete", None)]


@pytest.mark.parametrize(
    ("operation", "model"),
    [
        ("converse_stream", None),
        ("invoke_model_with_response_stream", "claude-fable-5"),
    ],
)
def test_a_stream_says_in_its_last_events_what_it_used_and_who_answered(
    server: Bedrock, guard: Guard, trail: Since, operation: str, model: str | None
) -> None:
    client = server.client()
    guard.bind(**BLOG).protect(client)

    used(getattr(client, operation)(modelId=EU, **OPERATIONS[operation]))

    outcome = trail.records[-1]
    names = ("served_model", "input_tokens", "output_tokens", "deviations")
    assert [outcome[name] for name in names] == [model, 3, 5, []]


def test_more_output_than_the_call_allowed_is_a_deviation(
    server: Bedrock, guard: Guard, trail: Since
) -> None:
    client = server.client()
    guard.bind(**BLOG).protect(client)
    used(
        client.converse_stream(
            modelId=EU, messages=MESSAGES, inferenceConfig={"maxTokens": 4}
        )
    )

    assert trail.records[-1]["deviations"] == ["usage"]


def test_facts_of_a_block_reach_a_call_that_nobody_wrapped(
    server: Bedrock, guard: Guard
) -> None:
    client = server.client()
    guard.protect(client)

    with context(**BLOG):
        client.converse(modelId=EU, messages=MESSAGES)
    with pytest.raises(NotAllowed):
        client.converse(modelId=EU, messages=MESSAGES)

    assert server.hits == {HOST: 1}


def test_protecting_twice_asks_once_and_two_guards_are_refused(
    server: Bedrock, guard: Guard, trail: Since, tmp_path: Path
) -> None:
    client = server.client()
    blog = guard.bind(**BLOG)
    blog.protect(client)
    blog.protect(client)
    client.converse(modelId=EU, messages=MESSAGES)

    assert boto3.guard_of(client) is blog
    assert trail.kinds == ["decision", "outcome"]
    with (
        guard_in(tmp_path / "other") as other,
        pytest.raises(CannotProtect, match="another guard"),
    ):
        other.protect(client)


@pytest.mark.parametrize("service", ["bedrock", "bedrock-agent-runtime", "s3"])
def test_clients_of_other_services_are_refused(
    server: Bedrock, guard: Guard, service: str
) -> None:
    with pytest.raises(CannotProtect, match=f"client of `{service}`"):
        guard.protect(server.client(service=service))


def test_an_asynchronous_client_is_refused_and_its_calls_are_asked_about(
    server: Bedrock, guard: Guard, trail: Since
) -> None:
    """As aiobotocore makes them, whose methods are botocore's."""
    client = server.client()
    plain = type(client)._make_api_call

    class Asynchronous(type(client)):  # type: ignore[misc]
        async def _make_api_call(self, *args: Any) -> Any:
            return plain(self, *args)

    client.__class__ = Asynchronous
    with pytest.raises(CannotProtect, match=r"guard\.acall"):
        guard.protect(client)
    blog = guard.bind(**BLOG)

    answer = asyncio.run(blog.acall(client.converse, modelId=EU, messages=MESSAGES))
    with pytest.raises(PolicyDenied):
        asyncio.run(
            guard.bind(**TICKETS).acall(
                client.converse, modelId=GLOBAL, messages=MESSAGES
            )
        )

    assert answer["usage"]["outputTokens"] == 5
    assert server.hits == {HOST: 1}
    assert trail.verdicts == ["allow", "deny"]
    assert trail.endings == [("complete", None)]


def test_a_trail_that_cannot_be_written_sends_nothing(
    server: Bedrock, tmp_path: Path
) -> None:
    client = server.client()
    with guard_in(tmp_path) as guard:
        guard.bind(**BLOG).protect(client)

    with pytest.raises(NotAllowed, match=r"trail\.not_durable"):
        client.converse(modelId=EU, messages=MESSAGES)

    assert server.hits == {}


def test_every_operation_that_takes_a_model_is_one_that_we_have_looked_at() -> None:
    """If botocore gains one, look at how it names its model before you extend this."""
    model = botocore.session.get_session().get_service_model("bedrock-runtime")
    shapes = {
        name: model.operation_model(name).input_shape for name in model.operation_names
    }
    taking = {
        name for name, shape in shapes.items() if shape and "modelId" in shape.members
    }

    # The oldest that is supported counts no tokens.
    assert taking | {"CountTokens"} == {
        "Converse",
        "ConverseStream",
        "CountTokens",
        "InvokeModel",
        "InvokeModelWithBidirectionalStream",
        "InvokeModelWithResponseStream",
        "StartAsyncInvoke",
    }
