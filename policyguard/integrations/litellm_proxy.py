"""Names who calls LiteLLM's proxy, and answers them in their own view.

    guard = Guard.from_config().bind(caller=FROM_CONTEXT, purpose="inference", …)
    install(guard)
    policy = proxy_hooks(guard)

The proxy runs its hooks before a call in the task of the request, so what is declared
there counts for all that the request sends. What a hook raises is told to the client:
it is the caller's view of a refusal, never what decided it.

INVARIANT: what a client can type is never a caller. The key that LiteLLM has verified
names one, and a request of which no hook ran has none and is refused by the guard.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from policyguard.errors import CallerRefused, ConfigurationError, NotAllowed
from policyguard.guard.events import log
from policyguard.guard.facts import declare
from policyguard.guard.messages import caller_message, caller_view, objections
from policyguard.integrations.litellm_routing import logger, permitted
from policyguard.vocabulary.decision import Decision

if TYPE_CHECKING:
    from policyguard.guard.guard import Guard

Facts: TypeAlias = Mapping[str, Any]
FactsOf: TypeAlias = Callable[[Any], Facts]
_STATUS: Final = 403
_TYPE: Final = "policy_denied"
_HASH: Final = re.compile(r"[0-9a-f]{64}")


def facts_of_key(key: Any) -> Facts:
    """Return the caller that a verified key names: its user, or else the key itself.

    Not its end user, whom the client names; nor its metadata, which whoever may make
    keys can write.

    Args:
        key: LiteLLM's `UserAPIKeyAuth`; its `api_key` is a hash where the key begins
            with `sk-`, and is hashed here where it is none.

    Raises:
        CallerRefused: it names neither.
    """
    user, token = getattr(key, "user_id", None), getattr(key, "api_key", None)
    if user:
        return {"caller": user}
    if not token:
        raise CallerRefused("the key names no user and is none", reason="no_id")
    # INVARIANT: a secret is nobody's name.
    known = _HASH.fullmatch(token)
    return {"caller": f"key:{token if known else sha256(token.encode()).hexdigest()}"}


def proxy_hooks(guard: Guard, *, facts: FactsOf = facts_of_key) -> Any:
    """Return a logger for the callbacks of LiteLLM's proxy: who calls, and what is left.

    Each request runs with the facts of its key. Of the deployments that the Router could
    take, those are left that no rule objects to; if none is, the client is told so with
    status 403, in the caller's view. It guards nothing: `install` does.

    Args:
        guard: The one that is installed, bound with `caller=FROM_CONTEXT`.
        facts: Returns what `policyguard.context` takes, for LiteLLM's `UserAPIKeyAuth`.
            What it raises ends the request, before anything of it is sent.

    Raises:
        ConfigurationError: the guard would take another caller than the key's, or the
            extra is missing.
    """
    if not guard.facts.caller_awaited:
        raise ConfigurationError(
            "this guard would not wait for the caller of a request: bind it with"
            " `caller=FROM_CONTEXT`"
        )

    async def async_pre_call_hook(
        _self: Any, user_api_key_dict: Any, *_: Any, **__: Any
    ) -> None:
        try:
            declare(**facts(user_api_key_dict))
        except CallerRefused as refused:
            from fastapi import HTTPException  # as the proxy has it

            log.warning("caller.refused", reason=refused.reason)
            said = f"the caller could not be named: {refused.reason}"
            told = {"error": {"message": said, "type": _TYPE}}
            raise HTTPException(refused.status, told) from None

    async def async_filter_deployments(
        _self: Any,
        model: str,  # noqa: ARG001 -- LiteLLM gives it by this name
        healthy_deployments: list[Any],
        *_: Any,
        **__: Any,
    ) -> list[Any]:
        try:
            return permitted(guard, healthy_deployments)
        except NotAllowed as refused:
            raise _denied(refused.decision) from None

    return logger(
        "PolicyProxy",
        {
            "async_pre_call_hook": async_pre_call_hook,
            "async_filter_deployments": async_filter_deployments,
        },
    )


def _denied(decision: Decision) -> Exception:
    """Return a refusal as an error of LiteLLM's, with what the proxy tells of it.

    A Router does not try it again, and turns to its fallbacks; an `HTTPException` would
    end the request.
    """
    import httpx
    from litellm import PermissionDeniedError

    view, said = caller_view(decision), caller_message(decision)
    answer = httpx.Response(_STATUS, request=httpx.Request("POST", "https://localhost"))
    found: Any = PermissionDeniedError(said, "", "", response=answer)
    found.message, found.type = said, _TYPE
    found.code = decision.code or next((item.id for item in objections(decision)), None)
    found.provider_specific_fields = {"error": view}
    made: Exception = found
    return made
