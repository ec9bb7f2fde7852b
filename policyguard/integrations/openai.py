"""Knows the clients of the `openai` SDK, 2.x and 3.x, Azure's among them.

    guard.call(client.chat.completions.create, model=…, messages=…)
    guard.protect(client)

`protect` guards the HTTP client under an SDK client, and with it every copy that
`with_options()` makes, because they share it. A copy with an `http_client` of its own
is a new client: protect it too. What the SDK would send over a web socket is refused.

What is sent lazily, as by `.stream(…)` and `.with_streaming_response`, is sent after
`guard.call` has returned: for a protected client, declare its facts with
`policyguard.context(…)` around the whole `with` block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from policyguard.errors import CannotProtect
from policyguard.integrations import httpx
from policyguard.integrations.openai_sockets import refuse_sockets
from policyguard.integrations.sdk_methods import (
    describe,
    is_client,
    method_of,
    observe,
    with_fields,
)

if TYPE_CHECKING:
    from policyguard.guard.guard import Guard

__all__ = ["describe", "method_of", "observe", "protect", "with_fields"]


def protect(client: object, guard: Guard) -> None:
    """Guard the HTTP client under a client of the SDK, in place.

    Raises:
        CannotProtect: there is no open HTTP client under it, or another guard's.
    """
    if not is_client(client):
        raise CannotProtect(
            f"a `{type(client).__qualname__}` is no client of the SDK: protect the"
            " `OpenAI` or `AsyncOpenAI` that it was made from"
        )
    refuse_sockets(client)
    httpx.install(getattr(client, "_client", None), guard)
