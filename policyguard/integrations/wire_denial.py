"""Makes the answer that a client gets in place of a call that may not be made.

A 403 in the provider's own shape, because every SDK turns that into one typed error
and does not try again; an exception from a transport would be retried by some.
INVARIANT: what is in it comes from the caller's view of the decision, and no status
is one that a client retries.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from policyguard.guard.messages import caller_message, caller_view
from policyguard.guard.refusal import DECISION
from policyguard.vocabulary.decision import Decision

if TYPE_CHECKING:
    from httpx2 import Request, Response

_STATUS: Final = 403
_UNAVAILABLE: Final = "policy_unavailable"
_HEADERS: Final = {
    "content-type": "application/json",
    "cache-control": "no-store",
    "x-should-retry": "false",
}


def denial(request: Request, decision: Decision, *, module: Any) -> Response:
    """Return the answer that says which rule denied a request.

    Args:
        request: The request that is not sent.
        decision: The decision against it.
        module: httpx or httpx2, whichever the request belongs to.
    """
    view = caller_view(decision)
    rules = [str(rule["id"]) for rule in _objects(view["rules"])]
    error = {
        "message": caller_message(decision),
        "type": "policy_denied",
        "code": decision.code or (rules[0] if rules else _UNAVAILABLE),
        "param": None,
        "decision_id": decision.id,
        "verdict": view["verdict"],
        "rules": view["rules"],
        "permitted": view["permitted"],
        **({"requests": view["requests"]} if "requests" in view else {}),
    }
    answer = _answer(request, error, module=module)
    # Stays in the process: for `denial_of`.
    answer.extensions[DECISION] = decision
    return answer


def unavailable(request: Request, *, module: Any) -> Response:
    """Return the answer for a request that could not even be checked."""
    error = {
        "message": "not allowed: the call could not be checked",
        "type": "policy_denied",
        "code": _UNAVAILABLE,
        "param": None,
        "decision_id": None,
    }
    return _answer(request, error, module=module)


def _answer(request: Request, error: Mapping[str, object], *, module: Any) -> Response:
    decision = error["decision_id"]
    document: dict[str, object] = {"error": error}
    if _is_anthropic(request):
        document = {
            "type": "error",
            "error": {"type": "permission_error", "message": error["message"]},
            "request_id": decision,
        }
    named = {"x-policyguard-decision": decision} if decision else {}
    response: Response = module.Response(
        _STATUS,
        headers={**_HEADERS, **named},
        content=json.dumps(document, ensure_ascii=True).encode("ascii"),
        request=request,
    )
    return response


def _is_anthropic(request: Request) -> bool:
    host = request.url.host
    path = request.url.path.rstrip("/")
    # Clouds have paths of their own for it: there the SDK's name tells.
    agent = request.headers.get("user-agent", "").removeprefix("Async")
    return (
        agent.startswith("Anthropic")
        or host == "api.anthropic.com"
        or host.endswith(".anthropic.com")
        or path.endswith("/v1/messages")
        or "/v1/messages/" in path
    )


def _objects(value: object) -> list[dict[str, object]]:
    return value if isinstance(value, list) else []
