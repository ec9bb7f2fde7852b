"""LiteLLM behind a guard: no operation, retry, fallback or Router gets past it.

If this fails with another version of LiteLLM, it has changed where it makes its clients
or how it tries again: look at that before you change what is expected.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from guards import FR, guard_in
from house.repository import ROOT

from policyguard.errors import CannotProtect
from policyguard.integrations import litellm as guarded
from policyguard.integrations.litellm_clients import require_python

PROGRAM = Path(__file__).with_name("litellm_program.py")
ALLOWED = ["ModelResponse", 1, ["allow"], ["complete"]]
DENIED: list[Any] = ["denied", 0, ["deny"], []]
UNKNOWN: list[Any] = ["denied", 0, ["require_approval"], []]
REFUSED: list[Any] = ["CannotProtect", 0, [], []]
TWICE: list[Any] = ["denied", 0, ["deny", "deny"], []]
"""Asked again at a retry, and refused again."""
CROSSED = ("again ", "falls ")
TURNED: list[Any] = [1, ["allow", "deny"], ["error"]]
FELL: list[Any] = ["denied", 1, ["allow", "deny", "deny"], ["error"]]
MOVED = ["ModelResponse", 2, ["allow", "allow"], ["error", "complete"]]
NAMELESS = {
    "message": "the caller could not be named: no_id",
    "type": "policy_denied",
}
ELSEWHERE = sorted(guarded.PROVIDERS - {"bedrock", "azure", "anthropic"})
EXPECTED: dict[str, Any] = {
    **dict.fromkeys(("here", "ahere", "call", "acall", "fable"), ALLOWED),
    "stream": ["list", 1, ["allow"], ["complete"]],
    **dict.fromkeys(
        (
            "there", "athere", "tstream", "text", "atext", "responses", "aresponses",
            "embedding", "aembedding", "image", "aimage", "wrapped", "messages",
        ),
        DENIED,
    ),
    "fallback": ["ModelResponse", 1, ["deny", "allow"], ["complete"]],
    **dict.fromkeys(("bound", "kept", "own client"), UNKNOWN),
    # It turned to where it may not go, after the place that was decided on had failed.
    **{
        key: ["denied", *TURNED]
        for key in ("turned", "aturned", "sturned", "wturned", "awturned")
    },
    "cause": ["PolicyDenied", "not allowed by GDPR-01, GDPR-04"],
    # It turned to where it may go: that is decided and recorded as well.
    **dict.fromkeys(("moved", "amoved"), MOVED),
    **{f"{kind}{name}": UNKNOWN for name in ELSEWHERE for kind in ("", "a")},
    **dict.fromkeys(("hosted_vllm", "ahosted_vllm"), DENIED),
    **dict.fromkeys(("azure", "aazure"), UNKNOWN),
    **dict.fromkeys(("bedrock", "abedrock"), DENIED),
    **dict.fromkeys(("aiohttp", "ocr", "rerank"), REFUSED),
    **dict.fromkeys(
        (
            "router", "arouter", "router of two", "arouter of two", "router aembedding",
            "router aresponses", "nowhere",
        ),
        TWICE,
    ),
    "wrapped router": UNKNOWN,
    **{
        f"socket {name}": REFUSED
        for name in (
            "_arealtime", "_aresponses_websocket", "router _arealtime",
            "router _aresponses_websocket", "imported", "passed on", "health",
            "imported health",
        )
    },
    # A Router turned to where it may not go, and tried that twice.
    **dict.fromkeys(
        ("fell", "afell", "fell text", "fell embedding", "fell responses"),
        FELL,
    ),
    "alone": DENIED,
    "alone here": ["glm-5.2", "api.scaleway.ai", False],
    **dict.fromkeys(("no address", "led on", "aliased"), UNKNOWN),
    **{
        f"led by {name}": UNKNOWN
        for name in (
            "two places", "deployment", "models", "host", "headers", "specific",
            "query", "of nobody",
        )
    },
    **{f"routed {number}": ALLOWED for number in range(3)},
}  # fmt: skip
OWN_CLIENTS = {
    "llms/base.py",
    "llms/custom_httpx/aiohttp_handler.py",
    "llms/custom_httpx/http_handler.py",
    "llms/custom_httpx/httpx_handler.py",
    "llms/openai/common_utils.py",
    "llms/azure/azure.py",
}
"""Files of LiteLLM that make HTTP clients, in every version that is supported."""
LEFT_OUT = {
    "llms/gdc/chat/transformation.py",
    "llms/ollama_chat.py",
    "llms/sap/credentials.py",
    "llms/sap/embed/transformation.py",
}
"""Those that are of some versions, and of providers that `PROVIDERS` leaves out."""
SOCKETS = {
    "llms/azure/realtime/handler.py",
    "llms/bedrock/realtime/handler.py",
    "llms/custom_httpx/llm_http_handler.py",
    "llms/openai/live/handler.py",
    "llms/openai/realtime/handler.py",
    "proxy/pass_through_endpoints/pass_through_endpoints.py",
    "realtime_api/main.py",
    # By `realtime_health_check` alone, and by an operation that is refused.
    "llms/soniox/realtime/transformation.py",
    "llms/nvidia_riva/audio_transcription/riva_grpc.py",
    # To those who run guardrails, whom an operator has chosen.
    "proxy/guardrails/guardrail_hooks/aim/aim.py",
    "proxy/guardrails/guardrail_hooks/cato_networks/cato_networks.py",
}
"""Files of LiteLLM that open web sockets, streams of Bedrock or gRPC."""
OPENS = re.compile(
    r"^[^#\n]*(?:websockets\w*\.connect\(|with connect\(|\bws_connect\("
    r"|AWSCRTHTTPClient\(|\bgrpc\.\w*channel\(|HTTPS?Connection\(|\burlopen\()",
    re.MULTILINE,
)
MAKES = re.compile(
    r"^[^#\n]*(?:httpx\.(?:Async)?Client\(|aiohttp\.ClientSession\(|requests\.Session\()",
    re.MULTILINE,
)


def package() -> Path:
    """Return where LiteLLM is, without importing it."""
    found = importlib.util.find_spec("litellm")
    return Path(str(found and found.origin)).parent


def test_no_refused_call_of_litellm_reaches_the_network(tmp_path: Path) -> None:
    # What hides the locked packages here hides them there.
    paths = [*filter(None, [os.environ.get("PYTHONPATH")]), str(ROOT), f"{ROOT}/tests"]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(PROGRAM), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    printed = json.loads(done.stdout.strip().splitlines()[-1])

    found = printed["found"]
    # It tries again only where `tenacity` is installed.
    again = 2 if importlib.util.find_spec("tenacity") else 0
    for name in ("retries", "aretries"):
        assert found.pop(name) == ["denied", 0, ["deny"] * (1 + again), []]
    # How often each operation tries is LiteLLM's affair: none is ever sent.
    crossed = [found.pop(name) for name in list(found) if name.startswith(CROSSED)]
    assert [[word, hits, set(said), ends] for word, hits, said, ends in crossed] == [
        ["denied", 0, {"deny"}, []]
    ] * (2 * (len(guarded.OPERATIONS) - 1))
    for number in range(4):
        # It goes by chance, and is tried again.
        word, hits, verdicts, _ = found.pop(f"chance {number}")
        assert (word, hits) in {("ModelResponse", 1), ("denied", 0)}
        assert verdicts.count("allow") == hits
    assert found == EXPECTED
    assert printed["connected"] == 0
    hooked = printed["hooked"]
    *told, view = hooked.pop("nowhere")
    assert hooked == {
        "user": ["alice", [FR]],
        "key": [f"key:{'ab' * 32}", [FR]],
        "own key": [f"key:{hashlib.sha256(b'canary-secret').hexdigest()}", [FR]],
        "nobody": [401, NAMELESS],
        "after": None,
        "unbound": "this guard would not wait for the caller of a request: bind it with"
        " `caller=FROM_CONTEXT`",
    }
    said = f"not allowed by GDPR-01, GDPR-04 [{view['decision']}]"
    assert told == [said, "policy_denied", "GDPR-01"]
    assert (view["verdict"], [rule["id"] for rule in view["rules"]]) == (
        "deny",
        ["GDPR-01", "GDPR-04"],
    )
    assert set(view) == {"code", "decision", "permitted", "rules", "verdict"}
    twice, elsewhere, rust = printed["said"]
    assert "a guard is installed in LiteLLM already" in twice
    assert elsewhere == (
        "CannotProtect: this LiteLLM has no `HTTPHandler.create_client`, by which it made"
        " its HTTP clients: what it sends cannot be guarded"
    )
    assert rust.startswith("CannotProtect: LiteLLM sends by Rust")
    assert printed["restored"] == [True] * 5
    assert printed["offered"] == ["canary_mail"]


def test_litellm_makes_http_clients_where_we_have_looked() -> None:
    making = {
        path.relative_to(package()).as_posix()
        for path in sorted((package() / "llms").rglob("*.py"))
        if MAKES.search(path.read_text("utf-8"))
    }

    assert making - LEFT_OUT == OWN_CLIENTS


def test_litellm_opens_web_sockets_where_we_have_looked() -> None:
    opening = {
        path.relative_to(package()).as_posix()
        for path in sorted(package().rglob("*.py"))
        if OPENS.search(path.read_text("utf-8"))
    }

    # Older versions have fewer.
    assert opening - SOCKETS == set()
    assert "llms/openai/realtime/handler.py" in opening


def test_what_has_no_client_of_its_own_is_not_protected(tmp_path: Path) -> None:
    with (
        guard_in(tmp_path) as guard,
        pytest.raises(CannotProtect, match=r"litellm\.install"),
    ):
        guarded.protect(object(), guard)


def test_a_litellm_that_does_not_say_whether_it_sends_by_rust_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As 1.97 does, which takes `rust=True` in a call."""
    old, bridge = ModuleType("litellm"), ModuleType("litellm.rust_bridge")
    vars(old)["rust_bridge"] = bridge
    for module in (old, bridge):
        monkeypatch.setitem(sys.modules, module.__name__, module)

    with pytest.raises(CannotProtect, match=r"take 1\.105 or newer"):
        require_python(old)
