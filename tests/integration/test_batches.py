"""Batches and uploads: each call in them is decided, and all go out or none does."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import anthropic
import httpx
import httpx2
import openai
import pytest
from guards import CN, FR, MESSAGES, TICKETS, guard_in
from integration.loopback import Loopback, Since, remembered

from policyguard import Guard, NotAllowed, PolicyDenied, context
from policyguard.guard import many

WAYS = pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])
OSS = "gpt-oss-120b"
NAMED = {
    "input_file_id": "file-1",
    "endpoint": "/v1/chat/completions",
    "completion_window": "24h",
}


def line(model: str = "glm-5.2", **more: Any) -> bytes:
    body = {"model": model, "messages": MESSAGES}
    request = {"custom_id": "1", "method": "POST", "url": "/v1/chat/completions"}
    return json.dumps({**request, "body": body, **more}).encode() + b"\n"


GOOD = line() + line("gpt-oss-120b") + line()
MIXED = line() + line("canary-unknown") + line() + line("kimi-k2")


class Clients:
    """Makes protected clients of the SDKs and calls their methods, in either way."""

    def __init__(self, guard: Guard, server: Loopback, *, sync: bool) -> None:
        self.guard = guard
        self.server = server
        self.sync = sync
        self.module = httpx2 if openai.__version__ >= "3" else httpx

    def openai(self, base_url: str = FR, *, protected: bool = True) -> Any:
        kind = openai.OpenAI if self.sync else openai.AsyncOpenAI
        return self._made(kind, self.module, base_url, protected=protected)

    def anthropic(self, base_url: str = FR, *, protected: bool = True) -> Any:
        kind = anthropic.Anthropic if self.sync else anthropic.AsyncAnthropic
        return self._made(kind, httpx2, base_url, protected=protected)

    def _made(self, kind: Any, module: Any, base_url: str, *, protected: bool) -> Any:
        make = self.server.client if self.sync else self.server.aclient
        client = kind(
            base_url=base_url,
            api_key="none",
            http_client=make(module),
            max_retries=0,
            # Nobody closes these clients, and loops end before them.
            default_headers={"connection": "close"},
        )
        return self.guard.protect(client) if protected else client

    def run(self, *steps: Any, wrapped: bool = False) -> list[Any]:
        """Make calls one after the other: pairs of a method and its arguments."""
        if self.sync:
            return [
                self.guard.call(fn, **kwargs) if wrapped else fn(**kwargs)
                for fn, kwargs in steps
            ]

        async def main() -> list[Any]:
            return [
                await (self.guard.acall(fn, **kwargs) if wrapped else fn(**kwargs))
                for fn, kwargs in steps
            ]

        return asyncio.run(main())


@pytest.fixture
def clients(guard: Guard, server: Loopback, sync: bool) -> Clients:
    return Clients(guard, server, sync=sync)


def upload(content: bytes, **more: Any) -> dict[str, Any]:
    return {"file": ("calls.jsonl", content), "purpose": "batch", **more}


def kept(guard: Guard, record: dict[str, Any]) -> Any:
    """Return what is in the vault beside a record."""
    from policyguard.audit.reader import TrailReader

    for log in TrailReader.open(guard.trail_directory).logs:
        for entry in log.entries():
            if entry.record().id == record["id"]:
                sealed = log.content(entry.record().id)
                return sealed and json.loads(sealed.body)
    return None


@WAYS
@pytest.mark.parametrize("wrapped", [True, False])
def test_each_call_of_a_file_is_decided_and_has_an_outcome(
    clients: Clients, guard: Guard, server: Loopback, *, wrapped: bool
) -> None:
    since = Since(guard)
    client = clients.openai()
    clients.run((client.files.create, upload(GOOD)), wrapped=wrapped)

    records = since.records
    assert server.hits == {"api.scaleway.ai": 1}
    assert [(item["kind"], item.get("model")) for item in records] == [
        ("decision", "glm-5.2"),
        ("decision", OSS),
        ("decision", "glm-5.2"),
        ("outcome", None),
        ("outcome", None),
        ("outcome", None),
    ]
    assert len({item["call_id"] for item in records}) == 1
    assert {item["decision"] for item in records[3:]} == {
        item["id"] for item in records[:3]
    }
    assert since.endings == [("complete", None)] * 3


@WAYS
@pytest.mark.parametrize("wrapped", [True, False])
def test_one_refused_call_keeps_the_whole_file_here_and_is_named(
    clients: Clients, guard: Guard, server: Loopback, *, wrapped: bool
) -> None:
    since = Since(guard)
    client = clients.openai()
    raised = PolicyDenied if wrapped else openai.PermissionDeniedError
    kinds = (raised, NotAllowed) if wrapped else raised
    with pytest.raises(kinds) as caught:
        clients.run((client.files.create, upload(MIXED)), wrapped=wrapped)

    assert server.hits == {}
    assert [(item["verdict"], item["code"]) for item in since.records] == [
        ("deny", "guard.batch"),
        (since.records[1]["verdict"], None),
        ("deny", "guard.batch"),
        (since.records[3]["verdict"], None),
    ]
    if wrapped:
        assert caught.value.decision.requests == (2, 4)
        assert "2, 4 of the batch; none was sent" in str(caught.value)
    else:
        assert caught.value.body["requests"] == [2, 4]


@WAYS
def test_a_batch_of_a_file_that_was_uploaded_here_is_decided_again(
    clients: Clients, guard: Guard, server: Loopback
) -> None:
    server.answers["/files"] = {"id": "file-1", "object": "file"}
    client = clients.openai()
    since = Since(guard)
    clients.run(
        (client.files.create, upload(GOOD)),
        (client.batches.create, NAMED),
    )

    assert server.hits == {"api.scaleway.ai": 2}
    assert since.kinds == [*["decision"] * 3, *["outcome"] * 3] * 2


@WAYS
@pytest.mark.parametrize(
    "change",
    [
        {"input_file_id": "file-2"},
        {"extra_body": {"model": "glm-5.2"}},
        {"extra_body": {"Input_File_Id": "file-2"}},
    ],
)
def test_a_batch_of_a_file_that_nobody_here_has_seen_is_refused(
    clients: Clients, server: Loopback, change: dict[str, Any]
) -> None:
    server.answers["/files"] = {"id": "file-1", "object": "file"}
    client = clients.openai()
    clients.run((client.files.create, upload(GOOD)))
    with pytest.raises(NotAllowed, match=r"note  +(what the file|the batch has)"):
        clients.run((client.batches.create, {**NAMED, **change}), wrapped=True)
    with pytest.raises(openai.PermissionDeniedError):
        clients.run((client.batches.create, {**NAMED, **change}))

    assert server.hits == {"api.scaleway.ai": 1}


def test_a_file_is_known_for_its_host_alone(guard: Guard, server: Loopback) -> None:
    server.answers["/files"] = {"id": "file-1", "object": "file"}
    clients = Clients(guard, server, sync=True)
    clients.run((clients.openai().files.create, upload(GOOD)))
    elsewhere = clients.openai("https://api.mistral.ai/v1")
    with pytest.raises(openai.PermissionDeniedError):
        elsewhere.batches.create(**NAMED)
    # Not for what its calls are: nobody knows them there.
    with pytest.raises(NotAllowed, match=r"note  +what the file"):
        clients.run((elsewhere.batches.create, NAMED), wrapped=True)

    assert server.hits == {"api.scaleway.ai": 1}


def test_a_file_that_was_refused_by_its_host_is_not_known(
    guard: Guard, server: Loopback
) -> None:
    server.failures.append(500)
    clients = Clients(guard, server, sync=True)
    client = clients.openai()
    with pytest.raises(openai.InternalServerError):
        client.files.create(**upload(GOOD))
    with pytest.raises(openai.PermissionDeniedError):
        client.batches.create(**{**NAMED, "input_file_id": "file-9"})

    assert server.hits == {"api.scaleway.ai": 1}


def test_what_a_file_may_do_is_asked_with_the_facts_of_its_batch(
    shared: Guard, server: Loopback
) -> None:
    server.answers["/files"] = {"id": "file-1", "object": "file"}
    clients = Clients(shared, server, sync=True)
    client = clients.openai()
    with context(**TICKETS):
        client.files.create(**upload(GOOD))
    # Nobody says who asks, and for what.
    with pytest.raises(openai.PermissionDeniedError):
        client.batches.create(**NAMED)

    assert server.hits == {"api.scaleway.ai": 1}


@WAYS
@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize("base_url", [FR, CN])
def test_inline_batches_are_decided_call_by_call(
    clients: Clients, server: Loopback, base_url: str, *, wrapped: bool
) -> None:
    params = {"model": "glm-5.2", "max_tokens": 8, "messages": MESSAGES}
    requests = [
        {"custom_id": "1", "params": params},
        {"custom_id": "2", "params": {**params, "model": OSS}},
    ]
    client = clients.anthropic(base_url)
    since = Since(clients.guard)
    step = (client.messages.batches.create, {"requests": requests})
    if base_url == FR:
        clients.run(step, wrapped=wrapped)
        assert since.kinds == ["decision", "decision", "outcome", "outcome"]
        assert server.hits == {"api.scaleway.ai": 1}
        return
    with pytest.raises((NotAllowed, anthropic.PermissionDeniedError)):
        clients.run(step, wrapped=wrapped)

    assert len(since.records) == 2
    assert server.hits == {}


UNREADABLE = {
    "no_json": GOOD + b"{\n",
    "twice": line()[:-3] + b', "model": "kimi-k2"}}\n',
    "another_key": line(Body={"model": "kimi-k2"}),
    "get": line(method="GET"),
    "no_path": line(url=None),
    "dots": line(url="/v1/../x"),
    "encoded": line(url="/v1/chat/%63ompletions"),
    "case": line(url="/openai/Deployments/glm-5.2/chat/completions"),
    "query": line(url="/v1/chat/completions?model=kimi-k2"),
    "path_model": line(url="/openai/deployments/kimi-k2/chat/completions"),
    "no_body": line(body="x"),
    "fallbacks": line(body={"model": "glm-5.2", "models": ["kimi-k2"]}),
    "nested": line(body={"model": "glm-5.2", "requests": []}),
    "cr_line": line()[:-3] + b', "x":\r' + line("kimi-k2")[:-1] + b"\r}}\n",
    "ls_line": line(custom_id="LS\u2028LS").replace(b"\\u2028", "\u2028".encode()),
    "utf_16": GOOD.decode().encode("utf-16"),
    "empty": b"",
    "blank": b"\n \r\n",
}


@pytest.mark.parametrize("name", UNREADABLE)
@pytest.mark.parametrize("wrapped", [True, False])
def test_a_file_that_can_be_read_in_two_ways_is_refused(
    guard: Guard, server: Loopback, name: str, *, wrapped: bool
) -> None:
    clients = Clients(guard, server, sync=True)
    since = Since(guard)
    step = (clients.openai().files.create, upload(UNREADABLE[name]))
    with pytest.raises((NotAllowed, openai.PermissionDeniedError)):
        clients.run(step, wrapped=wrapped)

    assert server.hits == {}
    assert len(since.records) == 1


def test_calls_that_differ_in_what_obligations_ask_are_different_calls(
    guard: Guard, server: Loopback
) -> None:
    clients = Clients(guard, server, sync=True)
    clients.run((clients.openai().files.create, upload(GOOD)))
    stored = line(body={"model": "glm-5.2", "messages": MESSAGES, "store": True})
    before = len(remembered(guard))
    clients.run((clients.openai().files.create, upload(line() + stored)))

    assert len(remembered(guard)[before:]) == 4


def test_more_calls_than_can_be_recorded_are_refused(
    guard: Guard, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(many, "MOST_CALLS", 2)
    clients = Clients(guard, server, sync=True)
    with pytest.raises(NotAllowed, match="split it"):
        clients.run((clients.openai().files.create, upload(GOOD)), wrapped=True)

    assert server.hits == {}


def test_a_file_that_only_its_path_names_is_refused_by_the_wrapper_with_what_to_do(
    guard: Guard, server: Loopback, tmp_path: Path
) -> None:
    path = tmp_path / "calls.jsonl"
    path.write_bytes(GOOD)
    clients = Clients(guard, server, sync=True)
    client = clients.openai()
    step = (client.files.create, {"file": path, "purpose": "batch"})
    with pytest.raises(NotAllowed, match=r"path\.read_bytes"):
        clients.run(step, wrapped=True)
    # The transport sees its bytes.
    clients.run(step)

    assert server.hits == {"api.scaleway.ai": 1}


@WAYS
@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize("base_url", ["https://api.mistral.ai/v1", CN])
def test_another_file_is_an_export_to_every_model_of_its_host(
    tmp_path: Path, server: Loopback, base_url: str, *, sync: bool, wrapped: bool
) -> None:
    free = {**TICKETS, "data": {"classes": ["none"]}}
    with guard_in(tmp_path) as made:
        clients = Clients(made.bind(**free), server, sync=sync)
        client = clients.openai(base_url)
        step = (client.files.create, upload(b"%PDF \xff", purpose="user_data"))
        if base_url != CN:
            clients.run(step, wrapped=wrapped)
            assert [item["model"] for item in remembered(made)[:-1]] == [
                "mistral-large-2512"
            ]
            assert server.hits == {"api.mistral.ai": 1}
            return
        clients = Clients(made.bind(**TICKETS), server, sync=sync)
        client = clients.openai(base_url)
        step = (client.files.create, upload(b"%PDF \xff", purpose="user_data"))
        with pytest.raises((NotAllowed, openai.PermissionDeniedError)):
            clients.run(step, wrapped=wrapped)

        assert server.hits == {}


def test_an_upload_where_one_model_may_not_read_it_is_refused(
    guard: Guard, server: Loopback
) -> None:
    clients = Clients(guard, server, sync=True)
    since = Since(guard)
    step = (clients.openai().files.create, upload(b"x", purpose="assistants"))
    with pytest.raises(NotAllowed) as caught:
        clients.run(step, wrapped=True)

    assert server.hits == {}
    assert caught.value.decision.model_copy().call.model == "llama-3.3-70b-instruct"
    assert [item["model"] for item in since.records] == [
        "glm-5.2",
        OSS,
        "llama-3.3-70b-instruct",
    ]


@pytest.mark.parametrize(
    "more",
    [
        {"purpose": "Batch"},
        {"purpose": " batch"},
        {"extra_body": {"model": "glm-5.2"}},
        {"extra_body": {"Purpose": "user_data"}},
    ],
)
@pytest.mark.parametrize("wrapped", [True, False])
def test_an_upload_of_which_the_kind_is_not_plain_is_refused(
    guard: Guard, server: Loopback, more: dict[str, Any], *, wrapped: bool
) -> None:
    clients = Clients(guard, server, sync=True)
    since = Since(guard)
    step = (clients.openai().files.create, upload(GOOD, **more))
    with pytest.raises((NotAllowed, openai.PermissionDeniedError)):
        clients.run(step, wrapped=wrapped)

    assert (server.hits, len(since.records)) == ({}, 1)


def test_uploads_in_pieces_name_no_model_and_are_refused(
    guard: Guard, server: Loopback
) -> None:
    client = Clients(guard, server, sync=True).openai()
    with pytest.raises(openai.PermissionDeniedError):
        client.uploads.create(
            bytes=3, filename="x", mime_type="application/jsonl", purpose="batch"
        )
    with pytest.raises(openai.PermissionDeniedError):
        client.uploads.parts.create("upload_1", data=b"abc")
    with pytest.raises(openai.PermissionDeniedError):
        client.uploads.parts.create(
            "upload_1", data=GOOD, extra_body={"model": "glm-5.2"}
        )

    assert server.hits == {}


@pytest.mark.parametrize("ending", ["//", "/;x/", "/%76/"])
@pytest.mark.parametrize("protected", [True, False])
def test_a_file_that_goes_to_a_path_that_is_not_plain_is_refused(
    guard: Guard, server: Loopback, ending: str, *, protected: bool
) -> None:
    clients = Clients(guard, server, sync=True)
    client = clients.openai(f"{FR}{ending}", protected=protected)
    with pytest.raises(NotAllowed, match="it is not certain what its path names"):
        clients.run((client.files.create, upload(GOOD)), wrapped=True)

    assert server.hits == {}


def test_a_retried_upload_is_decided_again(guard: Guard, server: Loopback) -> None:
    server.failures.append(500)
    clients = Clients(guard, server, sync=True)
    client = clients.openai().with_options(max_retries=1)
    since = Since(guard)
    clients.run((client.files.create, upload(GOOD)), wrapped=True)

    assert server.hits == {"api.scaleway.ai": 2}
    assert since.kinds == ["decision", "decision", "decision", *["outcome"] * 3] * 2
    assert [item for item, _ in since.endings] == [*["error"] * 3, *["complete"] * 3]


def test_an_unprotected_client_records_the_end_of_each_call(
    guard: Guard, server: Loopback
) -> None:
    clients = Clients(guard, server, sync=True)
    client = clients.openai(protected=False)
    server.answers["/files"] = {"id": "file-7", "object": "file"}
    since = Since(guard)
    clients.run((client.files.create, upload(GOOD)), wrapped=True)
    clients.run(
        (client.batches.create, {**NAMED, "input_file_id": "file-7"}), wrapped=True
    )

    assert since.endings == [("complete", None)] * 6


def test_what_is_kept_of_a_batch_says_which_request_a_record_is_about(
    guard: Guard, server: Loopback
) -> None:
    clients = Clients(guard, server, sync=True)
    since = Since(guard)
    clients.run((clients.openai().files.create, upload(GOOD)))
    places = [kept(guard, item)["requests"] for item in since.records[:3]]

    assert places == [[1], [2], [3]]
