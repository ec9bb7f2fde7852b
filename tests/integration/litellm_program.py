"""Makes calls by LiteLLM behind a guard, and prints what became of each as JSON.

Usage: `python litellm_program.py FOLDER`. In a process of its own: LiteLLM takes seconds
to import, starts threads and is changed as a whole.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import logging
import os
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import httpx
import litellm
from fastapi import HTTPException
from guards import CN, FR, MESSAGES, TICKETS, guard_in
from integration.loopback import Loopback, Since
from integration.test_routing import BLOG
from litellm.llms.custom_httpx import http_handler
from litellm.realtime_api import main as realtime_api

from policyguard import (
    FROM_CONTEXT,
    ConfigurationError,
    Guard,
    context,
    denial_of,
)
from policyguard.guard.facts import context_facts
from policyguard.integrations import httpx as adapter
from policyguard.integrations import litellm as guarded

logging.disable(logging.CRITICAL)
ANTHROPIC = "https://api.anthropic.com"
AZURE = "https://acme.openai.azure.com"
NAMED = {"model": "openai/glm-5.2", "api_key": "none"}
SENT = {"messages": MESSAGES}
THERE: dict[str, Any] = {**NAMED, "api_base": CN}
HERE: dict[str, Any] = {**NAMED, "api_base": FR}
FABLE: dict[str, Any] = {"model": "anthropic/claude-fable-5", "api_key": "none"}
BEDROCK: dict[str, Any] = {
    "model": "bedrock/converse/eu.anthropic.claude-fable-5",
    "aws_access_key_id": "none",
    "aws_secret_access_key": "none",
    "aws_region_name": "eu-central-1",
}


REALTIME = litellm._arealtime
"""As whoever imports it by name before a guard is installed has it."""


PASSING = ModuleType("litellm.proxy.pass_through_endpoints.pass_through_endpoints")
"""Stands for that module of the proxy, whose own packages are not all here."""
vars(PASSING)["connect"] = socket.create_connection
sys.modules[PASSING.__name__] = PASSING


class Tried:
    """Makes calls, and notes what each came to."""

    def __init__(self, guard: Guard, server: Loopback) -> None:
        self.guard = guard
        self.server = server
        self.found: dict[str, Any] = {}
        self.cause: BaseException | None = None

    def ask(
        self,
        name: str,
        call: Callable[[], Any],
        facts: dict[str, Any] = TICKETS,
        failures: Sequence[int] = (),
    ) -> None:
        trail = Since(self.guard)
        self.server.hits.clear()
        self.server.failures = list(failures)
        try:
            with context(**facts):
                answer = call()
                if asyncio.iscoroutine(answer):
                    answer = asyncio.run(answer)
                if isinstance(answer, litellm.CustomStreamWrapper):
                    answer = list(answer)
            word = type(answer).__name__
        except Exception as error:  # noqa: BLE001 -- it is what is noted
            self.cause = error.__cause__
            decision = denial_of(error)
            word = type(error).__name__ if decision is None else "denied"
        self.found[name] = [
            word,
            sum(self.server.hits.values()),
            trail.verdicts,
            [outcome for outcome, _ in trail.endings],
        ]


class Bound:
    """Has a method that looks like a function of LiteLLM's."""

    @functools.wraps(litellm.completion)
    def completion(self, **_: Any) -> None:
        """Send to wherever it likes."""


def matrix(tried: Tried) -> None:
    """Try each operation, where it is allowed and where it is not."""
    guard = tried.guard
    tried.ask("here", lambda: litellm.completion(**HERE, **SENT))
    tried.ask("ahere", lambda: litellm.acompletion(**HERE, **SENT))
    tried.ask("stream", lambda: litellm.completion(**HERE, **SENT, stream=True))
    tried.ask("call", lambda: guard.call(litellm.completion, **HERE, **SENT))
    tried.ask("acall", lambda: guard.acall(litellm.acompletion, **HERE, **SENT))
    tried.ask("fable", lambda: litellm.completion(**FABLE, **SENT), BLOG)
    for name, fn, more in (
        ("there", litellm.completion, SENT),
        ("athere", litellm.acompletion, SENT),
        ("tstream", litellm.completion, {**SENT, "stream": True}),
        ("retries", litellm.completion, {**SENT, "num_retries": 2}),
        ("aretries", litellm.acompletion, {**SENT, "num_retries": 2}),
        ("text", litellm.text_completion, {"prompt": "canary-prompt"}),
        ("atext", litellm.atext_completion, {"prompt": "canary-prompt"}),
        ("responses", litellm.responses, {"input": "canary-prompt"}),
        ("aresponses", litellm.aresponses, {"input": "canary-prompt"}),
        ("embedding", litellm.embedding, {"input": ["canary-prompt"]}),
        ("aembedding", litellm.aembedding, {"input": ["canary-prompt"]}),
        ("image", litellm.image_generation, {"prompt": "canary-prompt"}),
        ("aimage", litellm.aimage_generation, {"prompt": "canary-prompt"}),
    ):
        tried.ask(name, lambda fn=fn, more=more: fn(**THERE, **more))  # type: ignore[misc]
    tried.ask("wrapped", lambda: guard.call(litellm.completion, **THERE, **SENT))
    tried.ask("fallback", lambda: litellm.completion(**THERE, **SENT, fallbacks=[HERE]))
    again_and_elsewhere(tried)
    later(tried)
    # Whatever a method looks like, what it is bound to decides where it sends.
    tried.ask("bound", lambda: guard.call(Bound().completion, **HERE, **SENT))
    tried.ask("own client", lambda: guard.call(
        litellm.completion, **HERE, **SENT, client=object()
    ))  # fmt: skip
    tried.ask("messages", lambda: litellm.anthropic_messages(
        **FABLE, **SENT, max_tokens=9
    ))  # fmt: skip


def again_and_elsewhere(tried: Tried) -> None:
    """Try each operation with what makes LiteLLM try a refused call again."""
    for fn in sorted(guarded.OPERATIONS - {"anthropic_messages"}):
        kind = fn.removeprefix("a")
        sent = SENT if kind == "completion" else {"input": ["canary-prompt"]}
        if kind in {"text_completion", "image_generation"}:
            sent = {"prompt": "canary-prompt"}
        for how, more in (
            ("again", {"num_retries": 2}),
            ("falls", {"fallbacks": [THERE]}),
        ):
            tried.ask(f"{how} {fn}", lambda fn=fn, sent=sent, more=more: getattr(  # type: ignore[misc]
                litellm, fn
            )(**THERE, **sent, **more))  # fmt: skip


def later(tried: Tried) -> None:
    """Try what turns elsewhere when its first place, which is allowed, has failed."""
    guard = tried.guard
    again: dict[str, Any] = {**HERE, **SENT, "fallbacks": [THERE], "max_retries": 0}
    for name, call in (
        ("turned", lambda: litellm.completion(**again)),
        ("aturned", lambda: litellm.acompletion(**again)),
        ("sturned", lambda: litellm.completion(**again, stream=True)),
        ("wturned", lambda: guard.call(litellm.completion, **again)),
        ("awturned", lambda: guard.acall(litellm.acompletion, **again)),
    ):
        tried.ask(name, call, failures=[400])
        if name == "aturned":
            # In the caller's view: a client of the proxy may be told of causes.
            said = str(tried.cause).partition(" [")[0]
            tried.found["cause"] = [type(tried.cause).__name__, said]
    # LiteLLM keeps the first address for a fallback that names none.
    elsewhere = {**again, "fallbacks": [{**FABLE, "api_base": ANTHROPIC}]}
    for name, call in (
        ("moved", lambda: guard.call(litellm.completion, **elsewhere)),
        ("amoved", lambda: guard.acall(litellm.acompletion, **elsewhere)),
    ):
        tried.ask(name, call, BLOG, failures=[400])


def alone(tried: Tried) -> None:
    """Try the wrapper where nothing of LiteLLM is guarded."""
    guard = tried.guard
    ask = tried.ask
    ask("alone", lambda: guard.call(litellm.completion, **THERE, **SENT))
    ask("no address", lambda: guard.call(litellm.completion, **FABLE, **SENT), BLOG)
    ask("led on", lambda: guard.call(
        litellm.completion, **HERE, **SENT, fallbacks=[THERE]
    ))  # fmt: skip
    plain = {**HERE, **SENT, "temperature": 0, "base_url": HERE["api_base"]}
    described = guarded.describe(litellm.completion, (), plain)
    tried.found["alone here"] = [described.model, described.host, described.opaque]
    host = {"Host": "open.bigmodel.cn"}
    for name, leading in {
        "two places": {"base_url": THERE["api_base"]},
        "deployment": {"deployment_id": "another"},
        "models": {"models": ["another"]},
        "host": {"extra_headers": host},
        "headers": {"headers": host},
        "specific": {"provider_specific_header": {"extra_headers": host}},
        "query": {"extra_query": {"model": "another"}},
        "of nobody": {"what_nobody_knows": 1},
    }.items():
        ask(f"led by {name}", lambda leading=leading: guard.call(
            litellm.completion, **HERE, **SENT, **leading
        ))  # fmt: skip
    litellm.model_alias_map = {NAMED["model"]: "openai/another"}
    ask("aliased", lambda: guard.call(litellm.completion, **HERE, **SENT))
    litellm.model_alias_map = {}


def providers(tried: Tried) -> None:
    """Try each provider that is known, and some that are not."""
    for provider in sorted(guarded.PROVIDERS - {"bedrock", "azure", "anthropic"}):
        given = {"model": f"{provider}/glm-5.2", "api_key": "none", **SENT}
        if provider == "hosted_vllm":
            given["api_base"] = CN
        for kind, fn in (("", litellm.completion), ("a", litellm.acompletion)):
            tried.ask(f"{kind}{provider}", lambda fn=fn, given=given: fn(**given))  # type: ignore[misc]
    azure = {"model": "azure/dep", "api_base": AZURE, "api_version": "2024-10-21"}
    for name, given in (("azure", {**azure, "api_key": "none"}), ("bedrock", BEDROCK)):
        tried.ask(name, lambda given=given: litellm.completion(**given, **SENT))  # type: ignore[misc]
        tried.ask(f"a{name}", lambda given=given: litellm.acompletion(**given, **SENT))  # type: ignore[misc]
    tried.ask("aiohttp", lambda: litellm.acompletion(
        model="aiohttp_openai/glm-5.2", api_base=FR, api_key="none", **SENT
    ))  # fmt: skip
    tried.ask("ocr", lambda: litellm.ocr(
        model="mistral/ocr", document={"type": "document_url", "document_url": FR}
    ))  # fmt: skip
    tried.ask("rerank", lambda: litellm.rerank(
        model="cohere/rerank", query="canary", documents=["canary"]
    ))  # fmt: skip


def routers(tried: Tried) -> None:
    """Try Routers, with one deployment and with two, without the hooks and with them."""
    places = [{"model_name": "chat", "litellm_params": item} for item in (THERE, HERE)]
    also = [{**item, "model_name": "also"} for item in places]
    quick = {"num_retries": 1, "retry_after": 0, "disable_cooldowns": True}
    one = litellm.Router(model_list=places[:1], **quick)
    tried.ask("router", lambda: one.completion(model="chat", **SENT))
    tried.ask("arouter", lambda: one.acompletion(model="chat", **SENT))
    two = litellm.Router(model_list=[places[0], dict(places[0])], **quick)
    tried.ask("router of two", lambda: two.completion(model="chat", **SENT))
    tried.ask("arouter of two", lambda: two.acompletion(model="chat", **SENT))
    for name, given in (
        ("aembedding", {"input": ["canary-prompt"]}),
        ("aresponses", {"input": "canary-prompt"}),
    ):
        call = getattr(one, name)
        tried.ask(f"router {name}", lambda call=call, given=given: call(  # type: ignore[misc]
            model="chat", **given
        ))  # fmt: skip
    # By chance it goes to one or the other.
    chance = litellm.Router(model_list=places, **quick)
    for number in range(4):
        tried.ask(f"chance {number}", lambda: chance.completion(model="chat", **SENT))
    # What is wrapped is unknown: its name is a group's, whatever it looks like.
    named = litellm.Router(
        model_list=[{**places[0], "model_name": NAMED["model"]}], **quick
    )
    tried.ask("wrapped router", lambda: tried.guard.call(
        named.completion, model=NAMED["model"], api_base=FR, **SENT
    ))  # fmt: skip
    falling = litellm.Router(
        model_list=[places[1], also[0]], fallbacks=[{"chat": ["also"]}], **quick
    )
    for name, fallen in (
        ("fell", lambda: falling.completion(model="chat", **SENT)),
        ("afell", lambda: falling.acompletion(model="chat", **SENT)),
        ("fell text", lambda: falling.atext_completion(model="chat", prompt="canary")),
        ("fell embedding", lambda: falling.aembedding(model="chat", input=["canary"])),
        ("fell responses", lambda: falling.aresponses(model="chat", input="canary")),
    ):
        tried.ask(name, fallen, failures=[400])
    litellm.callbacks = [guarded.router_hooks(tried.guard)]
    both = litellm.Router(model_list=places, **quick)
    for number in range(3):
        tried.ask(f"routed {number}", lambda: both.acompletion(model="chat", **SENT))
    none = litellm.Router(model_list=places[:1], **quick)
    tried.ask("nowhere", lambda: none.acompletion(model="chat", **SENT))
    litellm.callbacks = []


class Browser:
    """Is the web socket by which a client is connected to LiteLLM's proxy."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.query_params: dict[str, str] = {}
        self.scope: dict[str, Any] = {"headers": []}

    def __getattr__(self, _: str) -> Any:
        async def said(*_: Any, **__: Any) -> str:
            return json.dumps({"type": "response.create", "input": "canary-prompt"})

        return said


def sockets(tried: Tried) -> int:
    """Try what opens web sockets, and return how many connections there were."""
    connected = 0
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            nonlocal connected
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                connected += 1
                connection.close()

        threading.Thread(target=serve, daemon=True).start()
        base = f"http://127.0.0.1:{listening.getsockname()[1]}"
        given = {"model": "openai/glm-5.2", "api_base": base, "api_key": "none"}
        router = litellm.Router(
            model_list=[{"model_name": "chat", "litellm_params": given}], num_retries=0
        )
        opened = {**given, "websocket": Browser()}
        for name in ("_arealtime", "_aresponses_websocket"):
            own, routed = getattr(litellm, name), getattr(router, name)
            tried.ask(f"socket {name}", lambda own=own: own(**opened))  # type: ignore[misc]
            tried.ask(f"socket router {name}", lambda routed=routed: routed(  # type: ignore[misc]
                model="chat", websocket=Browser()
            ))  # fmt: skip
        tried.ask("socket imported", lambda: REALTIME(**opened))
        tried.ask("socket passed on", lambda: PASSING.connect(listening.getsockname()))
        for name, check in (
            ("health", litellm.realtime_health_check),
            ("imported health", realtime_api.realtime_health_check),
        ):
            tried.ask(f"socket {name}", lambda check=check: check(  # type: ignore[misc]
                model="glm-5.2", custom_llm_provider="openai", api_base=base,
                api_key="none",
            ))  # fmt: skip
    return connected


def proxied(guard: Guard) -> dict[str, Any]:
    """Run the hooks of the proxy as it would, in the task of each request."""
    rest = {name: value for name, value in TICKETS.items() if name != "caller"}
    hooks = guarded.proxy_hooks(guard.bind(caller=FROM_CONTEXT, **rest))
    places = [{"litellm_params": item} for item in (THERE, HERE)]
    found: dict[str, Any] = {}

    async def request(name: str, key: Any, given: list[Any]) -> None:
        try:
            await hooks.async_pre_call_hook(
                user_api_key_dict=key, cache=None, data={}, call_type="acompletion"
            )
            left = await hooks.async_filter_deployments("chat", given)
        except HTTPException as error:
            told: Any = error.detail
            found[name] = [error.status_code, told["error"]]
            return
        except litellm.PermissionDeniedError as error:
            known: Any = error
            fields = known.provider_specific_fields["error"]
            found[name] = [str(error), known.type, known.code, fields]
            return
        caller = context_facts().caller
        hosts = [item["litellm_params"]["api_base"] for item in left]
        found[name] = [caller and caller.id, hosts]

    alice = SimpleNamespace(user_id="alice", api_key="hash", end_user_id="mallory")
    for name, key, given in (
        ("user", alice, places),
        ("key", SimpleNamespace(user_id=None, api_key="ab" * 32), places),
        ("own key", SimpleNamespace(user_id=None, api_key="canary-secret"), places),
        ("nobody", SimpleNamespace(user_id=None, api_key=None), places),
        ("nowhere", alice, places[:1]),
    ):
        asyncio.run(request(name, key, given))
    found["after"] = context_facts().caller
    try:
        guarded.proxy_hooks(guard)
    except ConfigurationError as error:
        found["unbound"] = str(error)
    return found


def moved(guard: Guard) -> str:
    """Return what is said where LiteLLM makes its clients elsewhere."""
    kind = http_handler.HTTPHandler
    made = inspect.getattr_static(kind, "create_client")
    del kind.create_client
    try:
        return refusal(guard)
    finally:
        kind.create_client = made


def refusal(guard: Guard) -> str:
    """Return what is said of a guard that cannot be installed."""
    try:
        guarded.install(guard)
    except Exception as error:  # noqa: BLE001 -- it is what is noted
        return f"{type(error).__name__}: {error}"
    return "installed"


def main(folder: Path) -> None:
    """Try all of it, and print it."""
    with Loopback() as server, guard_in(folder) as guard:
        install, plain = adapter.install, litellm.completion
        routed = litellm.Router.acompletion

        def led(client: Any, by: Guard) -> None:
            # Only the last step leads here: the guard stands before it.
            if not adapter.is_protected(client):
                sync = isinstance(client, httpx.Client)
                client._mounts.clear()
                made = server.client(httpx) if sync else server.aclient(httpx)
                client._transport = made._transport
            install(client, by)

        # Its client is made, and kept, before anybody guards it.
        before = {**NAMED, **SENT, "api_base": f"{server.url}/v1", "max_retries": 0}
        litellm.completion(**before)
        adapter.install = led
        uninstall = guarded.install(guard)
        tried = Tried(guard, server)
        tried.ask("kept", lambda: litellm.completion(**before))
        for part in (matrix, providers, routers):
            part(tried)
        connected = sockets(tried)
        hooked = proxied(guard)
        said = [refusal(guard)]
        uninstall()
        uninstall()
        alone(tried)
        said.append(moved(guard))
        os.environ["LITELLM_RUST"] = "true"
        said.append(refusal(guard))
        restored = [
            litellm.completion is plain,
            litellm.client_session is None,
            litellm.Router.acompletion is routed,
            litellm._arealtime is REALTIME,
            PASSING.connect is socket.create_connection,
        ]
        tool = {"type": "function", "function": {"name": "canary_mail"}}
        described = guarded.describe(litellm.completion, (), {**HERE, "tools": [tool]})
        document = {
            "found": tried.found,
            "connected": connected,
            "offered": described and described.offered,
            "hooked": hooked,
            "said": said,
            "restored": restored,
        }
        sys.stdout.write(f"\n{json.dumps(document)}\n")
        sys.stdout.flush()
    # LiteLLM's threads would be waited for.
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
