"""WSGI: the caller of a request is its own, through the whole of its answer."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
from serving import wsgi_server
from tokens import AUDIENCE, ISSUER, Issuer

from policyguard import Caller, context
from policyguard.guard.facts import context_facts
from policyguard.integrations.callers import ProxyCallers
from policyguard.integrations.jwt import JwtCallers
from policyguard.integrations.wsgi import CallerMiddleware

ISSUED = Issuer()
JWT = JwtCallers(
    keys=ISSUED.keys,
    issuer=ISSUER,
    audience=AUDIENCE,
    algorithms=("EdDSA", "ES256"),
)
PROXY = ProxyCallers(peers=("127.0.0.1",), fields={"id": "x-caller-id"})
STRANGER = ProxyCallers(peers=("10.0.0.7",), fields={"id": "x-caller-id"})
PLAIN = [("content-type", "text/plain")]


def here() -> str | None:
    caller = context_facts().caller
    return caller.id if caller else None


def as_(name: str) -> dict[str, str]:
    return {"authorization": f"Bearer {ISSUED.token(sub=name)}"}


class App:
    """Answers with whom it sees: at once, in parts, and when it is closed."""

    def __init__(self) -> None:
        self.closed: list[str | None] = []
        self.reached: list[str] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        self.reached.append(path)
        start_response("200 OK", list(PLAIN))
        if path == "/fail":
            raise RuntimeError("canary")
        if path == "/parts":
            return self.parts()
        return [f"{here()} {environ.get('HTTP_X_CALLER_ID')}".encode()]

    def parts(self) -> Iterator[bytes]:
        try:
            for _ in range(3):
                yield f"{here()} ".encode()
        finally:
            self.closed.append(here())


@pytest.fixture
def app() -> App:
    return App()


def test_the_caller_is_known_at_once_in_each_part_and_at_the_end(app: App) -> None:
    with (
        context(caller="the-operator"),
        wsgi_server(CallerMiddleware(app, callers=JWT)) as address,
    ):
        one = httpx2.get(f"http://{address}/", headers=as_("alice"))
        parts = httpx2.get(f"http://{address}/parts", headers=as_("bob"))

    assert (one.text, parts.text, app.closed) == ("alice None", "bob bob bob ", ["bob"])


def test_callers_of_requests_at_the_same_time_are_never_mixed(app: App) -> None:
    names = [f"caller-{number}" for number in range(40)]
    with wsgi_server(CallerMiddleware(app, callers=JWT)) as address:

        def ask(name: str) -> str:
            path = f"http://{address}/parts"
            return httpx2.get(path, headers=as_(name), timeout=30).text

        with ThreadPoolExecutor(8) as pool:
            seen = list(pool.map(ask, names))

    assert seen == [f"{name} " * 3 for name in names]


def test_answers_that_take_turns_on_one_thread_keep_their_callers(app: App) -> None:
    guarded = CallerMiddleware(app, callers=JWT)

    def begin(name: str) -> Iterator[bytes]:
        environ = {
            "PATH_INFO": "/parts",
            "HTTP_AUTHORIZATION": as_(name)["authorization"],
        }
        return iter(guarded(environ, lambda *_: None))

    one, two = begin("alice"), begin("bob")
    turns = [next(one), next(two), next(one), next(two)]
    one.close()  # type: ignore[attr-defined]

    assert turns == [b"alice ", b"bob ", b"alice ", b"bob "]
    assert (app.closed, here()) == (["alice"], None)


def test_an_answer_may_be_gone_through_on_another_thread(app: App) -> None:
    environ = {
        "PATH_INFO": "/parts",
        "HTTP_AUTHORIZATION": as_("alice")["authorization"],
    }
    answer = CallerMiddleware(app, callers=JWT)(environ, lambda *_: None)
    parts: list[bytes] = []
    thread = threading.Thread(target=lambda: parts.extend(answer))
    thread.start()
    thread.join()

    assert parts == [b"alice "] * 3


def test_whoever_is_not_named_gets_a_problem_and_reaches_nothing(app: App) -> None:
    with wsgi_server(CallerMiddleware(app, callers=JWT)) as address:
        missing = httpx2.get(f"http://{address}/")
        wrong = httpx2.get(f"http://{address}/", headers={"authorization": "Bearer x"})

    assert app.reached == []
    assert (missing.status_code, wrong.status_code) == (401, 401)
    assert missing.json() == {
        "type": "about:blank",
        "title": "Unauthorized",
        "status": 401,
        "detail": "the caller could not be named: missing",
    }
    assert wrong.headers["www-authenticate"].endswith('error="invalid_token"')


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_error_of_the_application_stays_its_own_and_leaves_no_caller(
    app: App, capfd: pytest.CaptureFixture[str]
) -> None:
    with wsgi_server(CallerMiddleware(app, callers=JWT)) as address:
        failed = httpx2.get(f"http://{address}/fail", headers=as_("alice"))
        after = httpx2.get(f"http://{address}/", headers=as_("bob"))

    assert (failed.status_code, after.text) == (500, "bob None")
    assert "canary" in capfd.readouterr().err


def test_headers_count_from_a_known_proxy_and_are_removed_otherwise(app: App) -> None:
    header = {"x-caller-id": "alice"}
    with wsgi_server(CallerMiddleware(app, callers=PROXY)) as address:
        known = httpx2.get(f"http://{address}/", headers=header)
        twice = httpx2.get(
            f"http://{address}/",
            headers=[("x-caller-id", "alice"), ("x-caller-id", "bob")],
        )
    passing = CallerMiddleware(app, callers=STRANGER, anonymous="pass")
    with wsgi_server(passing) as address:
        stranger = httpx2.get(f"http://{address}/", headers=header)
        nobody = httpx2.get(f"http://{address}/")

    assert (known.text, nobody.text) == ("alice alice", "None None")
    assert (twice.status_code, stranger.status_code) == (401, 401)


def test_an_application_sees_no_header_of_a_source_that_named_nobody() -> None:
    class Reader:
        own_headers = frozenset({"x-caller-id"})
        challenge = "Reader"

        def caller_of(self, *_: Any, **__: Any) -> Caller | None:
            return None

    def app(environ: dict[str, Any], _: Any) -> list[str]:
        return [name for name in environ if name.startswith("HTTP_")]

    middleware: Any = CallerMiddleware(app, callers=Reader(), anonymous="pass")
    environ = {"HTTP_X_CALLER_ID": "mallory", "HTTP_X_OTHER": "1"}

    assert middleware(environ, pytest.fail) == ["HTTP_X_OTHER"]
