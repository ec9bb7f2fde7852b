"""What the real `openai` SDK lets a caller change past `model=` and `base_url=`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from guards import CN, FR, MESSAGES, TICKETS, guard_in
from integration.clients import sync_client
from integration.loopback import Loopback

from policyguard import Guard, NotAllowed, PolicyDenied

FR_HOST = "api.scaleway.ai"
CN_HOST = "open.bigmodel.cn"
ASK: dict[str, Any] = {"model": "glm-5.2", "messages": MESSAGES}


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Guard]:
    with guard_in(tmp_path) as made:
        yield made


def test_extra_body_wins_over_the_model_and_is_what_is_checked(
    guard: Guard, server: Loopback
) -> None:
    bound = guard.bind(**TICKETS)
    changed = {**ASK, "extra_body": {"model": "no-such-model"}}
    with sync_client(server, FR) as client:
        bound.protect(client)
        with pytest.raises(openai.PermissionDeniedError):
            client.chat.completions.create(**changed)
        with pytest.raises(NotAllowed) as caught:
            bound.call(client.chat.completions.create, **changed)
        assert caught.value.decision.call.asked.model == "no-such-model"
        bound.call(
            client.chat.completions.create,
            **{**ASK, "model": "no-such-model", "extra_body": {"model": "glm-5.2"}},
        )

    assert server.hits == {FR_HOST: 1}


@pytest.mark.parametrize(
    "extra",
    [
        {"extra_body": {"models": ["glm-5.2", "other"]}},
        {"extra_body": {"fallbacks": ["other"]}},
        {"extra_body": {"MODEL": "other"}},
        {"extra_body": {"model": None}},
        {"extra_query": {"model": "other"}},
        {"extra_headers": {"Host": CN_HOST}},
        {"extra_headers": {"Content-Encoding": "gzip"}},
    ],
)
def test_a_second_opinion_on_the_model_or_the_host_makes_it_unknown(
    guard: Guard, server: Loopback, extra: dict[str, Any]
) -> None:
    bound = guard.bind(**TICKETS)
    with sync_client(server, FR) as client:
        bound.protect(client)
        with pytest.raises(openai.PermissionDeniedError):
            client.chat.completions.create(**ASK, **extra)

    assert server.hits == {}


def test_a_copy_with_another_address_is_asked_about_that_address(
    guard: Guard, server: Loopback
) -> None:
    bound = guard.bind(**TICKETS)
    with sync_client(server, FR) as client:
        moved = client.with_options(base_url=CN)
        for method in (
            moved.chat.completions.create,
            moved.chat.completions.with_raw_response.create,
            moved.chat.completions.with_streaming_response.create,
        ):
            with pytest.raises(PolicyDenied, match="GDPR-01"):
                bound.call(method, **ASK)
        bound.protect(client)
        with pytest.raises(openai.PermissionDeniedError):
            moved.chat.completions.create(**ASK)
        bound.call(client.chat.completions.create, **ASK)

    assert server.hits == {FR_HOST: 1}


@pytest.mark.parametrize(
    "extra", [{"extra_query": {"model": "other"}}, {"extra_headers": {"host": CN_HOST}}]
)
def test_the_wrapper_alone_trusts_no_second_opinion_either(
    guard: Guard, server: Loopback, extra: dict[str, Any]
) -> None:
    with sync_client(server, FR) as client, pytest.raises(NotAllowed):
        guard.bind(**TICKETS).call(client.chat.completions.create, **ASK, **extra)

    assert server.hits == {}


def test_the_client_of_the_module_itself_is_read(
    guard: Guard, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    http = server.client(httpx2)
    for name, value in {"base_url": CN, "api_key": "none", "http_client": http}.items():
        monkeypatch.setattr(openai, name, value)
    with http, pytest.raises(PolicyDenied, match="GDPR-01"):
        guard.bind(**TICKETS).call(openai.chat.completions.create, **ASK)

    assert server.hits == {}


def test_a_lambda_is_opaque_to_the_guard_and_not_to_the_transport(
    guard: Guard, server: Loopback
) -> None:
    bound = guard.bind(**TICKETS)
    with sync_client(server, CN) as client:
        bound.protect(client)
        with pytest.raises(NotAllowed) as caught:
            bound.call(lambda: client.chat.completions.create(**ASK))
        with pytest.raises(openai.PermissionDeniedError):
            client.chat.completions.create(**ASK)

    assert server.hits == {}
    asked = caught.value.decision.call.asked
    assert (asked.model, asked.host, asked.opaque) == (None, None, True)


def test_uploads_are_opaque_and_not_sent(guard: Guard, server: Loopback) -> None:
    with sync_client(server, FR) as client:
        guard.bind(**TICKETS).protect(client)
        with pytest.raises(openai.PermissionDeniedError):
            client.files.create(file=b'{"model": "glm-5.2"}', purpose="batch")
        with pytest.raises(openai.PermissionDeniedError):
            client.batches.create(
                input_file_id="f",
                endpoint="/v1/chat/completions",
                completion_window="24h",
            )

    assert server.hits == {}
