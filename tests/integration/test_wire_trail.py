"""What calls leave in the trail's files, and calls whose trail cannot be written."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import httpx2
import openai
import pytest
from guards import CN, FR, TICKETS, guard_in
from integration.clients import sync_client
from integration.loopback import Loopback, remembered

from policyguard import Guard, NoDecision, NotAllowed, PolicyDenied, context

FR_HOST = "api.scaleway.ai"
CANARY = "canary-7f3a-of-the-prompt"
ASK: dict[str, Any] = {
    "model": "glm-5.2",
    "messages": [{"role": "user", "content": CANARY}],
}
CROWD = 16
REFUSE = "SELECT RAISE(ABORT, 'the disk is full')"


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Guard]:
    with guard_in(tmp_path) as made:
        yield made.bind(**TICKETS)


def ends(guard: Guard) -> Counter[tuple[str, ...]]:
    """Count decisions by verdict and by the ends that refer to them."""
    records = remembered(guard)
    found: dict[str, list[str]] = {
        item["id"]: [item["layer"], item["verdict"]]
        for item in records
        if item["kind"] == "decision"
    }
    for item in records:
        if item["kind"] == "outcome":
            found[item["decision"]].append(item["outcome"])
    return Counter(tuple(item) for item in found.values())


def break_databases(guard: Guard, name: str, *, when: str = "TRUE") -> int:
    """Make SQLite refuse to write to the databases of a name; return how many."""
    guard.core.trail.flush()
    trail = guard.trail_directory
    folders = (trail, trail.with_name(f"{trail.name}.lock"))
    paths = [path for folder in folders for path in folder.rglob(name)]
    for path in paths:
        with closing(sqlite3.connect(path)) as connection, connection:
            tables = connection.execute(
                "SELECT name FROM sqlite_master WHERE type='table'"
            )
            for (table,) in tables.fetchall():
                for verb in ("INSERT", "UPDATE"):
                    connection.execute(
                        f"CREATE TRIGGER no_{verb}_{table} BEFORE {verb} ON {table}"
                        f" WHEN {when} BEGIN {REFUSE}; END"
                    )
    return len(paths)


def mend_databases(guard: Guard) -> None:
    """Take away what makes SQLite refuse: no reader opens a database with it."""
    trail = guard.trail_directory
    for folder in (trail, trail.with_name(f"{trail.name}.lock")):
        for path in folder.rglob("*.sqlite"):
            with closing(sqlite3.connect(path)) as connection, connection:
                names = connection.execute(
                    "SELECT name FROM sqlite_master WHERE type='trigger'"
                ).fetchall()
                for (name,) in names:
                    connection.execute(f"DROP TRIGGER {name}")


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("log.sqlite", {}),
        ("vault.sqlite", {}),
        # The lock database comes last: a record is left that nobody was told of.
        ("app-*.sqlite", {("call", "allow"): 1}),
    ],
)
@pytest.mark.parametrize("protected", [False, True])
def test_nothing_is_sent_when_a_part_of_the_trail_refuses(
    guard: Guard, server: Loopback, name: str, left: Any, *, protected: bool
) -> None:
    with sync_client(server, FR) as client:
        if protected:
            guard.protect(client)
        guard.call(client.chat.completions.create, **ASK)
        assert break_databases(guard, name) == 1
        with pytest.raises(NoDecision, match=r"trail\.not_durable"):
            guard.call(client.chat.completions.create, **ASK)

    mend_databases(guard)
    assert server.hits == {FR_HOST: 1}
    assert ends(guard) == {("call", "allow", "complete"): 1, **left}


def test_a_bare_protected_client_sends_nothing_either(
    guard: Guard, server: Loopback
) -> None:
    with sync_client(server, FR) as client:
        guard.protect(client)
        break_databases(guard, "log.sqlite")
        with pytest.raises(openai.PermissionDeniedError) as caught:
            client.chat.completions.create(**ASK)
        guard.close()
        with pytest.raises(openai.PermissionDeniedError):
            client.chat.completions.create(**ASK)

    assert server.hits == {}
    assert caught.value.code == "trail.not_durable"
    assert "disk" not in str(caught.value.body)
    assert str(guard.trail_directory) not in str(caught.value.body)


def test_an_answer_that_was_paid_for_is_kept_when_its_end_cannot_be_recorded(
    guard: Guard, server: Loopback
) -> None:
    with sync_client(server, FR) as client:
        guard.protect(client)
        guard.call(client.chat.completions.create, **ASK)
        guard.core.trail.flush()
        outcome = 'CAST(NEW.body AS TEXT) LIKE \'%"kind":"outcome"%\''
        with closing(sqlite3.connect(log_of(guard))) as connection, connection:
            connection.execute(
                f"CREATE TRIGGER no_outcome BEFORE INSERT ON entry WHEN {outcome}"
                f" BEGIN {REFUSE}; END"
            )
        reply = guard.call(client.chat.completions.create, **ASK)
        guard.core.trail.flush()

    mend_databases(guard)
    assert reply.model == "glm-5.2"
    assert ends(guard) == {("call", "allow", "complete"): 1, ("call", "allow"): 1}


def log_of(guard: Guard) -> Path:
    (path,) = guard.trail_directory.rglob("log.sqlite")
    return path


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_crowd_of_threads_leaves_each_call_with_decision_and_end(
    guard: Guard, server: Loopback, *, wrapped: bool
) -> None:
    start = threading.Barrier(CROWD)

    def one(number: int, client: openai.OpenAI) -> str:
        asked = {**ASK, "stream": number % 2 == 1}
        base = CN if number % 4 == 0 else FR
        create = client.with_options(base_url=base).chat.completions.create
        start.wait(30)
        try:
            reply = guard.call(create, **asked) if wrapped else create(**asked)
        except (openai.PermissionDeniedError, PolicyDenied) as error:
            return type(error).__name__
        if asked["stream"]:
            list(reply)
        return "answered"

    with sync_client(server, FR) as client, ThreadPoolExecutor(CROWD) as pool:
        guard.protect(client)
        told = Counter(pool.map(one, range(CROWD), [client] * CROWD))

    refusal = "PolicyDenied" if wrapped else "PermissionDeniedError"
    layer = "call" if wrapped else "http"
    assert told == {"answered": 12, refusal: 4}
    assert server.hits == {FR_HOST: 12}
    assert ends(guard) == {(layer, "allow", "complete"): 12, (layer, "deny"): 4}


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("module", [httpx, httpx2])
def test_a_crowd_of_tasks_keeps_its_facts_apart(
    server: Loopback, tmp_path: Path, module: Any, *, wrapped: bool
) -> None:
    async def one(guard: Guard, client: openai.AsyncOpenAI, number: int) -> str:
        facts = TICKETS if number % 2 else {}
        create = client.chat.completions.create
        with context(**facts):
            try:
                stream: Any = await (
                    guard.acall(create, **ASK, stream=True)
                    if wrapped
                    else create(**ASK, stream=True)
                )
            except (openai.PermissionDeniedError, NotAllowed) as error:
                return type(error).__name__
            [item async for item in stream]
        return f"answered {number % 2}"

    async def main(guard: Guard) -> list[str]:
        http = server.aclient(module)
        async with openai.AsyncOpenAI(
            base_url=FR, api_key="none", http_client=http
        ) as client:
            guard.protect(client)
            return await asyncio.gather(
                *(one(guard, client, number) for number in range(CROWD))
            )

    with guard_in(tmp_path) as guard:
        told = Counter(asyncio.run(main(guard)))
        found = ends(guard)

    refusal = "ApprovalRequired" if wrapped else "PermissionDeniedError"
    layer = "call" if wrapped else "http"
    assert told == {"answered 1": 8, refusal: 8}
    assert server.hits == {FR_HOST: 8}
    assert found == {
        (layer, "allow", "complete"): 8,
        (layer, "require_approval"): 8,
    }


def test_no_word_of_a_prompt_or_an_answer_is_in_the_trails_files(
    guard: Guard, server: Loopback
) -> None:
    server.failures = [500]
    with sync_client(server, FR, max_retries=1) as client:
        guard.protect(client)
        create = client.chat.completions.create
        guard.call(create, **ASK)
        create(**ASK)
        list(guard.call(create, **ASK, stream=True))
        elsewhere = client.with_options(base_url=CN).chat.completions.create

        def hidden(**asked: Any) -> Any:
            return create(**asked)

        refused: list[tuple[Any, dict[str, Any]]] = [
            (elsewhere, ASK),
            (create, {**ASK, "extra_body": {"models": [CANARY]}}),
            (create, {**ASK, "extra_query": {"model": CANARY}}),
            (create, {**ASK, "extra_headers": {"X-Note": CANARY, "Host": "h.example"}}),
            (hidden, ASK),
        ]
        for method, asked in refused:
            with pytest.raises(NotAllowed):
                guard.call(method, **asked)
            with pytest.raises(openai.PermissionDeniedError):
                (method if method is elsewhere else create)(
                    **{**asked, "model": "no-such-model"}
                )
    guard.close()

    trail = guard.trail_directory
    files = [
        path
        for folder in (trail, trail.with_name(f"{trail.name}.lock"))
        for path in folder.rglob("*")
        if path.is_file()
    ]
    assert len(files) > 3
    assert server.hits[FR_HOST] == 4
    words = (CANARY.encode(), b"hello", b"api_key", b"Bearer")
    assert [
        (path.name, word)
        for path in files
        for word in words
        if word in path.read_bytes()
    ] == []
