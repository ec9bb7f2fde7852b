"""Lets LiteLLM's Router choose among what rules permit.

It narrows a choice, and guards nothing: `install` does, where LiteLLM sends. The choice
is asked about again when it is sent, so that a deployment which is not what its settings
say is refused there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from policyguard.catalog.endpoints import endpoint_of
from policyguard.errors import ConfigurationError
from policyguard.guard.asking import Asking
from policyguard.guard.describe import Described
from policyguard.guard.refusal import not_allowed
from policyguard.guard.running import facts_here, question
from policyguard.identity import new_id
from policyguard.integrations.litellm_clients import provider_of
from policyguard.vocabulary.decision import Decision

if TYPE_CHECKING:
    from policyguard.guard.guard import Guard

MISSING: Final = "LiteLLM is not installed: pip install 'policyguard-ai[litellm]'"
_HOSTS: Final[Mapping[str, str]] = {
    "anthropic": "https://api.anthropic.com",
    "openai": "https://api.openai.com",
}


def router_hooks(guard: Guard) -> Any:
    """Return a logger for `litellm.callbacks` by which a Router takes what is permitted.

    Of the deployments that the Router could take, those are left that no rule objects to,
    for the facts of `policyguard.context(…)`. If none is left, the refusal is raised, with
    its record. For LiteLLM's proxy there is `proxy_hooks`.

    Args:
        guard: Is asked about each deployment; only a refusal leaves a record.

    Raises:
        ConfigurationError: the extra is missing.
    """

    async def async_filter_deployments(
        _self: Any,
        model: str,  # noqa: ARG001 -- LiteLLM gives it by this name
        healthy_deployments: list[Any],
        *_: Any,
        **__: Any,
    ) -> list[Any]:
        return permitted(guard, healthy_deployments)

    return logger(
        "PolicyRouting", {"async_filter_deployments": async_filter_deployments}
    )


def logger(name: str, members: Mapping[str, Any]) -> Any:
    """Return a logger of LiteLLM's with these members.

    Raises:
        ConfigurationError: the extra is missing.
    """
    try:
        from litellm.integrations.custom_logger import CustomLogger
    except ImportError as error:
        raise ConfigurationError(MISSING) from error
    return type(name, (CustomLogger,), dict(members))()


def permitted(guard: Guard, deployments: list[Any]) -> list[Any]:
    """Return the deployments of LiteLLM's that may be used, for the facts here.

    Args:
        guard: Is asked about each.
        deployments: As a Router's hooks get them.

    Raises:
        NotAllowed: none may.
    """
    core = guard.core
    facts = facts_here(guard)
    asking = Asking(call_id=new_id(), layer="call")
    policy = core.policies.current
    left, refused = [], None
    for deployment in deployments:
        known = place_of(dict(deployment.get("litellm_params") or {}))
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


def place_of(given: Mapping[str, Any]) -> Described:
    """Say which model is called where, by arguments of LiteLLM's or by a deployment's.

    Args:
        given: `model`, `api_base` and what else LiteLLM takes.
    """
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


def _tried(asking: Asking) -> Asking:
    return Asking(call_id=asking.call_id, kind="check", offers=False)
