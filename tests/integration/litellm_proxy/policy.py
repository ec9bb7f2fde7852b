"""Is what stands beside a proxy's `config.yaml`: a guard, installed, with its routing.

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

from policyguard.integrations import httpx as adapter
from policyguard.integrations.litellm import install, router_hooks

_PORT = int(os.environ["UPSTREAM"])
_install = adapter.install


def _led(client: Any, by: Any) -> None:
    # Only the last step leads to loopback: the guard stands before it.
    if not adapter.is_protected(client):
        client._mounts.clear()
        client._transport = led_to(_PORT, httpx, sync=isinstance(client, httpx.Client))
    _install(client, by)


adapter.install = _led
guard = guard_in(Path(os.environ["FOLDER"])).bind(**TICKETS)
install(guard)
routing = router_hooks(guard)
