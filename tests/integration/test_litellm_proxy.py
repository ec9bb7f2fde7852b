"""LiteLLM's proxy, run as it is, with our hooks: what is refused does not leave it.

Its own environment: `python tests/sdks.py proxy` installs what the proxy needs beside the
locked packages. Without that these tests skip and say so.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
from integration.loopback import Loopback, recorded_in

from policyguard.audit.reader import TrailReader

HERE = Path(__file__).resolve().parent
PLACE = HERE / "litellm_proxy"
ALICE = "canary-alice@acme.example"
BRUNO = "canary-bruno@acme.example"
MACHINE = f"key:{hashlib.sha256(b'sk-machine').hexdigest()}"
PROMPT = "canary-prompt"
NEEDED = ("apscheduler", "backoff", "fastapi_sso", "RestrictedPython", "uvloop")
LACKING = [name for name in NEEDED if importlib.util.find_spec(name) is None]
CHAT = {"messages": [{"role": "user", "content": PROMPT}]}

pytestmark = pytest.mark.skipif(
    bool(LACKING),
    reason=f"LiteLLM's proxy lacks {', '.join(LACKING)}: run `python tests/sdks.py proxy`",
)


class Proxy:
    """Is a running proxy, the server behind it, and its trail."""

    def __init__(self, server: Loopback, port: int, folder: Path) -> None:
        self.server = server
        self.url = f"http://127.0.0.1:{port}"
        self.folder = folder

    def post(self, path: str, *, key: str = "sk-alice", **body: Any) -> httpx2.Response:
        return httpx2.post(
            f"{self.url}{path}",
            json=body,
            headers={"authorization": f"Bearer {key}"},
            timeout=60,
            trust_env=False,
        )

    @property
    def decisions(self) -> list[dict[str, Any]]:
        """All decisions so far, of routes and of what is sent."""
        records = recorded_in(self.folder / "trail")
        return [item for item in records if item["kind"] == "decision"]

    @property
    def verdicts(self) -> list[str]:
        return [item["verdict"] for item in self.decisions]

    def callers(self, after: int) -> Counter[str]:
        """Count the callers of decisions, under their own names."""
        reader = TrailReader.open(self.folder / "trail")
        known = {reader.pseudonym(name): name for name in (ALICE, BRUNO, MACHINE)}
        return Counter(known[item["caller"]] for item in self.decisions[after:])


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("proxy")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    tests = HERE.parent
    paths = [
        str(PLACE),
        str(tests),
        str(tests.parent),
        os.environ.get("PYTHONPATH", ""),
    ]
    with Loopback() as server:
        variables = {
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "LITELLM_MASTER_KEY": "sk-master",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "FOLDER": str(folder),
            "UPSTREAM": server.url.rpartition(":")[2],
        }
        said = folder / "said.txt"
        program = "from litellm import run_server; run_server()"
        options = ["--config", str(PLACE / "config.yaml"), "--port", str(port)]
        options += ["--host", "127.0.0.1"]
        with (
            said.open("wb") as out,
            subprocess.Popen(
                [sys.executable, "-W", "ignore", "-c", program, *options],
                env={**os.environ, **variables},
                stdout=out,
                stderr=subprocess.STDOUT,
            ) as process,
        ):
            try:
                running = Proxy(server, port, folder)
                _wait_for(running, process, said)
                yield running
            finally:
                process.terminate()
                process.wait(30)


def _wait_for(proxy: Proxy, process: subprocess.Popen[bytes], said: Path) -> None:
    for _ in range(1_200):
        if process.poll() is not None:
            break
        try:
            httpx2.get(f"{proxy.url}/health/liveliness", trust_env=False, timeout=5)
        except httpx2.TransportError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"the proxy does not answer: {said.read_text('utf-8')[-3000:]}")


@pytest.fixture(autouse=True)
def _from_here(proxy: Proxy) -> None:
    proxy.server.hits.clear()
    proxy.server.failures.clear()
    proxy.server.redirects.clear()


def test_each_call_goes_where_it_is_permitted(proxy: Proxy) -> None:
    answers = [proxy.post("/v1/chat/completions", model="chat", **CHAT) for _ in "123"]

    assert [answer.status_code for answer in answers] == [200] * 3
    assert proxy.server.hits == {"api.scaleway.ai": 3}
    assert proxy.verdicts[-3:] == ["allow"] * 3


def test_a_stream_goes_where_it_is_permitted(proxy: Proxy) -> None:
    answer = proxy.post("/v1/chat/completions", model="chat", stream=True, **CHAT)

    assert answer.text.rstrip().endswith("data: [DONE]")
    assert proxy.server.hits == {"api.scaleway.ai": 1}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/messages", {"max_tokens": 9, **CHAT}),
        ("/v1/responses", {"input": PROMPT}),
        ("/v1/embeddings", {"input": [PROMPT]}),
    ],
)
def test_other_operations_go_where_they_are_permitted(
    proxy: Proxy, path: str, body: dict[str, Any]
) -> None:
    answer = proxy.post(path, model="chat", **body)

    assert answer.status_code == 200
    assert proxy.server.hits == {"api.scaleway.ai": 1}


def test_a_fallback_goes_where_it_is_permitted(proxy: Proxy) -> None:
    before = len(proxy.verdicts)
    answer = proxy.post("/v1/chat/completions", model="fallback", **CHAT)

    assert answer.status_code == 200
    assert proxy.server.hits == {"api.scaleway.ai": 1}
    # The first group was refused, and not tried again; then the second was sent to.
    assert proxy.verdicts[before:] == ["deny", "allow"]


def test_a_fallback_after_the_decision_is_asked_about_where_it_goes(
    proxy: Proxy,
) -> None:
    """What was allowed fails, and the Router turns to what is not allowed."""
    proxy.server.failures = [400]
    before = len(proxy.verdicts)
    answer = proxy.post("/v1/chat/completions", model="failing", **CHAT)

    # LiteLLM tells of the first failure.
    assert (answer.status_code, "try again" in answer.text) == (400, True)
    assert proxy.server.hits == {"api.scaleway.ai": 1}
    assert proxy.verdicts[before:] == ["allow", "deny"]
    _require_nothing_hidden(answer)


REFUSED: dict[str, Callable[[Proxy], httpx2.Response]] = {
    "chat": lambda proxy: proxy.post("/v1/chat/completions", model="there", **CHAT),
    "stream": lambda proxy: proxy.post(
        "/v1/chat/completions", model="there", stream=True, **CHAT
    ),
    "retries": lambda proxy: proxy.post(
        "/v1/chat/completions", model="there", num_retries=2, **CHAT
    ),
    "messages": lambda proxy: proxy.post(
        "/v1/messages", model="there", max_tokens=9, **CHAT
    ),
    "responses": lambda proxy: proxy.post("/v1/responses", model="there", input=PROMPT),
    "embeddings": lambda proxy: proxy.post(
        "/v1/embeddings", model="there", input=[PROMPT]
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_does_not_leave_the_proxy(proxy: Proxy, name: str) -> None:
    before = len(proxy.verdicts)
    answer = REFUSED[name](proxy)

    assert proxy.server.hits == {}
    assert proxy.verdicts[before:] == ["deny"]
    _require_callers_view(proxy, answer)


@pytest.mark.parametrize("more", [{}, {"stream": True}])
def test_a_redirect_is_refused_on_the_wire_and_told_alike(
    proxy: Proxy, more: dict[str, Any]
) -> None:
    proxy.server.redirects["api.scaleway.ai"] = "https://open.bigmodel.cn/api/paas/v4"
    answer = proxy.post("/v1/chat/completions", model="chat", **CHAT, **more)

    assert set(proxy.server.hits) == {"api.scaleway.ai"}
    assert "GDPR-01" in answer.text
    _require_callers_view(proxy, answer)


def test_an_address_that_a_client_names_is_not_called(proxy: Proxy) -> None:
    """LiteLLM itself refuses it, as long as nobody sets it to be allowed."""
    address = "https://api.scaleway.ai.example/v1"
    answer = proxy.post("/v1/chat/completions", model="there", api_base=address, **CHAT)

    assert answer.status_code >= 400
    assert proxy.server.hits == {}


def test_the_caller_is_whom_the_key_names_and_nobody_else(proxy: Proxy) -> None:
    before = len(proxy.verdicts)
    for key in ("sk-alice", "sk-bruno", "sk-machine"):
        answer = proxy.post(
            "/v1/chat/completions",
            key=key,
            model="chat",
            user="canary-mallory",
            metadata={"user_id": "canary-mallory", "caller": "canary-mallory"},
            **CHAT,
        )
        assert answer.status_code == 200

    assert proxy.callers(before) == {ALICE: 1, BRUNO: 1, MACHINE: 1}


@pytest.mark.parametrize("stream", [False, True])
def test_callers_of_requests_at_the_same_time_are_never_mixed(
    proxy: Proxy, *, stream: bool
) -> None:
    before = len(proxy.verdicts)
    keys = ["sk-alice", "sk-bruno", "sk-machine"] * 8
    with ThreadPoolExecutor(12) as pool:
        answers = pool.map(
            lambda key: proxy.post(
                "/v1/chat/completions", key=key, model="chat", stream=stream, **CHAT
            ),
            keys,
        )
        assert {answer.status_code for answer in answers} == {200}

    assert proxy.callers(before) == {ALICE: 8, BRUNO: 8, MACHINE: 8}


def test_what_is_known_of_a_key_decides_where_its_calls_may_go(proxy: Proxy) -> None:
    """Bruno's team sends nothing that is about people."""
    answers = [
        proxy.post("/v1/chat/completions", key=key, model="there", **CHAT)
        for key in ("sk-alice", "sk-bruno")
    ]

    assert [answer.status_code for answer in answers] == [403, 200]
    assert proxy.server.hits == {"open.bigmodel.cn": 1}


@pytest.mark.parametrize(("key", "status"), [("sk-nobody", 401), ("sk-unknown", 401)])
def test_a_key_that_names_nobody_sends_nothing(
    proxy: Proxy, key: str, status: int
) -> None:
    before = len(proxy.verdicts)
    answer = proxy.post("/v1/chat/completions", key=key, model="chat", **CHAT)

    assert answer.status_code == status
    assert proxy.server.hits == {}
    assert proxy.verdicts[before:] == []


def _require_callers_view(proxy: Proxy, answer: httpx2.Response) -> None:
    """Require what a client may know of the last refusal, and no more."""
    assert answer.status_code == 403
    assert proxy.decisions[-1]["id"] in answer.text
    _require_nothing_hidden(answer)


def _require_nothing_hidden(answer: httpx2.Response) -> None:
    for hidden in (
        "decided by",
        "would change",
        "data.subjects",
        "contract.dpa",
        PROMPT,
    ):
        assert hidden not in answer.text
