"""Shows of a client that a call which is denied reaches no network.

The clients are the application's own, with the guard that protects them. While they are
tried, what stands behind the guard is taken away: each transport under it is replaced by
a dead end that counts, and the interpreter's own audit events count and stop what would
open a connection some other way. So nothing is sent even by a client that is broken.

Owner: one process that ends soon, as `policyguard doctor`: an audit hook stays as long
as its process. A crash while a client is tried leaves that client with dead ends, which
send nothing. Each trial leaves a refused decision in the guard's trail.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from policyguard.errors import NotAllowed
from policyguard.guard.describe import behind
from policyguard.guard.refusal import DECISION
from policyguard.integrations import boto3, langchain
from policyguard.integrations.httpx import is_protected, module_of
from policyguard.integrations.sdk_methods import is_client
from policyguard.integrations.wire_transport import Guarded
from policyguard.vocabulary.decision import Decision

if TYPE_CHECKING:
    from policyguard.guard.guard import Guard

NOBODY: Final = "policyguard-doctor-denied"
"""A model that no catalog has: what is not known is not allowed."""
_NOWHERE: Final = "https://policyguard-doctor.invalid"
_IN_PROCESS: Final = frozenset({"regorus"})
"""Engines that need no connection."""
_LOOKS: Final = frozenset({"socket.connect", "socket.getaddrinfo", "socket.sendto"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Is what came of a call that had to be denied."""

    client: str
    """The class of the client."""
    routes: int
    """Its transports: the main one and those of proxies and mounts."""
    protected: bool
    """Whether a guard stands before each of them; if not, nothing was tried."""
    refused: int = 0
    """Trials that the guard answered in place of a server."""
    sent: int = 0
    """Requests that came to what is behind the guard."""
    connections: int | None = None
    """Addresses that the process looked up or connected to meanwhile; `None`: they are
    not counted, because the engine has connections of its own."""
    decision: Decision | None = None
    """The last one against a trial."""
    fault: str = ""
    """What kept the guard from an answer, by the type of the exception."""

    @property
    def holds(self) -> bool:
        """Say whether each call was denied and nothing left."""
        denied = self.protected and self.refused == len(_TRIALS)
        return denied and not self.sent and not self.connections


_OPERATIONS: Final = (("Converse", "converse"), ("ConverseStream", "converse-stream"))
_TRIALS: Final[tuple[Mapping[str, Any], ...]] = ({}, {"stream": True})


def clients_in(thing: object) -> list[Any]:
    """Return the clients that can be tried in a thing; empty: it is none, and has none.

    A client stands for itself, a model of LangChain's for the clients under it. One
    whose clients are not known is returned as it is: nothing can guard it.
    """
    thing = behind(thing)
    if langchain.is_model(thing):
        return list(langchain.clients_of(thing)) or [thing]
    known = is_client(thing) or module_of(thing) is not None
    if boto3.is_runtime(thing) or (known and _http_client(thing) is not None):
        return [thing]
    return []


def tried(client: object) -> Trial:
    """Try a client with calls that have to be denied, and let nothing out.

    Args:
        client: As `clients_in` returns it.
    """
    client = behind(client)
    if boto3.is_runtime(client):
        return _tried_events(client, boto3.guard_of(client))
    http = _http_client(client)
    if http is None:
        return Trial(client=_name_of(client), routes=0, protected=False)
    transports = [http._transport, *http._mounts.values()]  # noqa: SLF001
    known: dict[str, Any] = {
        "client": _name_of(client),
        "routes": sum(item is not None for item in transports),
        "protected": is_protected(http),
    }
    if not known["protected"]:
        return Trial(**known)
    base = str(getattr(client, "base_url", "")).rstrip("/") or _NOWHERE
    watching = _watching(_guard_of(transports))
    with _dead_ends(transports) as ends, watching as seen:
        answers, fault = _answers(http, f"{base}/chat/completions")
    decisions = [item for item in answers if item is not None]
    return Trial(
        **known,
        refused=len(decisions),
        sent=sum(end.requests for end in ends),
        connections=None if seen is None else len(seen),
        decision=decisions[-1] if decisions else None,
        fault=fault,
    )


def _tried_events(client: Any, guard: Guard | None) -> Trial:
    """Try a client of Bedrock's runtime, by the event before it would send.

    Its handlers are run as botocore runs them, and nothing is signed or sent.
    """
    if guard is None:
        return Trial(client=_name_of(client), routes=1, protected=False)
    from botocore.awsrequest import (  # type: ignore[import-untyped]
        AWSPreparedRequest,
    )

    refused: list[Decision] = []
    sent, fault = 0, ""
    with _watching(guard) as seen:
        for operation, path in _OPERATIONS:
            url = f"{client.meta.endpoint_url}/model/{NOBODY}/{path}"
            request = AWSPreparedRequest("POST", url, {}, b"{}", stream_output=False)
            event = f"before-send.bedrock-runtime.{operation}"
            try:
                client.meta.events.emit_until_response(event, request=request)
            except NotAllowed as error:
                refused.append(error.decision)
            except Exception as error:  # noqa: BLE001 -- a handler may raise anything
                fault = type(error).__name__
            else:
                sent += 1
    return Trial(
        client=_name_of(client),
        routes=1,
        protected=True,
        refused=len(refused),
        sent=sent,
        connections=None if seen is None else len(seen),
        decision=refused[-1] if refused else None,
        fault=fault,
    )


def _name_of(client: object) -> str:
    return f"{type(client).__module__.partition('.')[0]}.{type(client).__name__}"


class _DeadEnd:
    """Stands where the network was; counts what comes to it, and lets nothing through."""

    def __init__(self) -> None:
        self.requests = 0

    def handle_request(self, _: Any) -> Any:
        self.requests += 1
        raise ConnectionError("nothing is sent while a client is tried")

    async def handle_async_request(self, request: Any) -> Any:
        self.handle_request(request)


@contextmanager
def _dead_ends(transports: list[Any]) -> Iterator[list[_DeadEnd]]:
    guarded = [item for item in transports if isinstance(item, Guarded)]
    inner = [item.inner for item in guarded]
    ends = [_DeadEnd() for _ in guarded]
    for item, end in zip(guarded, ends, strict=True):
        item.inner = end
    try:
        yield ends
    finally:
        for item, kept in zip(guarded, inner, strict=True):
            item.inner = kept


_SEEN: list[list[str]] = []
"""Where connections are noted, while a client is tried."""


def _watching(guard: Guard) -> AbstractContextManager[list[str] | None]:
    """Count connections, where the engine has none of its own."""
    alone = guard.core.snapshot.info.name in _IN_PROCESS
    return _connections() if alone else nullcontext()


@contextmanager
def _connections() -> Iterator[list[str]]:
    if not getattr(_hook, "__policyguard__", False):
        sys.addaudithook(_hook)
        setattr(_hook, "__policyguard__", True)  # noqa: B010 -- a function's own mark
    seen: list[str] = []
    _SEEN.append(seen)
    try:
        yield seen
    finally:
        _SEEN.remove(seen)


def _hook(event: str, args: tuple[Any, ...]) -> None:
    if not _SEEN or event not in _LOOKS:
        return
    if event == "socket.connect" and args[0].family == socket.AF_UNIX:
        return
    _SEEN[-1].append(event)
    raise ConnectionError("nothing is sent while a client is tried")


def _answers(http: Any, url: str) -> tuple[list[Decision | None], str]:
    requests = [
        http.build_request("POST", url, json={"model": NOBODY, "messages": [], **more})
        for more in _TRIALS
    ]
    if hasattr(http, "aclose"):
        return asyncio.run(_asent(http, requests))
    found: list[Decision | None] = []
    for request in requests:
        try:
            answer = http.send(request, stream=True)
        except Exception as error:  # noqa: BLE001 -- a client may raise anything
            return found, type(error).__name__
        found.append(answer.extensions.get(DECISION))
        answer.close()
    return found, ""


async def _asent(http: Any, requests: list[Any]) -> tuple[list[Decision | None], str]:
    found: list[Decision | None] = []
    for request in requests:
        try:
            answer = await http.send(request, stream=True)
        except Exception as error:  # noqa: BLE001 -- a client may raise anything
            return found, type(error).__name__
        found.append(answer.extensions.get(DECISION))
        await answer.aclose()
    return found, ""


def _guard_of(transports: list[Any]) -> Guard:
    (guard, *_) = (item.guard for item in transports if isinstance(item, Guarded))
    return guard


def _http_client(client: Any) -> Any:
    http = client if module_of(client) is not None else getattr(client, "_client", None)
    return http if hasattr(http, "_transport") and hasattr(http, "_mounts") else None
