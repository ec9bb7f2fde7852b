"""LiteLLM behind a guard: no operation, retry, fallback or Router gets past it.

If this fails with another version of LiteLLM, it has changed where it makes its clients
or how it tries again: look at that before you change what is expected.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from guards import guard_in
from house.repository import ROOT

from policyguard.errors import CannotProtect
from policyguard.integrations import litellm as guarded

PROGRAM = Path(__file__).with_name("litellm_program.py")
ALLOWED = ["ModelResponse", 1, ["allow"], ["complete"]]
DENIED: list[Any] = ["denied", 0, ["deny"], []]
UNKNOWN: list[Any] = ["denied", 0, ["require_approval"], []]
REFUSED: list[Any] = ["CannotProtect", 0, [], []]
TWICE: list[Any] = ["denied", 0, ["deny", "deny"], []]
"""Asked again at a retry, and refused again."""
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
    "own client": UNKNOWN,
    **{f"{kind}{name}": UNKNOWN for name in ELSEWHERE for kind in ("", "a")},
    **dict.fromkeys(("hosted_vllm", "ahosted_vllm"), DENIED),
    **dict.fromkeys(("azure", "aazure"), UNKNOWN),
    **dict.fromkeys(("bedrock", "abedrock"), DENIED),
    **dict.fromkeys(("aiohttp", "ocr", "rerank"), REFUSED),
    **dict.fromkeys(("router", "arouter", "nowhere"), TWICE),
    **{f"routed {number}": ALLOWED for number in range(3)},
}  # fmt: skip
OWN_CLIENTS = {
    "llms/base.py",
    "llms/custom_httpx/aiohttp_handler.py",
    "llms/custom_httpx/http_handler.py",
    "llms/custom_httpx/httpx_handler.py",
    "llms/gdc/chat/transformation.py",
    "llms/openai/common_utils.py",
    "llms/sap/credentials.py",
    "llms/sap/embed/transformation.py",
    "llms/azure/azure.py",
}
"""Files of LiteLLM that make HTTP clients: the funnels, and what `PROVIDERS` leaves out."""
MAKES = re.compile(
    r"^[^#\n]*(?:httpx\.(?:Async)?Client\(|aiohttp\.ClientSession\(|requests\.Session\()",
    re.MULTILINE,
)


def test_no_refused_call_of_litellm_reaches_the_network(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(PROGRAM), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    printed = json.loads(done.stdout.strip().splitlines()[-1])

    found = printed["found"]
    for name in ("retries", "aretries"):
        # It tries again only where `tenacity` is installed.
        word, hits, verdicts, _ = found.pop(name)
        assert (word, hits, set(verdicts)) == ("denied", 0, {"deny"})
    assert found == EXPECTED
    again, rust = printed["said"]
    assert "a guard is installed in LiteLLM already" in again
    assert rust.startswith("CannotProtect: LiteLLM sends by Rust")
    assert printed["restored"] == [True, True]


def test_litellm_makes_http_clients_where_we_have_looked() -> None:
    found = importlib.util.find_spec("litellm")
    assert found is not None
    assert found.origin is not None
    package = Path(found.origin).parent

    making = {
        path.relative_to(package).as_posix()
        for path in sorted((package / "llms").rglob("*.py"))
        if MAKES.search(path.read_text("utf-8"))
    }

    assert making == OWN_CLIENTS


def test_what_has_no_client_of_its_own_is_not_protected(tmp_path: Path) -> None:
    with (
        guard_in(tmp_path) as guard,
        pytest.raises(CannotProtect, match=r"litellm\.install"),
    ):
        guarded.protect(object(), guard)
