"""OPA's client, hardened: the only module that knows `opa-python-client`.

What its own sessions would do and ours do not: follow a redirect and take what comes
back as the decision, put `~/.netrc` in the place of the token, go through a proxy,
retry for seconds, read without bound. The synchronous client gets a session of our
own, the asynchronous one a method to send with.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
from opa_client import AsyncOpaClient, OpaClient

from policyguard.engines.opa_http import no_http, too_large
from policyguard.engines.opa_server import Address, OpaServer
from policyguard.engines.opa_wire import (
    Wire,
    encoded,
    late,
    parsed,
    require_ok,
    unreachable,
)

_HEADER_BYTES: Final = 16_384


class SyncClient(OpaClient):  # type: ignore[misc]  # the library is untyped
    """Asks over a `Wire`; any thread may use it."""

    def __init__(self, address: Address, wire: Wire, *, deadline: float) -> None:
        self._wire = wire
        super().__init__(
            host=address.host,
            port=address.port,
            ssl=address.tls is not None,
            retries=0,
            timeout=deadline,
        )

    def _init_session(self) -> Wire:
        return self._wire


class _Answer:
    """Is a whole answer, with as much of a response's face as OPA's client uses."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self._body = body

    def raise_for_status(self) -> None:
        require_ok(self.status, self._body)

    async def json(self) -> Any:
        return parsed(self._body)


class AsyncClient(AsyncOpaClient):  # type: ignore[misc]  # the library is untyped
    """Asks from one event loop, to which it belongs."""

    def __init__(self, address: Address, server: OpaServer) -> None:
        super().__init__(
            host=address.host,
            port=address.port,
            ssl=address.tls is not None,
            token=address.token,
            retries=0,
            timeout=server.deadline,
        )
        self._tls = address.tls
        self._most_bytes = server.max_answer_bytes
        self._connections = server.connections

    async def _init_session(self) -> None:
        self._session = aiohttp.ClientSession(
            headers={**(self.headers or {}), "Accept-Encoding": "identity"},
            connector=aiohttp.TCPConnector(
                ssl=self._tls or True, limit=self._connections
            ),
            timeout=aiohttp.ClientTimeout(total=self.timeout),
            trust_env=False,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            max_line_size=_HEADER_BYTES,
            max_field_size=_HEADER_BYTES,
        )

    @asynccontextmanager
    async def _request(
        self, method: str, url: str, **arguments: Any
    ) -> AsyncIterator[_Answer]:
        if "json" in arguments:
            arguments["data"] = encoded(arguments.pop("json"))
            arguments["headers"] = {"Content-Type": "application/json"}
        try:
            async with asyncio.timeout(self.timeout):
                try:
                    answer = await self._once(method, url, **arguments)
                except (aiohttp.ServerDisconnectedError, ConnectionError):
                    answer = await self._once(method, url, **arguments)
        except TimeoutError:
            raise late() from None
        except (aiohttp.ClientConnectionError, OSError) as error:
            raise unreachable(error) from None
        except (aiohttp.ClientError, ValueError):
            raise no_http() from None
        yield answer

    async def _once(self, method: str, url: str, **arguments: Any) -> _Answer:
        session: aiohttp.ClientSession = self._session
        async with session.request(
            method, url, allow_redirects=False, **arguments
        ) as response:
            body = bytearray()
            async for part in response.content.iter_any():
                body += part
                if len(body) > self._most_bytes:
                    raise too_large(self._most_bytes)
            return _Answer(response.status, bytes(body))
