"""Answers recorded inputs from one bundle and one catalog, each distinct one once.

Owner: one thread. Each version holds an engine of some 15 MB, so only the few versions
that were asked last are held.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson

from policyguard.assembly import kept_policy
from policyguard.canonical import canonical_bytes
from policyguard.catalog.views import LIVES
from policyguard.engines.memo import Memo, seconds_of
from policyguard.engines.protocol import PolicySet
from policyguard.engines.regorus import RegorusEngine
from policyguard.errors import PolicyGuardError, TamperedError
from policyguard.guard.answer import Answer, read_answer
from policyguard.guard.policy import NO_COUNT, instants_of

if TYPE_CHECKING:
    from policyguard.audit.versions import VersionStore
    from policyguard.bundle.source import Bundle
    from policyguard.engines.protocol import EngineInfo

MOST_VERSIONS: Final = 3
_MOST_INPUTS: Final = 20_000
_UNCOUNTED: Final = NO_COUNT.model_dump(mode="json")


@dataclass(frozen=True, slots=True)
class Replayed:
    """Is an answer, and its findings as the vault writes them."""

    answer: Answer
    findings: tuple[Mapping[str, Any], ...]

    @property
    def obligations(self) -> list[str]:
        """The types of the obligations, as records have them."""
        return [item.type for item in self.answer.obligations]


class Answering:
    """Answers inputs from one policy.

    Args:
        bundle: Says what its rules are called.
        policy: What is evaluated; it was loaded once, when it first decided.
    """

    __slots__ = ("_bundle", "_memo", "_snapshot", "bundle_digest", "catalog_digest")

    def __init__(self, bundle: Bundle, policy: PolicySet) -> None:
        catalog: Any = policy.data["catalog"]
        document = canonical_bytes(catalog)
        instants = instants_of(
            data=canonical_bytes(bundle.data),
            catalog=document,
            lists=(
                (date.fromisoformat(item["as_of"]), item.get("max_age_days"))
                for item in catalog["lists"].values()
            ),
        )
        self.bundle_digest, self.catalog_digest = bundle.digest, policy.catalog_digest
        self._bundle = bundle
        self._snapshot = RegorusEngine().admit(policy)
        self._memo: Memo[Replayed] = Memo(
            instants=instants,
            lives=tuple(LIVES.values()),
            entries=_MOST_INPUTS,
        )

    @property
    def evaluated(self) -> int:
        """How many inputs were evaluated, and not answered from memory."""
        return self._memo.use.misses

    def answer(self, given: Mapping[str, Any]) -> Replayed:
        """Answer an input as the vault has it.

        Raises:
            EvaluationError: the engine fails, or its answer is not whole.
            ValueError: its instant is none.
        """
        at = seconds_of(datetime.fromisoformat(given["at"]))
        asked = {name: value for name, value in given.items() if name != "at"}
        question = orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)
        # What changes with every call would only push out what does not.
        alone = bool(given.get("approvals")) or given.get("rolling") != _UNCOUNTED
        known = None if alone else self._memo.find(question, at=at)
        if known is None:
            whole = orjson.dumps(given, option=orjson.OPT_SORT_KEYS)
            answer = read_answer(self._snapshot.evaluate(whole), rules=self._bundle)
            found = tuple(item.model_dump(mode="json") for item in answer.findings)
            known = Replayed(answer, found)
            if not alone:
                self._memo.keep(question, at=at, answer=known)
        return known


@dataclass(slots=True, kw_only=True)
class KeptVersions:
    """Gives what answers from a recorded bundle and catalog."""

    store: VersionStore
    _loaded: dict[tuple[str, str], Answering | str] = field(default_factory=dict)

    def of(self, versions: tuple[str, str]) -> Answering | str:
        """Return what answers from a bundle and a catalog, or why nothing can.

        Args:
            versions: Their digests.

        Raises:
            TamperedError: what is kept has another digest.
        """
        found = self._loaded.pop(versions, None)
        if found is None:
            while len(self._loaded) >= MOST_VERSIONS:
                del self._loaded[next(iter(self._loaded))]
            found = self._load(versions)
        self._loaded[versions] = found
        return found

    def _load(self, versions: tuple[str, str]) -> Answering | str:
        bundle, catalog = versions
        for kind, digest in (("bundle", bundle), ("catalog", catalog)):
            if not self.store.has("bundle" if kind == "bundle" else "catalog", digest):
                return f"the {kind} is not kept any more"
        try:
            return Answering(*kept_policy(self.store, bundle=bundle, catalog=catalog))
        except TamperedError:
            raise
        except PolicyGuardError as error:
            return f"its policy does not load: {error}"


def this_engine() -> EngineInfo:
    """Say which engine evaluates a replay."""
    return RegorusEngine().info
