"""Real servers and frameworks: the caller of a request is its own, wherever code runs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import httpx2
import pytest
import websockets.exceptions
from fastapi import BackgroundTasks, Depends, FastAPI, WebSocket
from fastapi.responses import StreamingResponse
from guards import FR, MESSAGES, TICKETS, guard_in
from offline import Upstream
from serving import asgi_server
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from tokens import AUDIENCE, ISSUER, Issuer
from websockets.sync.client import connect

from policyguard import FROM_CONTEXT, Caller, ConfigurationError, NoDecision, context
from policyguard.guard.facts import context_facts
from policyguard.guard.threads import copy_context
from policyguard.integrations.asgi import CallerMiddleware
from policyguard.integrations.callers import ProxyCallers
from policyguard.integrations.fastapi import caller_of
from policyguard.integrations.jwt import JwtCallers

ISSUED = Issuer()
JWT = JwtCallers(
    keys=ISSUED.keys,
    issuer=ISSUER,
    audience=AUDIENCE,
    algorithms=("EdDSA", "ES256"),
)
PROXY = ProxyCallers(peers=("127.0.0.1",), fields={"id": "x-caller-id"})
STRANGER = ProxyCallers(peers=("10.0.0.7",), fields={"id": "x-caller-id"})
REST = {name: value for name, value in TICKETS.items() if name != "caller"}


def here() -> str | None:
    caller = context_facts().caller
    return caller.id if caller else None


def as_(name: str) -> dict[str, str]:
    return {"authorization": f"Bearer {ISSUED.token(sub=name)}"}


class Seen:
    """Remembers whom each piece of code saw."""

    def __init__(self) -> None:
        self.callers: dict[str, str | None] = {}
        self.done = threading.Event()

    def note(self, place: str) -> None:
        self.callers[place] = here()

    def last(self, place: str) -> None:
        self.note(place)
        self.done.set()


def application(seen: Seen) -> Starlette:  # noqa: C901 -- one endpoint after another
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(3):
            await asyncio.sleep(0)
            yield f"{here()} ".encode()

    def sync_parts() -> Iterator[bytes]:
        for _ in range(3):
            yield f"{here()} ".encode()

    async def one(request: Request) -> Response:
        seen.note("endpoint")
        await asyncio.to_thread(seen.note, "to_thread")
        await asyncio.create_task(asyncio.to_thread(seen.note, "task"))
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, seen.note, "executor")
        await loop.run_in_executor(None, copy_context(seen.note), "carried")
        return JSONResponse(
            {"caller": here(), "header": request.headers.get("x-caller-id")},
            background=BackgroundTask(seen.last, "background"),
        )

    def in_a_thread(_: Request) -> Response:
        return JSONResponse({"caller": here()})

    async def stream(_: Request) -> Response:
        return StreamingResponse(parts())

    async def sync_stream(_: Request) -> Response:
        return StreamingResponse(sync_parts())

    async def fail(_: Request) -> Response:
        raise RuntimeError("canary")

    async def slow(_: Request) -> Response:
        names = set()
        for _ in range(5):
            names.add(here())
            await asyncio.sleep(0.001)
            names.add(await asyncio.to_thread(here))
        return JSONResponse({"callers": sorted(map(str, names))})

    async def socket(ws: WebSocket) -> None:
        await ws.accept()
        async for _ in ws.iter_text():
            await ws.send_text(str(here()))

    return Starlette(
        routes=[
            Route("/one", one),
            Route("/thread", in_a_thread),
            Route("/stream", stream),
            Route("/sync-stream", sync_stream),
            Route("/fail", fail),
            Route("/slow", slow),
            WebSocketRoute("/socket", socket),
        ]
    )


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, Seen]]:
    seen = Seen()
    # A caller around the server itself is nobody's caller inside it.
    with (
        context(caller="the-operator"),
        asgi_server(CallerMiddleware(application(seen), callers=JWT)) as address,
    ):
        yield address, seen


def test_the_caller_is_known_wherever_the_application_runs(
    server: tuple[str, Seen],
) -> None:
    address, seen = server

    reply = httpx2.get(f"http://{address}/one", headers=as_("alice"))

    assert seen.done.wait(20)
    assert reply.json() == {"caller": "alice", "header": None}
    assert seen.callers == {
        "endpoint": "alice",
        "to_thread": "alice",
        "task": "alice",
        "executor": None,
        "carried": "alice",
        "background": "alice",
    }


@pytest.mark.parametrize("path", ["stream", "sync-stream"])
def test_a_stream_has_its_caller_to_the_end(
    server: tuple[str, Seen], path: str
) -> None:
    reply = httpx2.get(f"http://{server[0]}/{path}", headers=as_("bob"))

    assert reply.text == "bob bob bob "


def test_a_synchronous_endpoint_has_its_caller(server: tuple[str, Seen]) -> None:
    reply = httpx2.get(f"http://{server[0]}/thread", headers=as_("carol"))

    assert reply.json() == {"caller": "carol"}


def test_callers_of_requests_at_the_same_time_are_never_mixed(
    server: tuple[str, Seen],
) -> None:
    names = [f"caller-{number}" for number in range(100)]

    def ask(name: str) -> list[str]:
        reply = httpx2.get(f"http://{server[0]}/slow", headers=as_(name), timeout=30)
        return list(reply.json()["callers"])

    with ThreadPoolExecutor(len(names)) as pool:
        seen = list(pool.map(ask, names))

    assert seen == [[name] for name in names]


@pytest.mark.parametrize(
    ("headers", "status", "challenge"),
    [
        ({}, 401, 'Bearer realm="policyguard"'),
        (
            {"authorization": "Bearer canary-token"},
            401,
            'Bearer realm="policyguard", error="invalid_token"',
        ),
        (
            {"authorization": f"Bearer {ISSUED.token(sub='x' * 300)}"},
            403,
            None,
        ),
    ],
)
def test_whoever_is_not_named_gets_a_problem_and_reaches_nothing(
    headers: dict[str, str], status: int, challenge: str | None
) -> None:
    reached: list[str] = []

    async def app(scope: Any, _: Any, __: Any) -> None:
        reached.append(scope["type"])

    with asgi_server(CallerMiddleware(app, callers=JWT), lifespan="off") as address:
        reply = httpx2.post(f"http://{address}/one", headers=headers, content=b"x" * 9)

    assert reached == []
    assert (reply.status_code, reply.headers.get("www-authenticate")) == (
        status,
        challenge,
    )
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["status"] == status
    assert "canary" not in reply.text


def test_an_error_of_the_application_stays_its_own_and_leaves_no_caller(
    server: tuple[str, Seen],
) -> None:
    reply = httpx2.get(f"http://{server[0]}/fail", headers=as_("alice"))
    after = httpx2.get(f"http://{server[0]}/thread", headers=as_("bob"))

    assert (reply.status_code, after.json()) == (500, {"caller": "bob"})


def test_a_websocket_has_its_caller_for_as_long_as_it_is_open(
    server: tuple[str, Seen],
) -> None:
    with connect(
        f"ws://{server[0]}/socket", additional_headers=as_("alice"), proxy=None
    ) as one:
        with connect(
            f"ws://{server[0]}/socket", additional_headers=as_("bob"), proxy=None
        ) as two:
            two.send("?")
            assert two.recv(20) == "bob"
        one.send("?")
        assert one.recv(20) == "alice"


def test_a_websocket_without_a_caller_is_refused_before_it_is_accepted(
    server: tuple[str, Seen],
) -> None:
    with pytest.raises(websockets.exceptions.InvalidStatus) as caught:
        connect(f"ws://{server[0]}/socket", proxy=None)

    assert caught.value.response.status_code == 401


def test_a_server_that_cannot_deny_a_websocket_closes_it() -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    async def app(*_: Any) -> None:
        raise AssertionError("reached")

    scope = {"type": "websocket", "headers": [], "client": None}
    asyncio.run(CallerMiddleware(app, callers=JWT)(scope, receive, send))

    assert sent == [{"type": "websocket.close", "code": 1008}]


def test_requests_without_a_caller_pass_only_where_that_was_asked_for() -> None:
    app = CallerMiddleware(application(Seen()), callers=JWT, anonymous="pass")

    with context(caller="the-operator"), asgi_server(app) as address:
        nobody = httpx2.get(f"http://{address}/thread")
        forged = httpx2.get(
            f"http://{address}/thread", headers={"authorization": "Bearer x"}
        )

    assert (nobody.json(), forged.status_code) == ({"caller": None}, 401)


def test_headers_count_from_a_known_proxy_and_are_removed_otherwise() -> None:
    header = {"x-caller-id": "alice"}

    with asgi_server(CallerMiddleware(application(Seen()), callers=PROXY)) as address:
        known = httpx2.get(f"http://{address}/one", headers=header)
        twice = httpx2.get(
            f"http://{address}/one",
            headers=[("x-caller-id", "alice"), ("x-caller-id", "bob")],
        )
    app = CallerMiddleware(application(Seen()), callers=STRANGER, anonymous="pass")
    with asgi_server(app) as address:
        stranger = httpx2.get(f"http://{address}/one", headers=header)
        odd = httpx2.get(f"http://{address}/one", headers={"X_Caller_Id": "alice"})

    assert known.json() == {"caller": "alice", "header": "alice"}
    assert (twice.status_code, stranger.status_code) == (401, 401)
    assert odd.json() == {"caller": None, "header": None}


class Reader:
    """A source of the application's own, which names whom it was made with."""

    own_headers = frozenset({"x-caller-id"})
    challenge = "Reader"

    def __init__(self, named: str | None) -> None:
        self._named = named

    def caller_of(self, *_: Any, **__: Any) -> Caller | None:
        return None if self._named is None else Caller(id=self._named)


def reached(kind: str, named: str | None, *names: str) -> tuple[str | None, list[str]]:
    """Return whom an application behind a source sees, and which of the headers."""
    seen: list[tuple[str | None, list[str]]] = []

    async def app(scope: Any, *_: Any) -> None:
        seen.append((here(), [key.decode() for key, _ in scope.get("headers", ())]))

    scope = {"type": kind, "headers": [(name.encode(), b"mallory") for name in names]}
    middleware = CallerMiddleware(app, callers=Reader(named), anonymous="pass")
    with context(caller="the-operator"):
        asyncio.run(middleware(scope, pytest.fail, pytest.fail))
    (found,) = seen
    return found


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_an_application_sees_no_header_of_a_source_that_named_nobody(kind: str) -> None:
    names = ("x-caller-id", "X_Caller_Id", "x-other")

    assert reached(kind, None, *names) == (None, ["x-other"])
    # One that is spelt otherwise was not read, whoever is named.
    assert reached(kind, "alice", *names) == ("alice", ["x-caller-id", "x-other"])


def test_a_server_that_starts_and_ends_has_no_caller() -> None:
    assert reached("lifespan", "alice") == (None, [])


def test_a_source_that_breaks_names_nobody() -> None:
    class Broken:
        own_headers = frozenset[str]()
        challenge = "Broken"

        def caller_of(self, *_: Any, **__: Any) -> Caller | None:
            raise ZeroDivisionError

    app = CallerMiddleware(application(Seen()), callers=Broken(), anonymous="pass")
    with asgi_server(app) as address:
        reply = httpx2.get(f"http://{address}/thread")

    assert reply.status_code == 401


def test_a_wrong_setting_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="`anonymous` is `maybe`"):
        CallerMiddleware(application(Seen()), callers=JWT, anonymous="maybe")  # type: ignore[arg-type]


def test_a_guard_records_the_caller_of_each_request(tmp_path: Path) -> None:
    upstream = Upstream()
    create = upstream.client(FR).chat.completions.create
    with guard_in(tmp_path) as guard:
        bound = guard.bind(**REST, caller=FROM_CONTEXT)

        def ask(_: Request) -> Response:
            try:
                reply = bound.call(create, model="glm-5.2", messages=MESSAGES)
            except NoDecision as refused:
                return JSONResponse({"code": refused.decision.code}, status_code=403)
            return JSONResponse({"said": reply.choices[0].message.content})

        app = CallerMiddleware(
            Starlette(routes=[Route("/ask", ask)]), callers=JWT, anonymous="pass"
        )
        with asgi_server(app) as address:
            named = httpx2.get(f"http://{address}/ask", headers=as_("alice"))
            nobody = httpx2.get(f"http://{address}/ask")

    assert named.json() == {"said": "hello"}
    assert (nobody.status_code, nobody.json()) == (403, {"code": "guard.context"})
    assert upstream.hosts == ["api.scaleway.ai"]


def fastapi_application(seen: Seen) -> FastAPI:
    app = FastAPI()

    @app.get("/async")
    async def one(
        caller: Annotated[Caller, named], background: BackgroundTasks
    ) -> dict[str, Any]:
        background.add_task(seen.last, "background")
        return {"given": caller.id, "caller": here()}

    @app.get("/sync")
    def two(caller: Annotated[Caller, named]) -> dict[str, Any]:
        return {"given": caller.id, "caller": here()}

    @app.get("/stream")
    async def three(_: Annotated[Caller, named]) -> StreamingResponse:
        async def parts() -> AsyncIterator[str]:
            for _ in range(3):
                await asyncio.sleep(0)
                yield f"{here()} "

        return StreamingResponse(parts())

    @app.get("/open")
    def four() -> dict[str, Any]:
        return {"caller": here()}

    @app.websocket("/socket")
    async def five(ws: WebSocket, _: Annotated[Caller, named]) -> None:
        await ws.accept()
        await ws.send_text(str(here()))

    return app


# Annotations are text here, and FastAPI looks names up among a module's own.
named = Depends(caller_of(JWT))


@pytest.fixture(scope="module")
def fast() -> Iterator[tuple[str, Seen]]:
    seen = Seen()
    with asgi_server(fastapi_application(seen)) as address:
        yield address, seen


def test_a_dependency_names_the_caller_for_its_routes_alone(
    fast: tuple[str, Seen],
) -> None:
    address, seen = fast
    get = {
        path: httpx2.get(f"http://{address}/{path}", headers=as_("alice"))
        for path in ("async", "sync", "stream", "open")
    }

    assert seen.done.wait(20)
    assert get["async"].json() == {"given": "alice", "caller": "alice"}
    assert get["sync"].json() == {"given": "alice", "caller": "alice"}
    assert get["stream"].text == "alice alice alice "
    assert get["open"].json() == {"caller": None}
    assert seen.callers == {"background": "alice"}


def test_a_dependency_refuses_as_fastapi_does(fast: tuple[str, Seen]) -> None:
    missing = httpx2.get(f"http://{fast[0]}/async")
    wrong = httpx2.get(
        f"http://{fast[0]}/sync", headers={"authorization": "Bearer canary"}
    )

    assert (missing.status_code, missing.json()) == (
        401,
        {"detail": "the caller could not be named: missing"},
    )
    assert missing.headers["www-authenticate"] == 'Bearer realm="policyguard"'
    assert (wrong.status_code, wrong.json()) == (
        401,
        {"detail": "the caller could not be named: invalid_token"},
    )


def test_a_dependency_names_the_caller_of_a_websocket_or_closes_it(
    fast: tuple[str, Seen],
) -> None:
    with connect(
        f"ws://{fast[0]}/socket", additional_headers=as_("alice"), proxy=None
    ) as socket:
        assert socket.recv(20) == "alice"
    with pytest.raises(websockets.exceptions.InvalidStatus) as caught:
        connect(f"ws://{fast[0]}/socket", proxy=None)

    assert caught.value.response.status_code == 403
