"""Clients of the openai SDK of which all calls end at the server on loopback."""

from __future__ import annotations

from typing import Any

import httpx2
import openai
from guards import FR
from integration.loopback import Loopback


def sync_client(
    server: Loopback, base_url: str = FR, module: Any = httpx2, **more: Any
) -> openai.OpenAI:
    """Return a synchronous client with an address, on httpx or httpx2."""
    return openai.OpenAI(
        base_url=base_url, api_key="none", http_client=server.client(module), **more
    )


def async_client(
    server: Loopback, base_url: str = FR, module: Any = httpx2, **more: Any
) -> openai.AsyncOpenAI:
    """Return an asynchronous client with an address, on httpx or httpx2."""
    return openai.AsyncOpenAI(
        base_url=base_url, api_key="none", http_client=server.aclient(module), **more
    )
