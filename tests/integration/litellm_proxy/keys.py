"""Names who has a key of the proxy's, as its database would.

In a file of its own, because LiteLLM runs a file once for each name that it takes of it.
"""

from __future__ import annotations

from typing import Any

from fastapi import HTTPException
from litellm.proxy._types import UserAPIKeyAuth, hash_token

_KEYS: dict[str, dict[str, Any]] = {
    "sk-alice": {"user_id": "canary-alice@acme.example"},
    "sk-bruno": {
        "user_id": "canary-bruno@acme.example",
        "team_metadata": {"data": {"classes": ["none"]}},
    },
    "sk-machine": {},
    "sk-nobody": {"api_key": None},
}


async def authenticate(request: Any, api_key: str) -> UserAPIKeyAuth:
    """Name who has a key, as LiteLLM's database would."""
    del request
    if api_key not in _KEYS:
        raise HTTPException(401)
    # What a client may write of itself, and what a key's maker may: no caller.
    known = {"api_key": hash_token(api_key), "end_user_id": "canary-mallory"}
    known["metadata"] = {"user_id": "canary-mallory"}
    return UserAPIKeyAuth(**{**known, **_KEYS[api_key]})
