"""Shows that the tests notice when a framework changes the path that we rely on.

    python tests/canaries.py [NAME …]

For each canary one thing is changed in a copy of a framework: what it calls models by,
where it makes its clients, how it treats what a hook raises. A test must fail beside the
copy. Frameworks that are not locked come from the set `frameworks` of `tests/sdks.py`,
which installs them first. Exits with 1 if a change went unnoticed, or if a framework no
longer has the text that is changed: look at its new path, and change the list.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sdks import PLACE, ROOT

INTEGRATION = ROOT / "tests" / "integration"
FRAMEWORKS = PLACE / "frameworks"
PYTEST = [sys.executable, "-m", "pytest", "-q", "-x", "-n0"]


@dataclass(frozen=True)
class Canary:
    """A change of a framework, and the test that has to notice it."""

    module: str
    """The file that is changed."""
    changes: dict[str, str]
    """What it says, and what that becomes."""
    test: str
    """A file, and after `::` what chooses tests in it."""
    where: Path | None = None
    """A folder of packages; without one, those that are installed."""


FRESH = "__import__('httpx2').Client().send("
OTHER = "test_other_frameworks.py::refused and "
CANARIES = {
    "httpx2 sends by another attribute": Canary(
        "httpx2._client",
        changes={"self._transport": "self._carrier"},
        test="test_wire_matrix.py::http_clients_have",
    ),
    "httpx2 looks for a transport elsewhere": Canary(
        "httpx2._client",
        changes={"def _transport_for_url(": "def _carrier_for_url("},
        test="test_wire_matrix.py::http_clients_have",
    ),
    "openai sends by a client of the moment": Canary(
        "openai._base_client",
        changes={"self._client.send(": FRESH},
        test="test_wire_matrix.py::no_byte and openai-chat and not async",
    ),
    "openai connects a web socket elsewhere": Canary(
        "openai.resources.realtime.realtime",
        changes={"def connect(": "def connect_now("},
        test="test_openai_describe.py::every_connect or web_socket",
    ),
    "anthropic sends by a client of the moment": Canary(
        "anthropic._base_client",
        changes={"self._client.send(": FRESH},
        test="test_wire_matrix.py::no_byte and anthropic-messages and not async",
    ),
    "anthropic calls middleware by another name": Canary(
        "anthropic._middleware",
        changes={"def handle(self": "def handle_sync(self"},
        test="test_wire_matrix.py::middleware",
    ),
    "LangChain keeps a client of openai elsewhere": Canary(
        "langchain_openai.chat_models.base",
        changes={"root_async_client": "root_aclient"},
        test="test_langchain.py::every_client",
    ),
    "LangChain keeps a client of anthropic elsewhere": Canary(
        "langchain_anthropic.chat_models",
        changes={"_async_client": "_aclient"},
        test="test_langchain.py::every_client",
    ),
    "LangChain goes on after a callback has raised": Canary(
        "langchain_core.callbacks.manager",
        changes={"if handler.raise_error:": "if handler is None:"},
        test="test_langchain.py::callback_stops",
    ),
    "LangChain calls a model past the middleware": Canary(
        "langchain.agents.factory",
        changes={"if wrap_model_call_handler is None:": "if True:"},
        test="test_langchain.py::refused_step and middleware",
    ),
    "LangChain calls a model past the asynchronous middleware": Canary(
        "langchain.agents.factory",
        changes={"if awrap_model_call_handler is None:": "if True:"},
        test="test_langchain.py::refused_step and middleware",
    ),
    "LangChain runs a tool past the middleware": Canary(
        "langgraph.prebuilt.tool_node",
        changes={"if self._wrap_tool_call is None:": "if True:"},
        test="test_langchain.py::does_not_run_a_tool",
    ),
    "LiteLLM makes a client past its funnel": Canary(
        "litellm.llms.custom_httpx.http_handler",
        changes={
            "self._client = self.create_client() if client is None else client": "self._client = httpx.Client() if client is None else client"
        },
        test="test_litellm.py::no_refused_call",
    ),
    "LiteLLM has a funnel of another name": Canary(
        "litellm.llms.openai.common_utils",
        changes={"_get_async_http_client": "_get_aclient"},
        test="test_litellm.py::no_refused_call",
    ),
    "LiteLLM's Router goes past what is put into its class": Canary(
        "litellm.router",
        changes={
            "_MISSING))\n            setattr(core, name, value)": "_MISSING))",
        },
        test="test_litellm.py::no_refused_call",
    ),
    "LiteLLM makes clients in another file": Canary(
        "litellm.llms.mistral.chat.transformation",
        changes={"import httpx\n": "import httpx\nCLIENT = None and httpx.Client()\n"},
        test="test_litellm.py::where_we_have_looked",
    ),
    "MCP calls no middleware": Canary(
        "mcp.server.mcpserver.server",
        changes={".middleware.extend(middleware or ())": ".middleware.extend(())"},
        test="test_mcp.py::refused_call_of_a_tool",
    ),
    "MCP calls a tool by another method": Canary(
        "mcp.server.runner",
        changes={"return middleware(ctx, call_next)": "return call_next(ctx)"},
        test="test_mcp.py::tool_call_is_an_export",
    ),
    "botocore asks nobody before it sends": Canary(
        "botocore.endpoint",
        changes={'f"before-send.': 'f"prior-send.'},
        test="test_boto3.py::refused_operation",
    ),
    "botocore runs handlers in another order": Canary(
        "botocore.hooks",
        changes={"collected.extendleft(": "collected.extend("},
        test="test_boto3.py::after_the_guard_was_asked",
    ),
    "the Agents SDK takes another client": Canary(
        "agents.models._openai_shared",
        changes={"return _default_openai_client": "return None"},
        test=f"{OTHER}agents",
        where=FRAMEWORKS,
    ),
    "the Agents SDK opens a web socket by itself": Canary(
        "agents.models.openai_responses",
        changes={
            "self._client.websocket_base_url is not None": "False",
            "prepare_openai_client_websocket_base_url(": "(lambda *_, **__:"
            " __import__('httpx2').URL('wss://127.0.0.1:9'))(",
        },
        test="test_other_frameworks.py::web_socket",
        where=FRAMEWORKS,
    ),
    "Pydantic AI copies the client": Canary(
        "pydantic_ai.providers.openai",
        changes={
            "self._client = openai_client": "self._client = openai_client.copy("
            "http_client=__import__('httpx2').AsyncClient())"
        },
        test=f"{OTHER}pydantic",
        where=FRAMEWORKS,
    ),
    "instructor copies the client": Canary(
        "instructor.v2.providers.openai.client",
        changes={
            "create = client.chat.completions.create": "create = client.copy("
            "http_client=__import__('httpx2').Client()).chat.completions.create"
        },
        test=f"{OTHER}instructor and not async",
        where=FRAMEWORKS,
    ),
    "Haystack makes a client of the moment": Canary(
        "haystack.components.generators.chat.openai",
        changes={
            "getattr(self.client.chat": "getattr(OpenAI(**self._client_kwargs()).chat"
        },
        test=f"{OTHER}haystack and not async",
        where=FRAMEWORKS,
    ),
}


def main(names: list[str]) -> int:
    """Try the canaries that are named, or all, and say who noticed."""
    unknown = sorted(set(names) - CANARIES.keys())
    if unknown:
        sys.stderr.write(f"no canary `{unknown[0]}`\n")
        return 2
    missed = [name for name in names or CANARIES if not _noticed(name)]
    sys.stdout.write(f"unnoticed: {', '.join(missed) or 'none'}\n")
    return 1 if missed else 0


def _noticed(name: str) -> bool:
    canary = CANARIES[name]
    with tempfile.TemporaryDirectory() as folder:
        changed = _change(canary, Path(folder))
        noticed = _failing(canary, Path(folder)) if changed else []
    why = noticed[0] if noticed else "NOBODY" if changed else "no such text any more"
    sys.stdout.write(f"{name}: {why}\n")
    sys.stdout.flush()
    return bool(noticed)


def _change(canary: Canary, folder: Path) -> bool:
    """Copy the framework into a folder and change it there, if it has the texts."""
    top, *parts = canary.module.split(".")
    found = importlib.util.find_spec(top) if canary.where is None else None
    places = (found and found.submodule_search_locations) or [f"{canary.where}/{top}"]
    file = _linked(Path(places[0]), folder / top, [*parts[:-1], f"{parts[-1]}.py"])
    text = file.read_text("utf-8")
    known = all(was in text for was in canary.changes)
    for was, becomes in canary.changes.items():
        text = text.replace(was, becomes)
    file.unlink()
    file.write_text(text, encoding="utf-8")
    return known


def _linked(source: Path, copy: Path, parts: list[str]) -> Path:
    """Make a folder of links to what another has, real down to a file; return that."""
    copy.mkdir()
    for item in source.iterdir():
        if item.name != "__pycache__" and (item.name != parts[0] or len(parts) == 1):
            (copy / item.name).symlink_to(item)
    if len(parts) == 1:
        return copy / parts[0]
    return _linked(source / parts[0], copy / parts[0], parts[1:])


def _failing(canary: Canary, folder: Path) -> list[str]:
    """Return the tests that fail beside the changed copy."""
    file, _, chosen = canary.test.partition("::")
    paths = [folder, canary.where, os.environ.get("PYTHONPATH")]
    done = subprocess.run(
        [*PYTEST, "-k", chosen, str(INTEGRATION / file)],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, filter(None, paths))),
        },
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    return re.findall(r"^(?:FAILED|ERROR) \S+?::(\S+)", done.stdout, re.MULTILINE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
