"""The names of what can be watched: attributes of spans, and instruments.

One table for OpenTelemetry, Prometheus and the reference. GenAI names are written out,
because the conventions are still in development and no package holds them stably.

INVARIANT: no name here stands for what a client typed or for a person. Models,
deployments, operators and rules are ids of the catalog and the rulebook, so that they
are few and tell nothing of a prompt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal["counter", "histogram", "gauge"]

SPAN: Final = "policyguard.decision"
"""The span of one decision; a refusal is no error of the span."""
ATTRIBUTES: Final[Mapping[str, str]] = {
    "gen_ai.operation.name": "what is asked for, as the URL says; absent if it does not",
    "gen_ai.provider.name": "the operator, by its name in the conventions if it has one",
    "gen_ai.request.model": "the catalog's model; absent if it is not known",
    "server.address": "the host, if it is one of the deployment's in the catalog",
    "error.type": "the code, when there is no decision",
    "policyguard.decision.id": "id of the record",
    "policyguard.call.id": "ties decisions and outcomes of one call together",
    "policyguard.verdict": "`allow`, `deny`, `require_approval` or `unavailable`",
    "policyguard.enforced": "whether an objection stops the call",
    "policyguard.kind": "`decision` or `check`",
    "policyguard.layer": "`call`: the wrapper asked; `http`: the transport did",
    "policyguard.attempt": "0 for the first try",
    "policyguard.deployment": "the catalog's deployment; absent if it is not known",
    "policyguard.rules": "rules that object",
    "policyguard.unknown_facts": "facts that were needed and unknown",
    "policyguard.bundle.revision": "revision of the bundle that answered",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """Is one thing that is counted or measured."""

    name: str
    """In OpenTelemetry; Prometheus has `_` for `.`, and the unit and `_total` added."""
    kind: Kind
    meaning: str
    unit: str = "1"
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def prometheus(self) -> str:
        """Give the name in Prometheus, as it is written there."""
        known = self.name.replace(".", "_")
        known += {"s": "_seconds", "{token}": "_tokens"}.get(self.unit, "")
        return f"{known}_total" if self.kind == "counter" else known


_FAST: Final = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5,
)  # fmt: skip
_SLOW: Final = (
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
)  # fmt: skip
_TOKENS: Final = (
    1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304,
)  # fmt: skip

DECISIONS: Final = Instrument(
    name="policyguard.decisions",
    kind="counter",
    meaning="decisions and checks; `code` is empty when the rules answered",
    labels=("verdict", "code", "layer", "enforced"),
)
OBJECTIONS: Final = Instrument(
    name="policyguard.objections",
    kind="counter",
    meaning="what rules found against calls, a rule once for each decision",
    labels=("rule", "effect"),
)
UNKNOWN_FACTS: Final = Instrument(
    name="policyguard.unknown_facts",
    kind="counter",
    meaning="facts that rules needed and nobody had declared, once for each decision",
    labels=("fact",),
)
DURATION: Final = Instrument(
    name="policyguard.decision.duration",
    kind="histogram",
    meaning="from the question to the durable answer",
    unit="s",
    labels=("layer",),
    buckets=_FAST,
)
DURABLE_WAIT: Final = Instrument(
    name="policyguard.trail.durable_wait",
    kind="histogram",
    meaning="of it, the wait until the record was durable",
    unit="s",
    buckets=_FAST,
)
OUTCOMES: Final = Instrument(
    name="policyguard.outcomes",
    kind="counter",
    meaning="how calls ended that went ahead",
    labels=("outcome",),
)
TOKENS: Final = Instrument(
    name="gen_ai.client.token.usage",
    kind="histogram",
    meaning="tokens that answers reported",
    unit="{token}",
    labels=("gen_ai.token.type", "gen_ai.request.model", "gen_ai.provider.name"),
    buckets=_TOKENS,
)
CALLS: Final = Instrument(
    name="gen_ai.client.operation.duration",
    kind="histogram",
    meaning="from the decision to the end of the call, a stream's end included",
    unit="s",
    labels=("gen_ai.request.model", "gen_ai.provider.name", "error.type"),
    buckets=_SLOW,
)
MEMO_HITS: Final = Instrument(
    name="policyguard.memo.hits",
    kind="counter",
    meaning="questions answered from memory, since the policy was loaded",
)
MEMO_MISSES: Final = Instrument(
    name="policyguard.memo.misses",
    kind="counter",
    meaning="questions that were not, since the policy was loaded",
)
MEMO_ENTRIES: Final = Instrument(
    name="policyguard.memo.entries", kind="gauge", meaning="questions remembered"
)
COMPARED: Final = Instrument(
    name="policyguard.engine.compared",
    kind="counter",
    meaning="answers of compiled policy that the interpreter gave, too",
)
DIFFERED: Final = Instrument(
    name="policyguard.engine.differed",
    kind="counter",
    meaning="answers that it did not; compiled policy of that bundle is not used any more",
)
QUEUE: Final = Instrument(
    name="policyguard.trail.queue",
    kind="gauge",
    meaning="records of this process that are not durable yet",
)
POLICY: Final = Instrument(
    name="policyguard.policy",
    kind="gauge",
    meaning="1 for the bundle and catalog in use",
    labels=("revision", "catalog"),
)

PUSHED: Final = (
    DECISIONS,
    OBJECTIONS,
    UNKNOWN_FACTS,
    DURATION,
    DURABLE_WAIT,
    OUTCOMES,
    TOKENS,
    CALLS,
)
"""Told when something happens."""
PULLED: Final = (
    MEMO_HITS,
    MEMO_MISSES,
    MEMO_ENTRIES,
    COMPARED,
    DIFFERED,
    QUEUE,
    POLICY,
)
"""Read when somebody looks."""
INSTRUMENTS: Final = (*PUSHED, *PULLED)
