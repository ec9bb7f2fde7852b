"""Whatever method an SDK has: what is denied reaches no server.

The matrix has the ways out that people take. Here the SDK itself is walked through, so that
a method of a version that nobody has read yet is tried as well.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from integration.test_wire_matrix import Wire, client_of, modules, wire

from policyguard import CannotProtect, Guard

__all__ = ["wire"]
KNOWN: dict[str, Any] = {"openai": openai, "anthropic": anthropic}
FILE = ("a.txt", b"canary-bytes", "text/plain")
NOT_ASKED = {"with_raw_response", "with_streaming_response"}
"""Are the same methods, which the matrix has too."""


def methods_of(owner: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yield what is public and can be called of a resource and of those below it."""
    for part in sorted(set(dir(type(owner))) - NOT_ASKED):
        if part.startswith("_"):
            continue
        static = inspect.getattr_static(type(owner), part)
        here = f"{name}.{part}"
        if callable(static):
            yield here, getattr(owner, part)
        elif "resources" in type(below := getattr(owner, part)).__module__.split("."):
            yield from methods_of(below, here)


def resources_of(client: Any) -> Iterator[tuple[str, Any]]:
    """Yield the methods of all that a client gives access to."""
    for part in sorted(dir(type(client))):
        static = inspect.getattr_static(type(client), part)
        if part.startswith("_") or part in NOT_ASKED or callable(static):
            continue
        below = getattr(client, part)
        if "resources" in type(below).__module__.split("."):
            yield from methods_of(below, part)


def arguments_of(method: Any) -> tuple[list[Any], dict[str, Any]]:
    """Make up what a method cannot do without."""
    given: list[Any] = []
    named: dict[str, Any] = {}
    for item in inspect.signature(method).parameters.values():
        if item.default is not item.empty or item.kind in {
            item.VAR_KEYWORD,
            item.VAR_POSITIONAL,
        }:
            continue
        value = made_up(str(item.annotation))
        if item.kind is item.POSITIONAL_ONLY:
            given.append(value)
        else:
            named[item.name] = value
    return given, named


def made_up(annotation: str) -> Any:
    if "FileTypes" in annotation:
        return FILE
    if any(word in annotation for word in ("Iterable", "Sequence", "List")):
        return []
    return 1 if annotation in {"int", "float"} else "canary"


async def used(method: Any) -> None:
    """Call a method, and go through what it gives."""
    given, named = arguments_of(method)
    result = method(*given, **named)
    if inspect.isawaitable(result):
        result = await result
    if hasattr(result, "__aenter__"):
        async with result:
            return
    if hasattr(result, "__enter__"):
        with result:
            return
    if hasattr(result, "__aiter__"):
        async for _ in result:
            return
    if hasattr(result, "__next__"):
        next(result, None)


async def tried(client: Any, denied: type[Exception]) -> tuple[list[str], list[str]]:
    """Call every method; return those that were denied, and the others."""
    refused, others = [], []
    for name, method in resources_of(client):
        try:
            await used(method)
        except (denied, CannotProtect):
            refused.append(name)
        except Exception as error:  # noqa: BLE001 -- it did not get that far
            others.append(f"{name}: {type(error).__name__}: {error}"[:120])
        else:
            others.append(name)
    return refused, others


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("sdk", KNOWN)
@pytest.mark.parametrize("sync", [True, False], ids=["sync", "async"])
def test_no_method_of_an_sdk_sends_what_is_denied(
    guard: Guard, wire: Wire, sdk: str, *, sync: bool
) -> None:
    module = modules(sdk)[0]
    # Nobody knows this host, and whoever sends past the guard sends there.
    client = client_of(
        sdk,
        base_url=f"http://127.0.0.1:{wire.port}/v1",
        http=module.Client() if sync else module.AsyncClient(),
    )
    # Some of openai's want a key of their own.
    client.admin_api_key = "none"
    guard.protect(client)

    refused, others = asyncio.run(tried(client, KNOWN[sdk].PermissionDeniedError))

    assert (wire.connections, wire.bytes) == (0, 0)
    # A few want more than can be made up, or send nothing.
    assert len(refused) > 9 * len(others), others
