"""What an evaluator of Rego is to the rest of the house.

An engine takes policy text and JSON, not bundle objects; what it answers is a
document that the guard turns into a decision. Every exception means: no decision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from policyguard.canonical import Json

REMOTE: Final = "remote"
"""The digest of an engine whose code runs elsewhere: it cannot be known here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInfo:
    """Says which engine answers: its name, version and the digest of its code."""

    name: str
    version: str
    distribution: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """Is one golden vector: an input and the answer that the bundle promises."""

    name: str
    input: Mapping[str, Json]
    verdict: str
    rules: tuple[str, ...]
    """The ids of all findings, sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySet:
    """Is all that an engine needs: text, data, the entrypoint and the promises."""

    modules: Mapping[str, str]
    """Module text by path inside the bundle, tests left out."""
    data: Mapping[str, Json]
    """The base document: rulebook and catalog."""
    entrypoint: str
    """The rule that answers, as `data.policyguard.main.decision`."""
    rule_ids: frozenset[str]
    """Every id that the rulebook lists."""
    bundle_digest: str
    catalog_digest: str
    golden: tuple[Golden, ...] = ()
    golden_catalog: Mapping[str, Json] | None = None
    """The small catalog on which the golden vectors are evaluated."""
    promising: PolicySet | None = None
    """The policy without what a tenant adds, for which the golden vectors promise; `None`:
    it is this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Says how often answers were compared with another engine's in this process."""

    same: int
    differing: int
    left_out: int
    """Those that were drawn while another one was compared, or could not be."""


class Snapshot(Protocol):
    """Is one loaded version of policy and data; immutable and usable by any thread."""

    @property
    def info(self) -> EngineInfo:
        """Say which engine answers."""

    @property
    def bundle_digest(self) -> str:
        """Say which bundle answers."""

    @property
    def catalog_digest(self) -> str:
        """Say which catalog answers."""

    @property
    def compared(self) -> Compared | None:
        """Say how often its answers were compared; `None`: nothing compares them."""

    def prepare_some(self) -> bool:
        """Do a few milliseconds' work towards the calling thread's first evaluation.

        Returns:
            Whether nothing is left to do.
        """

    def evaluate(self, input_json: bytes) -> Mapping[str, Json]:
        """Evaluate the entrypoint on `input` and return the decision document.

        Raises:
            EvaluationError: the engine failed, or its answer is undefined or is not
                an object.
        """

    async def aevaluate(self, input_json: bytes) -> Mapping[str, Json]:
        """Do the same without blocking an event loop for long."""


class Engine(Protocol):
    """Evaluates Rego."""

    @property
    def info(self) -> EngineInfo:
        """Say which engine this is."""

    def load(self, policy: PolicySet) -> Snapshot:
        """Validate and load policy and data.

        Raises:
            EngineLoadError: the policy does not compile, uses what engines do not
                share, is shadowed by data, or breaks a golden vector.
        """
