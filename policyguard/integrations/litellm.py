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
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from policyguard.catalog.endpoints import endpoint_of
from policyguard.errors import CannotProtect, ConfigurationError
from policyguard.guard.asking import Asking
from policyguard.guard.describe import Described, Observed
from policyguard.guard.refusal import not_allowed
from policyguard.guard.running import facts_here, question
from policyguard.identity import new_id
from policyguard.integrations.litellm_clients import (
    OPERATIONS,
    PROVIDERS,
    Changes,
    change,
    provider_of,
    require_python,
)
from policyguard.integrations.wire_stream import observed_in
from policyguard.vocabulary.decision import Decision

if TYPE_CHECKING:
    from policyguard.guard.guard import Guard

__all__ = [
    "OPERATIONS",
    "PROVIDERS",
    "describe",
    "install",
    "observe",
    "protect",
    "router_hooks",
]
_HOSTS: Final[Mapping[str, str]] = {
    "anthropic": "https://api.anthropic.com",
    "openai": "https://api.openai.com",
}
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
        raise ConfigurationError(
            "LiteLLM is not installed: pip install 'policyguard-ai[litellm]'"
        ) from error
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


def router_hooks(guard: Guard) -> Any:
    """Return a logger for `litellm.callbacks` by which a Router takes what is permitted.

    Of the deployments that the Router could take, those are left that no rule objects to,
    for the facts of `policyguard.context(…)`. If none is left, the refusal is raised, with
    its record. It narrows a choice, and guards nothing: `install` does.

    Args:
        guard: Is asked about each deployment; only a refusal leaves a record.
    """
    from litellm.integrations.custom_logger import CustomLogger

    async def async_filter_deployments(
        _self: Any,
        model: str,  # noqa: ARG001 -- LiteLLM gives it by this name
        healthy_deployments: list[Any],
        *_: Any,
        **__: Any,
    ) -> list[Any]:
        return _permitted(guard, healthy_deployments)

    kind = type(
        "PolicyRouting",
        (CustomLogger,),
        {"async_filter_deployments": async_filter_deployments},
    )
    return kind()


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
    try:
        given = dict(inspect.signature(known).bind(*args, **kwargs).arguments)
        given = {**given.pop("kwargs", {}), **given}
    except TypeError:
        return Described(opaque=True)
    if given.get("client") is not None or given.get("extra_body") is not None:
        # It goes where the client goes, or the body says something else.
        return Described(opaque=True)
    return _place_of(given)


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


def _place_of(given: Mapping[str, Any]) -> Described:
    name, provider, base = provider_of(given)
    if name is None or provider is None:
        return Described(opaque=True)
    if provider == "bedrock":
        model = name.removeprefix("converse/").removeprefix("invoke/")
        region = given.get("aws_region_name")
        host = f"https://bedrock-runtime.{region}.amazonaws.com" if region else None
        path = f"/model/{quote(model, safe='')}/converse"
        return Described(model=model, host=endpoint_of(base or host or ""), path=path)
    host = endpoint_of(str(base or _HOSTS.get(provider, "")))
    path = f"/openai/deployments/{name}/" if provider == "azure" else ""
    return Described(model=name, host=host, path=path)


def _permitted(guard: Guard, deployments: list[Any]) -> list[Any]:
    """Return the deployments that may be used.

    Raises:
        NotAllowed: none may.
    """
    core = guard.core
    facts = facts_here(guard)
    asking = Asking(call_id=new_id(), layer="call")
    policy = core.policies.current
    left, refused = [], None
    for deployment in deployments:
        known = _place_of(dict(deployment.get("litellm_params") or {}))
        put = question(core, described=known, facts=facts, asking=asking)
        if isinstance(put, Decision):
            raise not_allowed(put)
        found = core.consider(put, asking=_tried(asking), policy=policy)
        if found.allowed or (found.code is None and not found.enforced):
            left.append(deployment)
        else:
            refused = refused or put
    if refused is not None and not left:
        decision = core.decide(refused, asking=asking)
        if not decision.goes_ahead:
            raise not_allowed(decision)
    return left


def _tried(asking: Asking) -> Asking:
    return Asking(call_id=asking.call_id, kind="check", offers=False)
