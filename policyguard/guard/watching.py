"""Tells those who watch what was decided and how it ended; nobody has to watch.

Owner: one `Watching` belongs to a core and all guards bound from it; who watches is
exchanged as one tuple. Nothing of it is on disk, and a crash loses what was counted: the
trail is the evidence, this is not.

INVARIANT: a watcher changes no decision, whatever it raises, and is told only what a
leaf of the trail may say: ids, verdicts, names of facts, numbers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Final, Protocol

from policyguard.catalog.catalog import Catalog
from policyguard.errors import CatalogError, ConfigurationError
from policyguard.guard import signals
from policyguard.guard.events import log
from policyguard.guard.messages import objections
from policyguard.guard.signals import Instrument
from policyguard.identity import wall_clock
from policyguard.vocabulary.decision import Decision
from policyguard.vocabulary.record import OutcomeRecord

if TYPE_CHECKING:
    from policyguard.guard.asking import Asking
    from policyguard.guard.core import Core

_PROVIDERS: Final[Mapping[str, str]] = {
    "aws-bedrock": "aws.bedrock",
    "azure-openai": "azure.ai.openai",
    "mistral": "mistral_ai",
    "vertex": "gcp.vertex_ai",
    "xai": "x_ai",
}
"""What the conventions call an operator of ours, where they have another word."""
_OPERATIONS: Final = (
    ("/embeddings", "embeddings"),
    ("/chat/completions", "chat"),
    ("/completions", "text_completion"),
    ("/responses", "chat"),
    ("/messages", "chat"),
    ("/converse", "chat"),
    ("/converse-stream", "chat"),
    (":generateContent", "generate_content"),
    (":streamGenerateContent", "generate_content"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Is one value of an instrument."""

    instrument: Instrument
    value: float
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """Is what watchers are told of a decision."""

    seconds: float
    """From the question to the durable answer."""
    attributes: Mapping[str, Any]
    """By the names of `signals.ATTRIBUTES`; what is unknown is absent."""
    measured: tuple[Measured, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Is what watchers are told of the end of a call."""

    decision: str
    call: str
    outcome: str
    error: str | None
    measured: tuple[Measured, ...]


class Watcher(Protocol):
    """Is told what happens; it may raise, and nothing comes of it."""

    @property
    def name(self) -> str:
        """Say what it is, for a person."""

    def decided(self, event: Decided) -> None:
        """Take note of a decision, in the context of the call."""

    def ended(self, event: Ended) -> None:
        """Take note of the end of a call, in whatever thread noticed it."""


class Watching:
    """Holds those who watch."""

    __slots__ = ("_failed", "_lock", "_watchers")

    def __init__(self) -> None:
        self._watchers: tuple[Watcher, ...] = ()
        self._failed: set[str] = set()
        self._lock = threading.Lock()

    @property
    def watchers(self) -> tuple[Watcher, ...]:
        """Give those who watch."""
        return self._watchers

    def add(self, watcher: Watcher) -> None:
        """Tell a watcher too, from now on.

        Raises:
            ConfigurationError: one of that name watches already.
        """
        with self._lock:
            if watcher.name in {item.name for item in self._watchers}:
                raise ConfigurationError(
                    f"{watcher.name} watches this guard already: everything would be"
                    " counted twice"
                )
            self._watchers = (*self._watchers, watcher)

    def decided(
        self, decision: Decision, *, asking: Asking, catalog: Catalog, waited: int
    ) -> None:
        """Tell of a decision; never raises.

        Args:
            decision: As it was recorded.
            asking: How it was asked for.
            catalog: Names the operator.
            waited: Nanoseconds until the record was durable.
        """
        if self._watchers:
            self._tell(
                "decided",
                lambda: _decided(
                    decision, asking=asking, catalog=catalog, waited=waited
                ),
            )

    def ended(
        self, decision: Decision, outcome: OutcomeRecord, *, catalog: Catalog
    ) -> None:
        """Tell how a call ended; never raises."""
        if self._watchers:
            self._tell("ended", lambda: _ended(decision, outcome, catalog=catalog))

    def _tell(self, method: str, event: Callable[[], Any]) -> None:
        try:
            known = event()
        except Exception as error:  # noqa: BLE001 -- nobody's call depends on it
            self._once("the guard", error)
            return
        for watcher in self._watchers:
            try:
                getattr(watcher, method)(known)
            except Exception as error:  # noqa: BLE001 -- nobody's call depends on it
                self._once(watcher.name, error)

    def _once(self, name: str, error: Exception) -> None:
        if name not in self._failed:
            self._failed.add(name)
            log.error("watcher.failed", watcher=name, reason=type(error).__name__)


def readings(core: Core) -> Iterator[Measured]:
    """Yield what is read when somebody looks."""
    policy = core.policies.newest
    use = policy.memo.use
    yield Measured(instrument=signals.MEMO_HITS, value=use.hits)
    yield Measured(instrument=signals.MEMO_MISSES, value=use.misses)
    yield Measured(instrument=signals.MEMO_ENTRIES, value=use.entries)
    compared = policy.snapshot.compared
    if compared is not None:
        yield Measured(instrument=signals.COMPARED, value=compared.same)
        yield Measured(instrument=signals.DIFFERED, value=compared.differing)
    yield Measured(instrument=signals.QUEUE, value=core.trail.waiting)
    labels = (policy.bundle.revision, policy.catalog.version)
    yield Measured(instrument=signals.POLICY, value=1, labels=labels)


def _decided(
    decision: Decision, *, asking: Asking, catalog: Catalog, waited: int
) -> Decided:
    found = objections(decision)
    objecting = tuple(dict.fromkeys((item.id, item.effect) for item in found))
    missing = tuple(dict.fromkeys(name for item in found for name in item.missing))
    seconds = (perf_counter_ns() - asking.begun) / 1e9
    labels = (
        decision.verdict,
        decision.code or "",
        asking.layer,
        str(decision.enforced).lower(),
    )
    attributes = {
        "gen_ai.operation.name": operation_in(asking.path),
        "gen_ai.provider.name": _provider(decision, catalog),
        "gen_ai.request.model": decision.call.model,
        "server.address": _server(decision, catalog),
        "error.type": decision.code,
        "policyguard.decision.id": decision.id,
        "policyguard.call.id": decision.call_id,
        "policyguard.verdict": decision.verdict,
        "policyguard.enforced": decision.enforced,
        "policyguard.kind": asking.kind,
        "policyguard.layer": asking.layer,
        "policyguard.attempt": asking.attempt,
        "policyguard.deployment": decision.call.route[-1],
        "policyguard.rules": tuple(dict.fromkeys(name for name, _ in objecting))
        or None,
        "policyguard.unknown_facts": missing or None,
        "policyguard.bundle.revision": decision.bundle.revision,
    }
    return Decided(
        seconds=seconds,
        attributes={key: item for key, item in attributes.items() if item is not None},
        measured=(
            Measured(instrument=signals.DECISIONS, value=1, labels=labels),
            *(
                Measured(instrument=signals.OBJECTIONS, value=1, labels=item)
                for item in objecting
            ),
            *(
                Measured(instrument=signals.UNKNOWN_FACTS, value=1, labels=(name,))
                for name in missing
            ),
            Measured(
                instrument=signals.DURATION, value=seconds, labels=(asking.layer,)
            ),
            Measured(instrument=signals.DURABLE_WAIT, value=waited / 1e9),
        ),
    )


def _ended(decision: Decision, outcome: OutcomeRecord, *, catalog: Catalog) -> Ended:
    model, provider = decision.call.model or "", _provider(decision, catalog) or ""
    seconds = max(0.0, (wall_clock() - decision.time).total_seconds())
    tokens = (("input", outcome.input_tokens), ("output", outcome.output_tokens))
    return Ended(
        decision=decision.id,
        call=decision.call_id,
        outcome=outcome.outcome,
        error=outcome.error,
        measured=(
            Measured(instrument=signals.OUTCOMES, value=1, labels=(outcome.outcome,)),
            Measured(
                instrument=signals.CALLS,
                value=seconds,
                labels=(model, provider, outcome.error or ""),
            ),
            *(
                Measured(
                    instrument=signals.TOKENS,
                    value=number,
                    labels=(kind, model, provider),
                )
                for kind, number in tokens
                if number is not None
            ),
        ),
    )


def operation_in(path: str) -> str | None:
    """Return what the conventions call an endpoint's operation; `None`: not known."""
    known = path.rstrip("/")
    return next((word for end, word in _OPERATIONS if known.endswith(end)), None)


def _provider(decision: Decision, catalog: Catalog) -> str | None:
    name = decision.call.route[-1]
    try:
        operator = None if name is None else catalog.deployment(name).operator
    except CatalogError:
        return None
    return None if operator is None else _PROVIDERS.get(operator, operator)


def _server(decision: Decision, catalog: Catalog) -> str | None:
    """Return the host that was asked, if it is the catalog's: never what was typed."""
    name, host = decision.call.route[0], decision.call.asked.host
    try:
        known = () if name is None else catalog.deployment(name).hosts
    except CatalogError:
        return None
    return host if host in known else None
