"""Is what stands beside a proxy's `config.yaml`: a guard, installed, with its hooks.

Of the test it has two things more: a trail in the folder that `FOLDER` names, and a last
step that leads every host to the server on loopback at `UPSTREAM`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import httpx
from guards import TICKETS, guard_in
from integration.loopback import led_to
from litellm.proxy._types import UserAPIKeyAuth

from policyguard import FROM_CONTEXT
from policyguard.integrations import httpx as adapter
from policyguard.integrations.litellm import facts_of_key, install, proxy_hooks

_PORT = int(os.environ["UPSTREAM"])
_install = adapter.install


def _led(client: Any, by: Any) -> None:
    # Only the last step leads to loopback: the guard stands before it.
    if not adapter.is_protected(client):
        client._mounts.clear()
        client._transport = led_to(_PORT, httpx, sync=isinstance(client, httpx.Client))
    _install(client, by)


def facts(key: UserAPIKeyAuth) -> dict[str, Any]:
    """Say who calls, and what the team of the key sends."""
    team = key.team_metadata or {}
    return {**facts_of_key(key), "data": team.get("data", TICKETS["data"])}


adapter.install = _led
known = {name: value for name, value in TICKETS.items() if name != "data"}
guard = guard_in(Path(os.environ["FOLDER"])).bind(**{**known, "caller": FROM_CONTEXT})
install(guard)
hooks = proxy_hooks(guard, facts=facts)
