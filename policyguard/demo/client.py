"""Real OpenAI clients whose every host is the demo's server on loopback.

The URL stays the real one, so that guard, SDK and `Host` header see it; only the
connection goes elsewhere. The SDK brings its HTTP library, httpx or httpx2, and the
same few names of both are used here.
"""

from __future__ import annotations

import importlib
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from policyguard.demo.server import LOOPBACK
from policyguard.errors import ConfigurationError

if TYPE_CHECKING:
    from openai import OpenAI

_TIMEOUT_SECONDS = 10.0


class LoopbackTransport:
    """Sends each request to one loopback port, whatever host its URL names."""

    def __init__(self, *, library: Any, port: int) -> None:
        """Build the transport.

        Args:
            library: The module httpx or httpx2.
            port: The TCP port of the server on loopback.
        """
        self._library = library
        self._port = port
        self._inner = library.HTTPTransport(trust_env=False)

    def handle_request(self, request: Any) -> Any:
        """Send a request to loopback, with the headers that it has."""
        url = request.url.copy_with(scheme="http", host=LOOPBACK, port=self._port)
        diverted = self._library.Request(
            request.method,
            url,
            headers=request.headers.raw,
            stream=request.stream,
            extensions=request.extensions,
        )
        return self._inner.handle_request(diverted)

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()

    def __enter__(self) -> Self:
        """Use the transport for a block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        """Close the connections at the end of the block."""
        self.close()


def require_sdk() -> Any:
    """Return the OpenAI SDK.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        return importlib.import_module("openai")
    except ImportError as error:
        raise ConfigurationError(
            "the demonstration drives the openai SDK, which is not installed:"
            " run `pip install 'policyguard-ai[demo]'`"
        ) from error


def loopback_client(base_url: str, *, port: int) -> OpenAI:
    """Return a client of an OpenAI-compatible host whose calls stay on loopback.

    Args:
        base_url: The real address of the host, as `https://api.scaleway.ai/v1`.
        port: The TCP port of the server on loopback.

    Raises:
        ConfigurationError: the SDK is not installed.
    """
    sdk = require_sdk()
    library = _http_library(sdk)
    http = library.Client(
        transport=LoopbackTransport(library=library, port=port), trust_env=False
    )
    client: OpenAI = sdk.OpenAI(
        base_url=base_url,
        api_key="demo",
        organization="",
        project="",
        http_client=http,
        max_retries=0,
        timeout=_TIMEOUT_SECONDS,
    )
    return client


def _http_library(sdk: Any) -> Any:
    """Return the HTTP library whose client the SDK's own default one extends."""
    roots = [
        kind.__module__.partition(".")[0] for kind in sdk.DefaultHttpxClient.__mro__
    ]
    return importlib.import_module("httpx2" if "httpx2" in roots else "httpx")
