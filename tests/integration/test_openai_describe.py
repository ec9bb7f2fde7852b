"""What the adapter reads from the SDK's clients, methods and answers."""

from __future__ import annotations

import functools
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from guards import CN, FR, MESSAGES, TICKETS, guard_in
from integration.loopback import Loopback

from policyguard import CannotProtect, Guard, NotAllowed
from policyguard.guard.describe import Described, describe
from policyguard.integrations import openai as adapter

ASK: dict[str, Any] = {"model": "glm-5.2", "messages": MESSAGES}


@pytest.fixture
def client() -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=FR, api_key="none") as made:
        yield made


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Guard]:
    with guard_in(tmp_path) as made:
        yield made


KNOWN = Described(model="glm-5.2", host="api.scaleway.ai", path="/v1/")


def test_a_bound_method_is_seen_through_whatever_wraps_it(
    client: openai.OpenAI,
) -> None:
    create = client.chat.completions.create

    @functools.wraps(create)
    def instrumented(*args: Any, **kwargs: Any) -> Any:
        return create(*args, **kwargs)

    wrapped = (
        create,
        client.chat.completions.parse,
        client.chat.completions.stream,
        client.chat.completions.with_raw_response.create,
        client.chat.completions.with_streaming_response.create,
        client.with_options(timeout=3).chat.completions.create,
        client.responses.create,
        client.embeddings.create,
        instrumented,
        functools.partial(functools.partial(instrumented, temperature=0), n=1),
    )

    assert [describe(method, (), ASK) for method in wrapped] == [KNOWN] * len(wrapped)


def test_what_a_partial_object_carries_counts_and_the_call_wins(
    client: openai.OpenAI,
) -> None:
    carried = functools.partial(client.chat.completions.create, model="carried")

    assert describe(carried, (), {}) == Described(
        model="carried", host="api.scaleway.ai", path="/v1/"
    )
    assert describe(carried, (), ASK) == KNOWN


@pytest.mark.parametrize(
    ("kwargs", "model", "opaque"),
    [
        ({"model": "a", "extra_body": {"model": "b"}}, "b", False),
        ({"model": "a", "extra_body": {"n": 1}}, "a", False),
        ({"model": "a", "extra_body": {"model": None}}, None, False),
        ({"model": openai.omit}, None, False),
        ({}, None, False),
        ({"model": "a", "extra_body": b"{}"}, None, True),
        ({"model": "a", "extra_body": {"models": ["a"]}}, None, True),
        ({"model": "a", "extra_body": {"Model": "b"}}, None, True),
        ({"model": "a", "extra_query": {"model": "b"}}, None, False),
        ({"model": "a", "extra_query": {"model": "a"}}, "a", False),
        ({"model": "a", "file": b"x"}, "a", False),
        ({"model": "a", "file": ("name", b"x")}, "a", False),
        ({"model": "a", "image": [Path("picture")]}, "a", False),
        ({"model": "a", "input": [1, 2, 3]}, "a", False),
    ],
)
def test_the_model_is_the_one_that_the_server_will_read(
    client: openai.OpenAI, kwargs: dict[str, Any], model: str | None, *, opaque: bool
) -> None:
    found = describe(client.embeddings.create, (), kwargs)

    assert found is not None
    assert replace(found, why="") == Described(
        model=model, host="api.scaleway.ai", path="/v1/", opaque=opaque
    )
    assert bool(found.why) == opaque


def test_the_clients_own_verbs_are_read_as_the_sdk_sends_them(
    client: openai.OpenAI,
) -> None:
    body = {"model": "glm-5.2"}

    here = describe(client.post, ("/chat/completions",), {"body": body})
    elsewhere = describe(client.post, (f"{CN}/chat/completions",), {"body": body})
    raw = describe(client.post, ("/chat/completions",), {"content": b"{}"})
    changed = describe(
        client.post,
        ("/x",),
        {"body": body, "options": {"extra_json": {"model": "b"}}},
    )

    assert here == Described(
        model="glm-5.2", host="api.scaleway.ai", path="/v1/chat/completions"
    )
    assert elsewhere.host == "open.bigmodel.cn"
    assert (raw.model, raw.opaque) == (None, True)
    assert changed.model == "b"


def test_azure_names_the_deployment_in_its_path() -> None:
    with openai.AzureOpenAI(
        azure_endpoint="https://acme.openai.azure.com",
        azure_deployment="dep-a",
        api_key="none",
        api_version="2026-01-01",
    ) as client:
        assert describe(client.chat.completions.create, (), ASK) == Described(
            model="glm-5.2",
            host="acme.openai.azure.com",
            path="/openai/deployments/dep-a/",
        )


@pytest.mark.parametrize(
    ("base_url", "host"),
    [
        ("https://API.Scaleway.AI/v1", "api.scaleway.ai"),
        ("https://api.scaleway.ai:443/v1", "api.scaleway.ai"),
        ("https://api.scaleway.ai:8443/v1", "api.scaleway.ai:8443"),
        ("https://api.scaleway.ai@evil.example/v1", "evil.example"),
        ("http://[::1]:80/v1", "[::1]"),
    ],
)
def test_the_host_is_the_one_that_is_connected_to(base_url: str, host: str) -> None:
    with openai.OpenAI(base_url=base_url, api_key="none") as client:
        assert describe(client.chat.completions.create, (), ASK).host == host


def test_what_is_bound_to_no_client_is_unknown(client: openai.OpenAI) -> None:
    for thing in (openai.OpenAI, lambda: client.chat.completions.create(**ASK)):
        described = describe(thing, (), {})
        assert described == Described(opaque=True, why=described.why)
        assert "@guard.guarded" in described.why
    assert adapter.describe(print, (), {}) is None


@pytest.mark.parametrize(
    ("place", "resource"),
    [
        ("realtime", "connect"),
        ("responses", "connect"),
        ("beta.realtime", "connect"),
    ],
)
@pytest.mark.parametrize("kind", [openai.OpenAI, openai.AsyncOpenAI])
def test_a_protected_client_and_its_copies_open_no_web_socket(
    guard: Guard, kind: Any, place: str, resource: str
) -> None:
    protected = guard.protect(kind(base_url=FR, api_key="none"))
    for client in (protected, protected.with_options(timeout=3)):
        owner: Any = client
        for name in place.split("."):
            owner = getattr(owner, name)
        with pytest.raises(CannotProtect, match="web sockets"):
            getattr(owner, resource)(model="glm-5.2")
        with pytest.raises(CannotProtect, match="web sockets"):
            guard.bind(**TICKETS).call(getattr(owner, resource), model="glm-5.2")


def test_a_client_that_is_not_protected_opens_web_sockets_as_before(
    guard: Guard, client: openai.OpenAI
) -> None:
    with openai.OpenAI(base_url=FR, api_key="none") as other:
        guard.protect(other)

        manager = client.realtime.connect(model="glm-5.2")

    assert type(manager).__name__ == "RealtimeConnectionManager"


def test_a_protected_client_tells_nobody_where_a_web_socket_would_go(
    guard: Guard,
) -> None:
    """A framework that opens sockets itself takes the address from the client."""
    with openai.OpenAI(base_url=FR, api_key="none") as client:
        if not hasattr(client, "websocket_base_url"):
            pytest.skip(f"openai {openai.__version__} has no such address")
        guard.protect(client)
        for known in (client, client.with_options(max_retries=1)):
            address: Any = known.websocket_base_url
            assert httpx2.URL(address).host.endswith(".invalid")
            with pytest.raises(CannotProtect, match="web socket"):
                str(address)


def test_a_web_socket_goes_where_its_own_address_says(guard: Guard) -> None:
    with openai.OpenAI(
        base_url=FR, api_key="none", websocket_base_url="wss://open.bigmodel.cn/v1"
    ) as client:
        described = describe(client.realtime.connect, (), {"model": "glm-5.2"})

    assert described.host == "open.bigmodel.cn"


def test_every_connect_of_the_sdk_refuses_a_protected_client(guard: Guard) -> None:
    program = """
import ast, importlib, inspect, pkgutil
from pathlib import Path
import openai, openai.resources
from openai._resource import AsyncAPIResource, SyncAPIResource
from policyguard.integrations.openai_sockets import refuse_sockets
refuse_sockets(openai.OpenAI(api_key="none"))
found = open_ones = 0
opened_by = set()
for info in pkgutil.walk_packages(openai.resources.__path__, "openai.resources."):
    module = importlib.import_module(info.name)
    for kind in vars(module).values():
        if inspect.isclass(kind) and "connect" in vars(kind):
            if issubclass(kind, (SyncAPIResource, AsyncAPIResource)):
                found += 1
                open_ones += not hasattr(vars(kind)["connect"], "__policyguard__")
for path in Path(openai.__file__).parent.rglob("*.py"):
    source = path.read_text("utf-8")
    for node in ast.walk(ast.parse(source if "ConnectionManager(" in source else "")):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            made = [item for item in ast.walk(node) if isinstance(item, ast.Call)]
            names = [ast.unparse(item.func) for item in made]
            if any(name.endswith("ConnectionManager") for name in names):
                opened_by.add(node.name)
print(found >= 4, open_ones, *opened_by)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    # Nothing else of the SDK makes what opens a web socket.
    assert done.stdout == "True 0 connect\n"


def test_only_a_client_of_the_sdk_can_be_protected(
    guard: Guard, client: openai.OpenAI
) -> None:
    with pytest.raises(CannotProtect, match="OpenAI"):
        guard.protect(client.chat)
    client.close()
    with pytest.raises(CannotProtect, match="closed"):
        guard.protect(client)


def test_copies_share_the_protection_and_other_http_clients_do_not(
    guard: Guard,
) -> None:
    with Loopback() as server:
        protected = openai.OpenAI(
            base_url=CN, api_key="none", http_client=server.client(httpx2)
        )
        guard.bind(**TICKETS).protect(protected)
        moved = protected.copy(http_client=server.client(httpx2))
        with protected, moved:
            with pytest.raises(openai.PermissionDeniedError):
                protected.with_options(base_url=CN).chat.completions.create(**ASK)
            assert server.hits == {}
            moved.chat.completions.create(**ASK)
            assert server.hits == {"open.bigmodel.cn": 1}
            with pytest.raises(NotAllowed):
                guard.bind(**TICKETS).call(moved.chat.completions.create, **ASK)


def test_policyguard_and_its_adapters_import_no_http_client() -> None:
    program = (
        "import sys, policyguard, policyguard.integrations.openai\n"
        "import policyguard.integrations.httpx\n"
        "print(sorted({'httpx', 'httpx2', 'openai'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"


def test_a_client_made_of_a_protected_http_client_opens_no_web_socket(
    tmp_path: Path,
) -> None:
    program = """
import sys
from pathlib import Path
import openai
from policyguard import CannotProtect, Guard, Settings
from policyguard.settings import TrailSettings
try:
    import httpx2 as http
    known = http.Client()
    openai.OpenAI(api_key="none", http_client=known)
except TypeError:
    import httpx as http
    known = http.Client()
settings = Settings(trail=TrailSettings(directory=Path(sys.argv[1])))
with Guard(settings=settings) as guard:
    guard.protect(known)
    client = openai.OpenAI(api_key="none", http_client=known)
    for place in ("realtime", "responses"):
        connect = getattr(getattr(client, place, None), "connect", None)
        try:
            print("opened" if connect else "unknown", connect and connect(model="m"))
        except CannotProtect:
            print("refused")
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "trail")],
        capture_output=True,
        text=True,
        check=True,
    )

    # Older versions of the SDK know fewer of them.
    assert set(done.stdout.splitlines()) <= {"refused", "unknown None"}
    assert "refused" in done.stdout
