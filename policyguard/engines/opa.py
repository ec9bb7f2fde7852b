"""The remote engine: an OPA server that holds the same bundle and catalog.

The server loads the policy bundle and the catalog as `policyguard bundle build` writes
them. Each of its answers names the digests of both; an answer made from anything else
is refused (`engine.skew`), and so is every answer that is late, undefined, malformed
or came from somewhere else.

State: idle connections, one asynchronous client for each event loop. Nothing is on
disk, so a crash leaves nothing. Whoever controls the server decides what is allowed;
whoever controls the way to it must not, which is why that is TLS or this machine.
"""

from __future__ import annotations

import asyncio
import importlib
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import replace
from typing import Any, Final, cast
from urllib.parse import urlencode

from policyguard.canonical import Json
from policyguard.engines.intake import MAX_INPUT_BYTES, read_input
from policyguard.engines.opa_server import Address, OpaServer, address_of
from policyguard.engines.opa_wire import RawInput, Wire
from policyguard.engines.protocol import REMOTE, EngineInfo, PolicySet
from policyguard.errors import (
    ConfigurationError,
    EngineError,
    EngineLoadError,
    EvaluationError,
)

DISTRIBUTION: Final = "opa-python-client"
PACKAGE: Final = "policyguard.served"
_LOAD_SECONDS: Final = 10.0
_QUERY: Final[Mapping[str, Any]] = {
    "strict-builtin-errors": "true",
    "provenance": "true",
}
RULE: Final = f"answer?{urlencode(_QUERY)}"
"""With what is asked of the server: the client would write it anew for each question."""
_ENTRYPOINT: Final = re.compile(r"data(\.[a-zA-Z_]\w*)+", re.ASCII)


class OpaEngine:
    """Asks an OPA server.

    Args:
        server: Where it is, and what proves that it is the right one.
        max_input_bytes: The largest input that a snapshot sends, in bytes.

    Raises:
        ConfigurationError: the extra `opa` is not installed, or the server's settings
            cannot be used.
    """

    def __init__(
        self, server: OpaServer, *, max_input_bytes: int = MAX_INPUT_BYTES
    ) -> None:
        try:
            self._clients = importlib.import_module("policyguard.engines.opa_clients")
        except ImportError as error:
            raise ConfigurationError(
                f"the engine `opa` needs `{error.name}`: run"
                " `pip install 'policyguard-ai[opa]'`"
            ) from error
        self._server = server
        self._max_input_bytes = max_input_bytes
        self._address: Address = address_of(server)
        self._wire = Wire(
            self._address,
            most_bytes=server.max_answer_bytes,
            connections=server.connections,
        )

    @property
    def info(self) -> EngineInfo:
        """Ask the server for its version.

        Raises:
            EvaluationError: it cannot be reached.
        """
        document = self._client(_LOAD_SECONDS).query_rule(
            RawInput(b"{}"), PACKAGE, "none", query_params=_QUERY
        )
        return _info(document)

    def is_healthy(self) -> bool:
        """Say whether the server answers, and has loaded its bundles."""
        try:
            client = self._client(self._server.deadline)
            return bool(client.check_health(query={"bundles": ""}))
        except EvaluationError:
            return False

    def load(self, policy: PolicySet) -> OpaSnapshot:
        """Check that the server holds this policy and data and keeps its promises.

        Raises:
            EngineLoadError: it cannot be reached, holds another bundle or catalog, or
                breaks a golden vector.
        """
        if _ENTRYPOINT.fullmatch(policy.entrypoint) is None:
            raise EngineLoadError(
                f"`{policy.entrypoint}` is no entrypoint: write it as"
                " `data.policyguard.main.decision`"
            )
        try:
            info = self.info
            snapshot = OpaSnapshot(
                policy=policy,
                info=info,
                client=self._client(self._server.deadline),
                connect=lambda: self._clients.AsyncClient(self._address, self._server),
                max_input_bytes=self._max_input_bytes,
            )
            snapshot.evaluate(b"{}")
            self._require_promises(policy)
        except EngineLoadError:
            raise
        except EngineError as error:
            raise EngineLoadError(
                f"the OPA server at `{self._server.url}`: {error} [{error.code}]"
            ) from error
        return snapshot

    def close(self) -> None:
        """Close idle connections."""
        self._wire.close()

    def _client(self, deadline: float) -> Any:
        return self._clients.SyncClient(self._address, self._wire, deadline=deadline)

    def _require_promises(self, policy: PolicySet) -> None:
        """Evaluate the golden vectors on their own catalog, all in one question."""
        if not policy.golden:
            return
        # What a tenant has added is no part of what the bundle promises.
        without = ""
        given: dict[str, Json] = {}
        if policy.promising is not None:
            without = (
                " with data.policyguard.tenant as {}"
                " with data.policyguard.rulebook as rulebook"
            )
            given["rulebook"] = _rulebook(policy.promising)
        # Bound first: under `with input`, `input` is the vector.
        document = self._client(_LOAD_SECONDS).ad_hoc_query(
            f"catalog := input.catalog; {'rulebook := input.rulebook; ' if without else ''}"
            "answers := [answer | some vector in input.vectors;"
            f" answer := {policy.entrypoint} with input as vector"
            f" with data.catalog as catalog{without}]",
            {
                "vectors": [vector.input for vector in policy.golden],
                "catalog": policy.golden_catalog or {},
                **given,
            },
        )
        answers = _answers(document)
        if len(answers) != len(policy.golden):
            raise EngineLoadError("OPA leaves golden vectors without an answer")
        for vector, answer in zip(policy.golden, answers, strict=True):
            verdict, ids = _summary(answer)
            if verdict != vector.verdict or ids != set(vector.rules):
                raise EngineLoadError(
                    f"golden vector `{vector.name}` gives `{verdict}` in OPA, but"
                    f" promises `{vector.verdict}`: load the bundle into OPA anew"
                )


class OpaSnapshot:
    """Is one version of policy and data that a server holds."""

    def __init__(
        self,
        *,
        policy: PolicySet,
        info: EngineInfo,
        client: Any,
        connect: Callable[[], Any],
        max_input_bytes: int,
    ) -> None:
        self._bundle_digest = policy.bundle_digest
        self._catalog_digest = policy.catalog_digest
        self._info = info
        self._client = client
        self._connect = connect
        self._max_input_bytes = max_input_bytes
        self._by_loop: dict[
            asyncio.AbstractEventLoop, tuple[Any, AsyncGenerator[Any, None]]
        ] = {}

    @property
    def info(self) -> EngineInfo:
        """Say which server answered last: its version is that of its last answer."""
        return self._info

    @property
    def bundle_digest(self) -> str:
        """Say which bundle answers."""
        return self._bundle_digest

    @property
    def catalog_digest(self) -> str:
        """Say which catalog answers."""
        return self._catalog_digest

    @property
    def compared(self) -> None:
        """Say that nothing compares the answers of a server."""

    def prepare_some(self) -> bool:
        """Say that nothing has to be prepared here."""
        return True

    def evaluate(self, input_json: bytes) -> Mapping[str, Json]:
        """Ask the server, and return the decision document.

        Raises:
            EvaluationError: code `engine.input`, `engine.unreachable`,
                `engine.timeout`, `engine.refused`, `engine.undefined`,
                `engine.malformed`, `engine.skew` or `engine.evaluation`.
        """
        text, _ = read_input(input_json, max_bytes=self._max_input_bytes)
        return self._read(self._client.query_rule(RawInput(text), PACKAGE, RULE))

    async def aevaluate(self, input_json: bytes) -> Mapping[str, Json]:
        """Do the same on the running event loop, with a client of its own."""
        text, _ = read_input(input_json, max_bytes=self._max_input_bytes)
        client = await self._client_here()
        return self._read(await client.query_rule(RawInput(text), PACKAGE, RULE))

    async def aclose(self) -> None:
        """Close the client of the running event loop."""
        known = self._by_loop.get(asyncio.get_running_loop())
        if known is not None:
            await known[1].aclose()

    async def _client_here(self) -> Any:
        loop = asyncio.get_running_loop()
        known = self._by_loop.get(loop)
        if known is None:
            for ended in [other for other in self._by_loop if other.is_closed()]:
                self._by_loop.pop(ended, None)
            keeping = self._while(loop)
            # Nothing is waited for until the client is known.
            known = self._by_loop[loop] = await anext(keeping), keeping
        return known[0]

    async def _while(
        self, loop: asyncio.AbstractEventLoop
    ) -> AsyncGenerator[Any, None]:
        # A loop that ends closes the generators that it has begun, and so the client.
        client = self._connect()
        await client._init_session()  # noqa: SLF001 -- what `async with` does
        try:
            yield client
        finally:
            self._by_loop.pop(loop, None)
            await client.close_connection()

    def _read(self, document: Any) -> Mapping[str, Json]:
        result = document.get("result") if isinstance(document, dict) else document
        if isinstance(document, dict) and "result" not in document:
            raise EvaluationError(
                "OPA has no answer: load the bundle and the catalog that `policyguard"
                " bundle build` writes",
                code="engine.undefined",
            )
        if not isinstance(result, dict) or not isinstance(result.get("decision"), dict):
            raise EvaluationError(
                "OPA's answer is no decision", code="engine.malformed"
            )
        for kind, wanted in (
            ("bundle", self._bundle_digest),
            ("catalog", self._catalog_digest),
        ):
            if result.get(kind) != wanted:
                raise EvaluationError(
                    f"OPA answered from another {kind} than this guard has"
                    f" (`{wanted[:12]}…`): load the same one into both",
                    code="engine.skew",
                )
        version = _version(document)
        if version is not None and version != self._info.version:
            self._info = replace(self._info, version=version)
        return cast("Mapping[str, Json]", result["decision"])


def _rulebook(policy: PolicySet) -> Json:
    ours = policy.data.get("policyguard")
    return ours.get("rulebook", {}) if isinstance(ours, dict) else {}


def _version(document: Mapping[str, Any]) -> str | None:
    provenance = document.get("provenance")
    version = provenance.get("version") if isinstance(provenance, dict) else None
    if isinstance(version, str) and re.fullmatch(r"[\w.+-]{1,64}", version, re.ASCII):
        return version
    return None


def _info(document: Any) -> EngineInfo:
    version = _version(document) if isinstance(document, dict) else None
    return EngineInfo(
        name="opa",
        version=version or "unknown",
        distribution=DISTRIBUTION,
        digest=REMOTE,
    )


def _answers(document: Any) -> list[Any]:
    try:
        answers = document["result"][0]["answers"]
    except (KeyError, IndexError, TypeError):
        raise EvaluationError(
            "OPA does not answer ad-hoc queries", code="engine.malformed"
        ) from None
    return answers if isinstance(answers, list) else []


def _summary(answer: Any) -> tuple[str | None, set[str]]:
    if not isinstance(answer, dict):
        return None, set()
    found = answer.get("findings")
    ids = {str(item.get("id")) for item in found} if isinstance(found, list) else set()
    return answer.get("verdict"), ids
