"""Knows the chat models and embeddings of LangChain, and its agents.

    guard.protect(ChatOpenAI(model=…))
    guard.call(model.invoke, messages)
    create_agent(model, tools, middleware=[…, agent_middleware(guard)])

`protect` guards the SDK's clients under a model, both of them. `agent_middleware` knows
the call as the agent makes it, and gives better errors; an agent's fallbacks and
summaries reach models that it does not see, so protect those too. `callback` is for
models whose clients nobody can reach: it asks before LangChain calls them, about the
address that LangChain tells, and cannot see where a call really goes.

Owner: a callback remembers the calls that run, by LangChain's ids; a crash leaves them
without an outcome.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from policyguard.catalog.endpoints import endpoint_of
from policyguard.errors import CannotProtect, ConfigurationError
from policyguard.guard.asking import Asking
from policyguard.guard.describe import Described, Observed
from policyguard.guard.obligations import PARAMETERS
from policyguard.guard.outcomes import record_outcome
from policyguard.guard.persons import NOBODY
from policyguard.guard.recording import Ending, prompt_of
from policyguard.guard.refusal import not_allowed
from policyguard.guard.running import facts_here, found_in, question
from policyguard.identity import new_id
from policyguard.integrations.sdk_around import around
from policyguard.integrations.sdk_methods import described_by
from policyguard.integrations.tools import (
    ToolCall,
    Tools,
    described,
    named,
    sends_nothing,
)
from policyguard.integrations.wire_batch import contents_of
from policyguard.integrations.wire_tools import offered_in
from policyguard.vocabulary.decision import Decision

if TYPE_CHECKING:
    from langchain.agents.middleware import AgentMiddleware
    from langchain_core.callbacks import BaseCallbackHandler

    from policyguard.guard.guard import Guard

_CLIENTS: Final = (
    "root_client",
    "root_async_client",
    "_client",
    "_async_client",
    "client",
    "async_client",
)
"""Attributes under which models and embeddings keep an SDK's clients."""
_MODELS: Final = ("model_name", "model")
_ADDRESSES: Final = ("openai_api_base", "anthropic_api_url", "base_url")
"""Where a model's own description tells its address."""
_MISSING: Final = "LangChain is not installed: pip install 'policyguard-ai[langchain]'"


def describe(
    fn: Callable[..., object], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Described | None:
    """Say what a method of a model would send where; `None`: it is none.

    Args:
        fn: As `model.invoke`, or a step of an agent.
        args: Its positional arguments.
        kwargs: Its keyword arguments, of which `model` wins over the model's own.
    """
    del args
    if isinstance(fn, _Tool):
        return fn.described
    owner = getattr(fn, "__self__", None)
    clients = list(clients_of(owner)) if is_model(owner) else []
    if not clients:
        # A runnable around a model passes on the model's attributes, and more.
        return None
    arguments = _arguments(fn, owner, kwargs)
    if arguments is None:
        return Described(opaque=True, why="what LangChain will send cannot be read")
    found = [described_by(client, arguments) for client in clients]
    if any(item != found[0] for item in found):
        return Described(opaque=True, why="the clients of a model differ")
    return found[0]


def observe(result: object) -> Observed:
    """Say what a message, or the answer of an agent's step, tells of who served it."""
    messages = getattr(result, "result", None)
    message = messages[0] if isinstance(messages, list) and messages else result
    usage = getattr(message, "usage_metadata", None)
    said = getattr(message, "response_metadata", None)
    if not isinstance(said, Mapping):
        return Observed(stream=True)
    counts = usage if isinstance(usage, Mapping) else {}
    served = said.get("model_name")
    return Observed(
        served_model=served if isinstance(served, str) else None,
        input_tokens=counts.get("input_tokens"),
        output_tokens=counts.get("output_tokens"),
    )


def protect(model: object, guard: Guard) -> None:
    """Guard the clients under a model or embeddings, in place.

    Raises:
        CannotProtect: it has no clients that are known, or only for one of
            synchronous and asynchronous calls.
    """
    clients = list(clients_of(model))
    kinds = {inspect.iscoroutinefunction(type(item).post) for item in clients}
    if kinds != {False, True}:
        raise CannotProtect(
            f"a `{type(model).__qualname__}` has no clients that are known for both"
            " synchronous and asynchronous calls: protect the model under it, or give it"
            " `policyguard.integrations.langchain.callback(guard)`"
        )
    for client in clients:
        guard.protect(client)


def agent_middleware(
    guard: Guard, *, tools: Tools | None = None
) -> AgentMiddleware[Any, Any, Any]:
    """Return a middleware for `create_agent`: each step that calls a model is asked about.

    Put it last, so that it sees what the others have made of a call.

    Args:
        guard: Is asked.
        tools: Where each tool sends its arguments, as an address, or `None` for one that
            sends nothing: then tool calls are asked about too, and others are unknown.

    Raises:
        ConfigurationError: the extra is missing, or a tool has no name for records.
    """
    try:
        from langchain.agents.middleware import AgentMiddleware
    except ImportError as error:
        raise ConfigurationError(_MISSING) from error

    def wrap_model_call(_self: Any, request: Any, handler: Callable[..., Any]) -> Any:
        return guard.call(_Step(handler, request), request)

    async def awrap_model_call(
        _self: Any, request: Any, handler: Callable[..., Awaitable[Any]]
    ) -> Any:
        return await guard.acall(_Step(handler, request), request)

    methods: dict[str, Any] = {
        "wrap_model_call": wrap_model_call,
        "awrap_model_call": awrap_model_call,
    }
    if tools is not None:
        methods |= _of_tools(guard, named(tools))
    made: AgentMiddleware[Any, Any, Any] = type(
        "PolicyMiddleware", (AgentMiddleware,), methods
    )()
    return made


def callback(guard: Guard) -> BaseCallbackHandler:
    """Return a callback that asks before a model is called, and stops what is refused.

    For models that cannot be protected. The address is what the model says of itself;
    one that says none goes to an unknown host.

    Raises:
        ConfigurationError: the extra is missing.
    """
    try:
        from langchain_core.callbacks import BaseCallbackHandler
    except ImportError as error:
        raise ConfigurationError(_MISSING) from error
    calls = _Calls(guard)
    # INVARIANT: without `raise_error` LangChain logs a refusal and makes the call; and
    # without `run_inline` it would ask in another thread, where facts may be missing.
    members = {
        "raise_error": True,
        "run_inline": True,
        "on_chat_model_start": lambda _self, *args, **more: calls.start(*args, **more),
        # LangChain tells nobody what a call of a completion model is given.
        "on_llm_start": lambda _self, told, sent, **more: calls.start(
            told, sent, **{**more, "invocation_params": None}
        ),
        "on_llm_end": lambda _self, answer, **more: calls.end(answer, **more),
        "on_llm_error": lambda _self, error, **more: calls.fail(error, **more),
    }
    made: BaseCallbackHandler = type(
        "PolicyCallback", (BaseCallbackHandler,), members
    )()
    return made


def clients_of(model: object) -> Iterator[Any]:
    """Yield the SDK's clients under a model, each once."""
    seen: set[int] = set()
    for name in _CLIENTS:
        held = getattr(model, name, None)
        for client in (held, getattr(held, "_client", None)):
            is_client = all(
                hasattr(type(client), member) for member in ("post", "base_url")
            )
            if client is not None and is_client and id(client) not in seen:
                seen.add(id(client))
                yield client
                break


def is_model(thing: object) -> bool:
    """Say whether a thing is a language model of LangChain's."""
    return any(
        kind.__name__ == "BaseLanguageModel"
        and kind.__module__ == "langchain_core.language_models.base"
        for kind in type(thing).__mro__
    )


class _Tool(ToolCall):
    """Is a call of a tool, as a callable that says whose it is."""

    __module__ = "langchain_core"


def _of_tools(guard: Guard, tools: Tools) -> dict[str, Any]:
    def wrap_tool_call(_self: Any, request: Any, handler: Callable[..., Any]) -> Any:
        name = str(request.tool_call["name"])
        if sends_nothing(name, tools):
            return handler(request)
        call = _Tool(described(name, tools), lambda: handler(request))
        return guard.call(call, request.tool_call["args"])

    async def awrap_tool_call(
        _self: Any, request: Any, handler: Callable[..., Awaitable[Any]]
    ) -> Any:
        name = str(request.tool_call["name"])
        if sends_nothing(name, tools):
            return await handler(request)
        call = _Tool(described(name, tools), lambda: handler(request))
        return await guard.acall(call, request.tool_call["args"])

    return {"wrap_tool_call": wrap_tool_call, "awrap_tool_call": awrap_tool_call}


class _Step:
    """Is one call of an agent's model, as a callable that says whose it is."""

    __module__ = "langchain_core"

    def __init__(self, handler: Callable[..., Any], request: Any) -> None:
        self.__self__ = request.model
        self.settings = dict(request.model_settings)
        self.tools = list(request.tools)
        self._handler = handler

    def __call__(self, request: Any) -> Any:
        return self._handler(request)


class _Calls:
    """Asks about calls, and records how they end."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._open: dict[Any, Decision] = {}

    def start(
        self, serialized: Mapping[str, Any] | None, sent: Any, **more: Any
    ) -> None:
        """Ask about a call.

        Raises:
            NotAllowed: it may not be made.
        """
        core = self._guard.core
        facts = facts_here(self._guard)
        content = (
            prompt_of((sent,), {}) if core.searching or core.keep_prompts else None
        )
        described = _told(serialized or {}, more.get("invocation_params"))
        asking = Asking(
            call_id=new_id(),
            prompt=content if core.keep_prompts else None,
            persons=facts.persons or NOBODY,
            found=found_in(core, content, facts=facts),
            offered=described.offered,
        )
        put = question(core, described=described, facts=facts, asking=asking)
        decision = put if isinstance(put, Decision) else core.decide(put, asking=asking)
        if not decision.goes_ahead:
            raise not_allowed(decision)
        self._open[more["run_id"]] = decision

    def end(self, answer: Any, **more: Any) -> None:
        """Record that a call was answered."""
        decision = self._open.pop(more["run_id"], None)
        if decision is not None:
            messages = [item.message for row in answer.generations for item in row[:1]]
            seen = observe(messages[0]) if len(messages) == 1 else Observed()
            ending = Ending(outcome="complete", observed=seen)
            record_outcome(self._guard.core, decision, ending)

    def fail(self, error: BaseException, **more: Any) -> None:
        """Record that a call was not answered."""
        decision = self._open.pop(more["run_id"], None)
        if decision is not None:
            stopped = not isinstance(error, Exception)
            ending = Ending(outcome="cancelled" if stopped else "error", error=error)
            record_outcome(self._guard.core, decision, ending)


def _told(serialized: Mapping[str, Any], sent: Mapping[str, Any] | None) -> Described:
    """Say what a callback is told of a call: of a model as it was made, and as it is."""
    known = serialized.get("kwargs")
    given = known if isinstance(known, Mapping) else {}
    address = next((given[name] for name in _ADDRESSES if given.get(name)), None)
    host = endpoint_of(address) if isinstance(address, str) else None
    if sent is None:
        return Described(opaque=True, host=host, why="its arguments are not told")
    model = sent.get("model") or sent.get("model_name")
    body = _together(given.get("model_kwargs"), sent.get("model_kwargs"), sent)
    if body is None or body.get("extra_body"):
        return Described(opaque=True, host=host, offered=offered_in(sent))
    named = {"model": model if isinstance(model, str) else None}
    return around(
        contents_of({**body, **named}, endpoint=""),
        host=host,
        path="",
        headers=(given.get("default_headers"), body.get("extra_headers")),
        queries=(
            given.get("default_query"),
            body.get("extra_query"),
            parse_qs(str(address).partition("?")[2]),
        ),
    )


def _arguments(
    fn: object, owner: object, kwargs: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """Return what a model gives to the SDK; `None`: it cannot be read.

    A model puts its `model_kwargs` over its own settings, and a call's over both; some
    let a setting of their own win.
    """
    own = {
        name: value
        for name in PARAMETERS
        if (value := getattr(owner, name, None)) is not None
    }
    call = {**getattr(fn, "settings", {}), **kwargs}
    more = _together(getattr(owner, "model_kwargs", None))
    if more is None or "model_kwargs" in call or {"model", "extra_body"} & more.keys():
        return None
    said = {**more, **call}
    if any(said.get(name, value) != value for name, value in own.items()):
        return None
    first = {
        "model": _first(owner, _MODELS),
        "extra_body": getattr(owner, "extra_body", None),
    }
    arguments = {**first, **own, **said}
    if arguments["extra_body"] or not isinstance(arguments["model"], str):
        return None
    return {**arguments, "tools": _tools_of(fn, arguments)}


def _together(*many: object) -> dict[str, Any] | None:
    """Return mappings put over one another; `None`: one is none."""
    known = [item for item in many if item is not None]
    if not all(isinstance(item, Mapping) for item in known):
        return None
    maps: Any = known
    return {name: value for item in maps for name, value in item.items()}


def _tools_of(fn: object, settings: Mapping[str, Any]) -> Any:
    """Return the tools of an agent's step, or of a call's arguments, as a body has them."""
    held = getattr(fn, "tools", None)
    if not held:
        # These go to the SDK as they are.
        return settings.get("tools") or ()
    return [
        item if isinstance(item, Mapping) else {"name": getattr(item, "name", None)}
        for item in held
    ]


def _first(owner: object, names: tuple[str, ...]) -> object:
    return next((getattr(owner, name) for name in names if hasattr(owner, name)), None)
