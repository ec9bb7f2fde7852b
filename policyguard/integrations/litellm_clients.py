"""Where LiteLLM makes its HTTP clients, and how they come to be guarded.

Owner: what is changed belongs to whoever holds the `Changes`, and is taken back by it.
Private names of LiteLLM are relied upon here and nowhere else.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from policyguard.errors import CannotProtect
from policyguard.guard import wire
from policyguard.guard.messages import caller_message
from policyguard.guard.refusal import denial_of, not_allowed
from policyguard.integrations import httpx

if TYPE_CHECKING:
    from policyguard.guard.guard import Guard

OPERATIONS: Final = frozenset(
    {
        "completion",
        "acompletion",
        "text_completion",
        "atext_completion",
        "embedding",
        "aembedding",
        "responses",
        "aresponses",
        "anthropic_messages",
        "image_generation",
        "aimage_generation",
    }
)
"""Public functions of which it was tried where they send."""
PROVIDERS: Final = frozenset(
    {
        "anthropic",
        "azure",
        "bedrock",
        "deepseek",
        "fireworks_ai",
        "gemini",
        "groq",
        "hosted_vllm",
        "mistral",
        "openai",
        "openrouter",
        "text-completion-openai",
        "together_ai",
    }
)
"""Providers of which it was tried; others may have a network of their own."""
_FUNNELS: Final = (
    ("litellm.llms.custom_httpx.http_handler", "HTTPHandler", "create_client"),
    ("litellm.llms.custom_httpx.http_handler", "AsyncHTTPHandler", "create_client"),
    ("litellm.llms.openai.common_utils", "BaseOpenAILLM", "_get_sync_http_client"),
    ("litellm.llms.openai.common_utils", "BaseOpenAILLM", "_get_async_http_client"),
)
"""Where LiteLLM makes its HTTP clients."""
_SOCKETS: Final = (
    ("litellm.llms.custom_httpx.llm_http_handler", "BaseLLMHTTPHandler.async_realtime"),
    (
        "litellm.llms.custom_httpx.llm_http_handler",
        "BaseLLMHTTPHandler.async_responses_websocket",
    ),
    ("litellm.llms.openai.realtime.handler", "OpenAIRealtime.async_realtime"),
    ("litellm.llms.openai.live.handler", "OpenAILiveSessions.async_live_session"),
    ("litellm.llms.azure.realtime.handler", "AzureOpenAIRealtime.async_realtime"),
    ("litellm.llms.bedrock.realtime.handler", "BedrockRealtime.async_realtime"),
    ("litellm.realtime_api.main", "realtime_health_check"),
    ("litellm", "realtime_health_check"),
    # Of its proxy, which passes web sockets on as they are.
    ("litellm.proxy.pass_through_endpoints.pass_through_endpoints", "connect"),
)
"""Where LiteLLM opens what is no HTTP client's: web sockets, and Bedrock's streams. Some
are in some versions alone, and in a process that has not loaded them none is opened."""
_ROUTES: Final = ("async_function_with_fallbacks", "function_with_fallbacks")
"""By which every method of a Router goes; newer ones have none, and no common way."""
_SHARED: Final = ("module_level_client", "module_level_aclient")


_NOTHING: Final = object()


class Changes:
    """Remembers what was changed, to take it back in reverse."""

    def __init__(self) -> None:
        self._done: list[tuple[Any, str, Any]] = []

    def put(self, owner: Any, name: str, value: Any) -> None:
        """Change an attribute."""
        self._done.append((owner, name, inspect.getattr_static(owner, name, _NOTHING)))
        setattr(owner, name, value)

    def undo(self) -> None:
        """Put back what was there."""
        while self._done:
            owner, name, value = self._done.pop()
            if value is _NOTHING:
                delattr(owner, name)
            else:
                setattr(owner, name, value)


def change(changes: Changes, litellm: Any, guard: Guard) -> None:
    """Guard what LiteLLM sends through, and refuse what it would send past that.

    Args:
        changes: Remembers what was there before.
        litellm: The library.
        guard: Is asked before each request.

    Raises:
        CannotProtect: this LiteLLM makes its clients elsewhere.
    """
    for module, kind, name in _FUNNELS:
        owner = getattr(importlib.import_module(module), kind, None)
        made = inspect.getattr_static(owner, name, None)
        if owner is None or made is None:
            raise CannotProtect(
                f"this LiteLLM has no `{kind}.{name}`, by which it made its HTTP clients:"
                " what it sends cannot be guarded"
            )
        changes.put(owner, name, _guarded_maker(made, guard))
    for name in ("client_session", "aclient_session"):
        if getattr(litellm, name, None) is not None:
            httpx.install(getattr(litellm, name), guard)
    if litellm.client_session is None:
        # Text completions take the SDK's own client if there is none.
        changes.put(litellm, "client_session", _session(guard))
    for name in _SHARED:
        shared = getattr(litellm, name, None)
        if shared is not None:
            httpx.install(shared.client, guard)
    for name, function in _public(litellm):
        changes.put(litellm, name, _checked(name, _explained(function)))
    for name, method in _of_routers(litellm.Router):
        changes.put(litellm.Router, name, _explained(method))
    _refuse_sockets(changes)
    aiohttp = importlib.import_module("litellm.llms.custom_httpx.aiohttp_handler")
    changes.put(
        aiohttp.BaseLLMAIOHTTPHandler, "_get_async_client_session", _refuse_aiohttp
    )
    # Clients that were made before are guarded by nobody.
    litellm.in_memory_llm_clients_cache.flush_cache()


def _guarded_maker(made: Any, guard: Guard) -> Any:
    """Return what makes a client, and guards it."""
    static = isinstance(made, staticmethod)
    make = made.__func__ if static else made

    @functools.wraps(make)
    def maker(*args: Any, **kwargs: Any) -> Any:
        client = make(*args, **kwargs)
        # One that is not open any more sends nothing; it is made again.
        if client is not None and not client.is_closed:
            httpx.install(client, guard)
        return client

    return staticmethod(maker) if static else maker


def _session(guard: Guard) -> Any:
    import httpx as library

    client = library.Client(follow_redirects=True, timeout=600)
    httpx.install(client, guard)
    return client


def _public(litellm: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the functions that make calls, which LiteLLM lists, or decorates and shows.

    It lists private ones too: those of its Router and of its proxy for web sockets.
    """
    from litellm.types.utils import CallTypes

    listed = {str(item.value) for item in CallTypes} | OPERATIONS
    for name in dir(litellm):
        function = None
        with suppress(Exception):
            function = getattr(litellm, name)
        shown = hasattr(function, "__wrapped__") and not name.startswith("_")
        if inspect.isroutine(function) and (shown or name in listed):
            yield name, function


def _of_routers(router: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the methods of a Router that turn to fallbacks."""
    common = [name for name in _ROUTES if hasattr(router, name)]
    for name in common or sorted(OPERATIONS):
        method = getattr(router, name, None)
        if method is not None:
            yield name, method


def _checked(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that refuses what is not known to send through the funnels."""

    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        _require_known(name, args, kwargs)
        return function(*args, **kwargs)

    return checked


def _explained(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of whose errors `denial_of` finds the refusal that led to them.

    When the last fallback is refused LiteLLM raises an error of its own, which does not
    lead to the refusal.
    """

    async def awaited(answer: Any) -> Any:
        with _explaining():
            return await answer

    @functools.wraps(function)
    def explained(*args: Any, **kwargs: Any) -> Any:
        with _explaining():
            answer = function(*args, **kwargs)
        return awaited(answer) if inspect.iscoroutine(answer) else answer

    @functools.wraps(function)
    async def aexplained(*args: Any, **kwargs: Any) -> Any:
        return await awaited(function(*args, **kwargs))

    return aexplained if inspect.iscoroutinefunction(function) else explained


@contextmanager
def _explaining() -> Iterator[None]:
    with wire.noting() as noted:
        try:
            yield
        except Exception as error:
            if not noted or denial_of(error) is not None:
                raise
            # A client of LiteLLM's proxy may be told of causes: in the caller's view.
            said = caller_message(noted[-1])
            raise error from not_allowed(noted[-1], message=said)


def _require_known(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    if name not in OPERATIONS:
        raise CannotProtect(
            f"`litellm.{name}` is not known to send through clients that are guarded"
        )
    model = kwargs.get("model", args[0] if args else None)
    provider = provider_of({**kwargs, "model": model})[1]
    if provider not in PROVIDERS:
        raise CannotProtect(
            f"the provider `{provider}` of LiteLLM is not known to send through clients"
            " that are guarded"
        )


def _refuse_sockets(changes: Changes) -> None:
    """Refuse what may have been imported by name, so that its name does not matter."""
    for module, path in _SOCKETS:
        kind, _, name = path.rpartition(".")
        owner = sys.modules.get(module)
        owner = getattr(owner, kind, None) if kind else owner
        if hasattr(owner, name):
            changes.put(owner, name, _refuse_socket)


def _refuse_socket(*_: Any, **__: Any) -> Any:
    raise CannotProtect("LiteLLM's web sockets go past the clients that are guarded")


def _refuse_aiohttp(*_: Any, **__: Any) -> Any:
    raise CannotProtect("LiteLLM's own sessions of aiohttp cannot be guarded")


def require_python(litellm: Any) -> None:
    """Refuse a LiteLLM that is told to send by Rust, or does not say whether it is.

    Raises:
        CannotProtect: it is.
    """
    bridge = getattr(litellm, "rust_bridge", None)
    with suppress(ImportError):
        from litellm.rust_bridge import configuration as bridge  # type: ignore[no-redef]
    enabled = getattr(bridge, "rust_enabled", None)
    if bridge is not None and enabled is None:
        raise CannotProtect(
            "this LiteLLM can send by Rust and does not say whether it does: take 1.105 or"
            " newer"
        )
    if enabled is not None and enabled():
        raise CannotProtect(
            "LiteLLM sends by Rust, past every client that could be guarded: unset"
            " LITELLM_RUST, and do not call `litellm.rust(True)`"
        )


def provider_of(given: Mapping[str, Any]) -> tuple[str | None, str | None, str | None]:
    """Return model, provider and base URL as LiteLLM understands them."""
    import litellm

    model = given.get("model")
    if not isinstance(model, str):
        return None, None, None
    try:
        name, provider, _, base = litellm.get_llm_provider(
            model=model,
            custom_llm_provider=given.get("custom_llm_provider"),
            api_base=given.get("api_base") or given.get("base_url"),
        )
    except Exception:  # noqa: BLE001 -- the call itself will say what is wrong
        return None, None, None
    return name, provider, base or given.get("api_base") or given.get("base_url")
