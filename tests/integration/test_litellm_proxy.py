"""LiteLLM's proxy, run as it is, with our hooks: what is refused does not leave it.

Its own environment: `python tests/sdks.py proxy` installs what the proxy needs beside the
locked packages. Without that these tests skip and say so.
"""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from integration.loopback import Loopback, recorded_in

HERE = Path(__file__).resolve().parent
PLACE = HERE / "litellm_proxy"
KEY = "sk-loopback"
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

    def post(self, path: str, **body: Any) -> httpx2.Response:
        return httpx2.post(
            f"{self.url}{path}",
            json=body,
            headers={"authorization": f"Bearer {KEY}"},
            timeout=60,
            trust_env=False,
        )

    @property
    def verdicts(self) -> list[str]:
        """Verdicts of all decisions so far, of routes and of what is sent."""
        records = recorded_in(self.folder / "trail")
        return [item["verdict"] for item in records if item["kind"] == "decision"]


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
            "LITELLM_MASTER_KEY": KEY,
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


def test_each_call_goes_where_it_is_permitted(proxy: Proxy) -> None:
    answers = [proxy.post("/v1/chat/completions", model="chat", **CHAT) for _ in "123"]

    assert [answer.status_code for answer in answers] == [200] * 3
    assert proxy.server.hits == {"api.scaleway.ai": 3}
    assert proxy.verdicts[-3:] == ["allow"] * 3


def test_a_stream_goes_where_it_is_permitted(proxy: Proxy) -> None:
    answer = proxy.post("/v1/chat/completions", model="chat", stream=True, **CHAT)

    assert answer.text.rstrip().endswith("data: [DONE]")
    assert proxy.server.hits == {"api.scaleway.ai": 1}


def test_a_fallback_goes_where_it_is_permitted(proxy: Proxy) -> None:
    answer = proxy.post("/v1/chat/completions", model="fallback", **CHAT)

    assert answer.status_code in {200, 403}
    assert set(proxy.server.hits) <= {"api.scaleway.ai"}


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
    "api_base": lambda proxy: proxy.post(
        "/v1/chat/completions",
        model="there",
        api_base="https://api.scaleway.ai.example/v1",
        **CHAT,
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_does_not_leave_the_proxy(proxy: Proxy, name: str) -> None:
    before = len(proxy.verdicts)
    answer = REFUSED[name](proxy)

    assert proxy.server.hits == {}
    assert answer.status_code >= 400
    assert "allow" not in proxy.verdicts[before:]
    assert PROMPT not in json.dumps(answer.text)
