"""Guards what LiteLLM sends, and lets its Router choose among what rules permit.

    uninstall = litellm.install(guard)
    guard.call(litellm.completion, model="openai/glm-5.2", api_base=…, messages=…)

LiteLLM has hooks, and none of them is used to refuse a call: an exception in one is
swallowed, or the call is made all the same when it is retried. What is guarded are the
HTTP clients that LiteLLM makes, where it makes them, so that each attempt, fallback and
choice of its Router is asked about as it is sent. What is known to go past them is
refused.

Owner: `install` changes LiteLLM for the whole process, until it is taken back. Whoever
holds a client that LiteLLM made before has one that nobody guards.

INVARIANT: after `install` a public function of LiteLLM either sends through clients that
are guarded, or raises.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from policyguard.errors import CannotProtect, ConfigurationError
from policyguard.guard.describe import Described, Observed
from policyguard.integrations.litellm_clients import (
    OPERATIONS,
    PROVIDERS,
    Changes,
    change,
    require_python,
)
from policyguard.integrations.litellm_proxy import facts_of_key, proxy_hooks
from policyguard.integrations.litellm_routing import MISSING, place_of, router_hooks
from policyguard.integrations.wire_stream import observed_in
from policyguard.integrations.wire_tools import offered_in

if TYPE_CHECKING:
    from policyguard.guard.guard import Guard

__all__ = [
    "OPERATIONS",
    "PROVIDERS",
    "describe",
    "facts_of_key",
    "install",
    "observe",
    "protect",
    "proxy_hooks",
    "router_hooks",
]
_HIDING: Final = frozenset({"client", "extra_body"})
_PLAIN: Final = frozenset(
    """
    api_base api_key api_version audio background base_url best_of custom_llm_provider
    dimensions documents echo encoding_format file frequency_penalty function_call
    functions include input instructions keywords language languages logit_bias logprobs
    max_completion_tokens max_output_tokens max_retries max_tokens max_tokens_per_doc
    messages metadata modalities model n num_retries organization parallel_tool_calls
    prediction presence_penalty prompt prompt_cache_key prompt_cache_retention quality
    query rank_fields reasoning reasoning_effort response_format return_documents
    safety_identifier seed service_tier size speed stop store stream stream_options
    style suffix temperature text text_format thinking timeout timestamp_granularities
    tool_choice tools top_k top_logprobs top_n top_p truncation user verbosity voice
    web_search_options
    """.split()  # noqa: SIM905 -- words are read as words
)
"""Arguments that leave a call where its model and its address say. By others LiteLLM may
take it elsewhere, and tells of the first place even in the answer. Where all that it sends
is guarded each place is asked about."""
_SETTINGS: Final = ("model_alias_map", "model_fallbacks", "default_fallbacks")
"""Settings of LiteLLM's that do."""
_INSTALLING: Final = threading.Lock()
_INSTALLED: list[Callable[[], None]] = []


def install(guard: Guard) -> Callable[[], None]:
    """Guard what LiteLLM sends from now on, in the whole process.

    Args:
        guard: Is asked before each request; facts come from it and from
            `policyguard.context(…)`.

    Returns:
        What takes it back.

    Raises:
        CannotProtect: this LiteLLM makes its clients elsewhere, or sends by Rust.
        ConfigurationError: the extra is missing, or a guard is installed already.
    """
    try:
        import litellm
    except ImportError as error:
        raise ConfigurationError(MISSING) from error
    with _INSTALLING:
        if _INSTALLED:
            raise ConfigurationError(
                "a guard is installed in LiteLLM already: take it back first, or bind"
                " what differs with `policyguard.context(…)`"
            )
        require_python(litellm)
        changes = Changes()
        try:
            change(changes, litellm, guard)
        except BaseException:
            changes.undo()
            raise
        _INSTALLED.append(changes.undo)

    def uninstall() -> None:
        with _INSTALLING:
            if changes.undo in _INSTALLED:
                _INSTALLED.remove(changes.undo)
                changes.undo()
                litellm.in_memory_llm_clients_cache.flush_cache()

    return uninstall


def describe(
    fn: Callable[..., object], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Described | None:
    """Say what a public function of LiteLLM would send where; `None`: it is another.

    Args:
        fn: As `litellm.completion`.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
    """
    known: Any = inspect.unwrap(fn)
    if getattr(known, "__name__", "") not in OPERATIONS:
        return None
    if inspect.ismethod(fn) or inspect.ismethod(known):
        # A Router's: `model` names a group of deployments, whatever it looks like.
        return Described(opaque=True, why="a Router chooses where it goes")
    try:
        given = dict(inspect.signature(known).bind(*args, **kwargs).arguments)
        given = {**given.pop("kwargs", {}), **given}
    except TypeError:
        return Described(opaque=True)
    hidden = _hiding(given)
    found = Described(opaque=True, why=hidden) if hidden else place_of(given)
    return replace(found, offered=offered_in(given))


def _hiding(given: Mapping[str, Any]) -> str:
    """Say what may lead a call elsewhere than its arguments say; empty: nothing."""
    import litellm

    known = given.keys() & _HIDING if _INSTALLED else given.keys() - _PLAIN
    found = sorted(name for name in known if given[name] is not None)
    if found or _INSTALLED:
        return f"`{found[0]}` may lead it elsewhere" if found else ""
    places = {given.get("api_base") or None, given.get("base_url") or None} - {None}
    if not places:
        return "it has no `api_base`, and LiteLLM may find one: give it, or `install`"
    if len(places) > 1:
        return "`api_base` and `base_url` name two places"
    found = [name for name in _SETTINGS if getattr(litellm, name, None)]
    return f"`litellm.{found[0]}` may lead it elsewhere" if found else ""


def observe(result: object) -> Observed:
    """Say what an answer of LiteLLM's tells of the model that served it."""
    if isinstance(result, Mapping):
        return observed_in(result)
    if not hasattr(result, "model_dump"):
        return Observed(stream=True)
    known: Any = result
    return observed_in(known.model_dump())


def protect(client: object, guard: Guard) -> None:
    """Refuse: what is guarded is LiteLLM itself.

    Raises:
        CannotProtect: always, with what to do.
    """
    del guard
    raise CannotProtect(
        f"a `{type(client).__qualname__}` of LiteLLM has no client of its own: guard all"
        " that LiteLLM sends with `policyguard.integrations.litellm.install(guard)`"
    )
