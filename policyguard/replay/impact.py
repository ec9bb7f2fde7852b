"""Says what another bundle or catalog would have decided on recorded calls.

The question is the recorded one. What it refers to is taken either as recorded, from the
catalog that was in use then, or as known now, from another catalog: with today's lists,
and with the model and the host looked up again where they were unknown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from policyguard.assembly import policy_set, policy_set_of
from policyguard.canonical import Json, digest, parse_json
from policyguard.errors import EvaluationError, TamperedError
from policyguard.replay.answering import Answering
from policyguard.replay.recorded import Recorded, read_recorded
from policyguard.replay.replay import recorded_verdict, unanswerable
from policyguard.vocabulary.names import add_name_keys

if TYPE_CHECKING:
    from policyguard.audit.log_verification import Progress
    from policyguard.audit.reader import TrailReader
    from policyguard.audit.versions import VersionStore
    from policyguard.bundle.source import Bundle
    from policyguard.catalog.catalog import Catalog

OBJECTING: Final = frozenset({"deny", "unavailable", "require_approval"})
_STRENGTH: Final = {"allow": 0, "require_approval": 1, "unavailable": 2, "deny": 3}
_MOST_CATALOGS: Final = 3
_NAMED: Final = ("caller", "tenant")
"""The groups of a question with names that are compared with lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """Is one recorded call that would get another verdict."""

    id: str
    place: str
    at: str
    tenant: str
    model: str | None
    before: str
    after: str
    """A verdict, or the code of what would have failed."""
    rules: tuple[str, ...]
    """Those that would object and did not, or did and would not, sorted."""

    @property
    def stricter(self) -> bool:
        """Whether less would be allowed than was."""
        return _STRENGTH.get(self.after, 4) > _STRENGTH[self.before]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpactReport:
    """Is what would have been otherwise."""

    bundle: tuple[str, str]
    """Revision and digest of the bundle that was asked."""
    catalog: tuple[str, str] | None
    """Version and digest of the catalog; `None`: of each call its own."""
    same: int
    flips: tuple[Flip, ...]
    unanswered: Mapping[str, int]
    """Calls that could not be asked, by the reason."""

    @property
    def calls(self) -> int:
        """How many recorded calls were looked at."""
        return self.same + len(self.flips) + sum(self.unanswered.values())

    def by(self, key: Callable[[Flip], str]) -> Mapping[str, int]:
        """Count flips by something, the most frequent first."""
        return dict(Counter(map(key, self.flips)).most_common())

    def by_rule(self) -> Mapping[str, tuple[int, int]]:
        """Count, by rule, the flips to a stricter verdict and to a looser one."""
        stricter = Counter(
            r for item in self.flips if item.stricter for r in item.rules
        )
        looser = Counter(
            r for item in self.flips if not item.stricter for r in item.rules
        )
        return {
            rule: (stricter[rule], looser[rule])
            for rule in sorted(stricter.keys() | looser.keys())
        }


@dataclass(slots=True, kw_only=True)
class Hypothesis:
    """Answers recorded calls from a bundle that did not decide them.

    Owner: one thread; engines of few catalogs are held.
    """

    bundle: Bundle
    now: Catalog | None
    """The catalog of today; `None`: each call's own, out of the trail."""
    store: VersionStore
    _loaded: dict[str, Answering | str] = field(default_factory=dict)

    def answering(self, catalog: str) -> Answering | str:
        """Return what answers a call that was decided from a catalog, or why nothing.

        Args:
            catalog: The digest of the recorded catalog.

        Raises:
            TamperedError: the kept catalog has another digest.
        """
        key = catalog if self.now is None else self.now.digest
        found = self._loaded.pop(key, None)
        if found is None:
            while len(self._loaded) >= _MOST_CATALOGS:
                del self._loaded[next(iter(self._loaded))]
            found = self._load(key)
        self._loaded[key] = found
        return found

    def _load(self, catalog: str) -> Answering | str:
        if self.now is not None:
            return Answering(
                self.bundle, policy_set(bundle=self.bundle, catalog=self.now)
            )
        if not self.store.has("catalog", catalog):
            return "the catalog is not kept any more"
        document = self.store.read("catalog", catalog)
        if digest(document) != catalog:
            raise TamperedError(
                f"the kept catalog `{catalog}` has the digest `{digest(document)}`: it was"
                " changed"
            )
        facts = cast("dict[str, Json]", parse_json(document, max_bytes=len(document)))
        policy = policy_set_of(self.bundle, facts=facts, catalog_digest=catalog)
        return Answering(self.bundle, policy)

    def asked(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a recorded input as it would be asked.

        Names are compared as they are now. Where the model or the only deployment was
        unknown and facts are as known now, today's catalog is asked what the client's
        words mean.
        """
        given = {**given, **{name: _compared(given[name]) for name in _NAMED}}
        route = given["route"]
        unknown = given["model"] is None or route == [None]
        if self.now is None or not unknown or len(route) != 1:
            return given
        asked = given["asked"]
        found = self.now.resolve(asked_model=asked["model"], host=asked["host"])
        return {**given, "model": found.model, "route": [found.deployment]}


def _compared(group: dict[str, Any] | None) -> dict[str, Any] | None:
    if group is None or group["organisation"] is None:
        return group
    group = deepcopy(group)
    add_name_keys(group)
    return group


def impact(
    reader: TrailReader,
    *,
    bundle: Bundle,
    now: Catalog | None,
    progress: Progress | None = None,
) -> ImpactReport:
    """Ask a bundle about every recorded call of a trail.

    Args:
        reader: The trail; what is read of it is verified.
        bundle: What would have decided.
        now: The catalog that facts are taken from; `None`: each call's own.
        progress: Called as records are verified.

    Raises:
        TamperedError: a record, a content or a kept catalog is not what was recorded.
        TrailError: the trail cannot be read.
    """
    hypothesis = Hypothesis(bundle=bundle, now=now, store=reader.source.versions())
    same = 0
    flips: list[Flip] = []
    unanswered: Counter[str] = Counter()
    for log in reader.logs:
        for item in read_recorded(log, progress=progress):
            found = unanswerable(item) or _asked(item, hypothesis)
            if isinstance(found, str):
                unanswered[found] += 1
            elif found is None:
                same += 1
            else:
                flips.append(found)
    return ImpactReport(
        bundle=(bundle.revision, bundle.digest),
        catalog=None if now is None else (now.version, now.digest),
        same=same,
        flips=tuple(flips),
        unanswered=dict(unanswered.most_common()),
    )


def _asked(item: Recorded, hypothesis: Hypothesis) -> Flip | str | None:
    answering = hypothesis.answering(item.versions[1])
    if isinstance(answering, str):
        return answering
    given = hypothesis.asked((item.content or {})["input"])
    before = recorded_verdict(item)
    try:
        answer = answering.answer(given).answer
        after, found = answer.verdict, {(f.id, f.effect) for f in answer.findings}
    except EvaluationError as error:
        return _flip(item, given, before=before, after=error.code, rules=())
    if after == before:
        return None
    recorded = {(rule["id"], rule["effect"]) for rule in item.leaf["rules"]}
    rules = {name for name, effect in found ^ recorded if effect in OBJECTING}
    return _flip(item, given, before=before, after=after, rules=tuple(sorted(rules)))


def _flip(
    item: Recorded,
    given: Mapping[str, Any],
    *,
    before: str,
    after: str,
    rules: tuple[str, ...],
) -> Flip:
    return Flip(
        id=item.id,
        place=item.place,
        at=str(item.leaf["at"]),
        tenant=str(item.leaf["tenant"]),
        model=given["model"],
        before=before,
        after=after,
        rules=rules,
    )
