"""What an integration says where its extra is not installed: which one to install."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from guards import guard_in

from policyguard import FROM_CONTEXT, ConfigurationError, Guard
from policyguard.detection.presidio import presidio_detectors
from policyguard.integrations import (
    anthropic,
    jwt,
    langchain,
    litellm,
    mcp,
    otel,
    prometheus,
)

CASES: dict[str, tuple[str, str, Callable[[Guard], Any]]] = {
    "middleware": ("anthropic", "anthropic", anthropic.policy_middleware),
    "agents": (
        "langchain.agents.middleware",
        "langchain",
        langchain.agent_middleware,
    ),
    "callback": ("langchain_core.callbacks", "langchain", langchain.callback),
    "install": ("litellm", "litellm", litellm.install),
    "Router": (
        "litellm.integrations.custom_logger",
        "litellm",
        litellm.router_hooks,
    ),
    "proxy": (
        "litellm.integrations.custom_logger",
        "litellm",
        lambda guard: litellm.proxy_hooks(guard.bind(caller=FROM_CONTEXT)),
    ),
    "server": (
        "mcp.shared.exceptions",
        "mcp",
        lambda _: mcp.server_middleware(facts=dict),
    ),
    "sampling": (
        "mcp.shared.exceptions",
        "mcp",
        lambda _: mcp.sampling_callback(pytest.fail, facts={}),
    ),
    "spans": ("opentelemetry", "otel", otel.watch),
    "metrics": ("prometheus_client", "prometheus", prometheus.watch),
    "tokens": ("jwt", "jwt", lambda _: jwt._jwt()),
    "dependency": (
        "fastapi",
        "fastapi",
        lambda _: importlib.import_module("policyguard.integrations.fastapi"),
    ),
    "Presidio": ("presidio_analyzer", "presidio", lambda _: presidio_detectors()),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_missing_is_named_with_the_extra_that_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    module, extra, use = CASES[name]
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, "policyguard.integrations.fastapi", raising=False)
    anthropic._middleware_kind.cache_clear()

    with (
        guard_in(tmp_path) as guard,
        pytest.raises(ConfigurationError, match=rf"policyguard-ai\[{extra}\]"),
    ):
        use(guard)


WITHOUT_SDK = """
import sys
from pathlib import Path

sys.modules["opentelemetry.sdk"] = None
import httpx2
from guards import CN, FR, TICKETS, guard_in
from policyguard.integrations import otel

ends = httpx2.MockTransport(lambda _: httpx2.Response(200, json={}))
with guard_in(Path(sys.argv[1])) as guard, httpx2.Client(transport=ends) as client:
    otel.watch(guard)
    guard.bind(**TICKETS).protect(client)
    for host in (FR, CN):
        answer = client.post(f"{host}/chat/completions", json={"model": "glm-5.2"})
        print(answer.status_code)
"""


def test_spans_need_no_sdk_of_opentelemetry(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_SDK, str(tmp_path)],
        env={"PYTHONPATH": str(Path(__file__).resolve().parent.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr[-500:]) == ("200\n403\n", "")
