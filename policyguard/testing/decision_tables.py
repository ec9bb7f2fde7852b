"""Writes what a rule finds as a decision table: for people who read no Rego.

A rule is decided for every call of a space, as a diagram, and the diagram is written as
few rows: each says of some facts which values they have, and what the rule then finds. A
row that fits makes its finding; several may fit; where none does, the rule finds nothing.

A rule that reads too much is decided with some facts held, those with the most values
first, and the table says so. Then calls in which they are otherwise are drawn, and it is
said in how many of them the rule finds something else.

INVARIANT: no table is shown of which a row, or a call that was drawn, differs from a
whole evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any, Final, TypeAlias

from policyguard.canonical import Json
from policyguard.engines.protocol import PolicySet
from policyguard.engines.tree import Path
from policyguard.errors import ConfigurationError, EvaluationError
from policyguard.testing.answers import info_of, with_own_rules
from policyguard.testing.counterexamples import translated
from policyguard.testing.covers import Row, cover_of
from policyguard.testing.decision_forms import (
    EFFECTS,
    DecisionTable,
    DecisionTables,
    TableRow,
)
from policyguard.testing.fact_words import Wording, groups_of
from policyguard.testing.findings import Finder
from policyguard.testing.holding import (
    held_words,
    holding,
    name_of_path,
    next_held,
    space_with,
)
from policyguard.testing.rule_table import Found, Table, drawn
from policyguard.testing.space import Dim, Space
from policyguard.testing.tables import Analyst, relevance_of

Progress: TypeAlias = Callable[[str, int, int], None]
CROSSCHECKS: Final = 100


def decision_tables(  # noqa: PLR0913 -- the words of one question
    policy: PolicySet,
    rules: Sequence[str],
    *,
    at: datetime | None,
    settings: Sequence[str] = (),
    views: int = 60_000,
    progress: Progress = lambda *_: None,
) -> DecisionTables:
    """Write rules as decision tables.

    Args:
        policy: Rules and catalog, as an engine takes them.
        rules: Ids; with none, every rule.
        at: The instant of which the tables speak; without it each of the space.
        settings: What facts are in every call, as `data.classes=pii`.
        views: The most views on which one part of a rule is asked.
        progress: Told the stage, how much of it is done, and how much there is.

    Raises:
        ConfigurationError: there is no such rule, fact or value; or a table would be
            longer than anybody reads.
        EvaluationError: a whole evaluation differs from a table, which is a fault of
            the kit.
    """
    policy = with_own_rules(policy)
    given = () if at is None else (f"at={at:%Y-%m-%dT%H:%M:%SZ}",)
    space, held = space_with(policy, (*given, *settings))
    analyst = Analyst(policy, space, budget=views)
    known = analyst.rules
    chosen = sorted(set(rules)) or sorted(known)
    odd = [rule for rule in chosen if rule not in known]
    if odd:
        raise ConfigurationError(
            f"there is no rule `{odd[0]}`: known are {', '.join(sorted(known))}"
        )
    writer = _Writer(analyst=analyst, held=held)
    tables = []
    for index, rule in enumerate(chosen, start=1):
        tables.append(writer.table(rule))
        progress("rules", index, len(chosen))
    return DecisionTables(
        tables=tuple(tables),
        at=held.get("at"),
        bundle_digest=policy.bundle_digest,
        catalog_digest=policy.catalog_digest,
        space_digest=space.digest,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Writer:
    analyst: Analyst
    """Of the whole space: what it finds out is of use to each rule."""
    held: Mapping[str, str]

    def table(self, rule: str) -> DecisionTable:
        """Return one rule as rows."""
        analyst, table, paths = self._decided(rule)
        finder = Finder(self.analyst.policy, analyst.set_of(analyst.rules[rule]))
        words = _wording(analyst, table, whole=self.analyst.space)
        try:
            rows = tuple(_rows(analyst, table, finder, words))
        except OverflowError as error:
            raise ConfigurationError(
                f"{rule} would have {error}: say of more facts what they are, as"
                " `--set tenant.contracts=empty`"
            ) from error
        times = self._crosschecked(analyst, table)
        info = info_of(rule, self.analyst.policy.modules)
        seen, differing = self._elsewhere(analyst, table) if paths else (0, 0)
        named = {fact for row in rows for fact in row.conditions}
        return DecisionTable(
            rule=rule,
            title=info.title,
            citation=info.citation,
            regime=info.regime,
            status=self._status(rule),
            rows=rows,
            facts=tuple(dim.name for dim in table.space.dims if dim.name in named),
            tier="SAMPLED" if paths else "PROVED",
            held={**self.held, **held_words(analyst.space, paths)},
            too_much=tuple(sorted(name_of_path(path) for path in paths)),
            calls=table.space.size,
            drawn=seen,
            differing=differing,
            crosschecks=times + 2 * len(rows),
        )

    def _decided(self, rule: str) -> tuple[Analyst, Table, tuple[Path, ...]]:
        """Decide a rule, with as many facts held as have to be."""
        held: list[Path] = []
        analyst, policy = self.analyst, self.analyst.policy
        while True:
            table = analyst.table(rule)
            if isinstance(table, Table):
                return analyst, table, tuple(held)
            path = next_held(table.space)
            if path is None:
                raise ConfigurationError(f"{rule} cannot be decided: {table.why}")
            held.append(path)
            space = holding(analyst.space, path)
            analyst = Analyst(policy, space, budget=analyst.budget)

    def _crosschecked(self, analyst: Analyst, table: Table) -> int:
        """Compare a table with whole evaluations of calls that are drawn."""
        own = drawn(table.space, count=CROSSCHECKS, seed=0)
        rest = drawn(analyst.space, count=CROSSCHECKS, seed=1)
        for choice, others in zip(own, rest, strict=True):
            call = analyst.space.call({**others, **translated(table, analyst, choice)})
            found = analyst.found(call)
            if found is not None and _of(found, table.rule) != table.outcome(choice):
                raise EvaluationError(
                    f"{table.rule}: a whole evaluation differs from its table: this is"
                    " a fault of the kit: report it with the policy"
                )
        return CROSSCHECKS

    def _elsewhere(self, analyst: Analyst, table: Table) -> tuple[int, int]:
        """Count calls with other values of what is held, and those that differ."""
        differing = 0
        own = drawn(table.space, count=CROSSCHECKS, seed=2)
        rest = drawn(self.analyst.space, count=CROSSCHECKS, seed=3)
        by_path = {dim.path: dim for dim in self.analyst.space.dims}
        for choice, others in zip(own, rest, strict=True):
            same = {
                dim.path: by_path[dim.path].values.index(dim.values[choice[dim.path]])
                for dim in table.space.dims
            }
            found = analyst.found(self.analyst.space.call({**others, **same})) or {}
            differing += _of(found, table.rule) != table.outcome(choice)
        return CROSSCHECKS, differing

    def _status(self, rule: str) -> str | None:
        instants = self.analyst.space.dim("at").values
        if len(instants) > 1:
            return None
        seconds = int(datetime.fromisoformat(str(instants[0])).timestamp())
        window = info_of(rule, self.analyst.policy.modules).window_at(seconds)
        return "not in force" if window is None else window.status


def _rows(
    analyst: Analyst, table: Table, finder: Finder, wording: Wording
) -> Iterator[TableRow]:
    diagrams, dims = table.diagrams, table.space.dims
    effects = sorted(
        {item for found in table.outcomes for item in found}, key=_strength
    )
    for item in effects:
        places = frozenset(i for i, f in enumerate(table.outcomes) if item in f)
        root = diagrams.mapped(table.root, partial(_is_in, places))
        rows = cover_of(diagrams, root)
        for row in sorted(rows, key=lambda row: (len(row), sorted(row.items()))):
            calls = [_call(analyst, table, row, last=last) for last in (False, True)]
            found = [finder.found(call, rule=item[0], effect=item[1]) for call in calls]
            if item[0] == table.rule and not all(found):
                raise EvaluationError(
                    f"{table.rule}: a whole evaluation differs from a row of its table:"
                    " this is a fault of the kit: report it with the policy"
                )
            named = {dims[level].name: (dims[level], row[level]) for level in row}
            yield TableRow(
                effect=item[1] if item[0] == table.rule else "unanswered",
                conditions={n: wording.words(*pair) for n, pair in named.items()},
                values={n: _values(*pair) for n, pair in named.items()},
                remedies=_once(f["remedy"] for fs in found for f in fs),
                missing=_common(found),
                calls=_size(table.space, row),
                call=calls[0],
            )


def _call(analyst: Analyst, table: Table, row: Row, *, last: bool) -> Json:
    """Return a call of a row: of each fact the first value, or the last."""
    choice: dict[Path, int] = {}
    for level, dim in enumerate(table.space.dims):
        bits = row.get(level, (1 << len(dim.values)) - 1)
        choice[dim.path] = (
            bits.bit_length() - 1 if last else (bits & -bits).bit_length() - 1
        )
    return analyst.space.call(translated(table, analyst, choice))


def _wording(analyst: Analyst, table: Table, *, whole: Space) -> Wording:
    relevance = relevance_of(analyst, table.rule)
    instants = whole.dim("at").values
    at = int(datetime.fromisoformat(str(instants[-1])).timestamp())
    return Wording(
        whole=analyst.space,
        relevance=relevance,
        groups=groups_of(
            whole, analyst.policy.data, named=relevance.reads.texts, at=at
        ),
    )


def _of(found: Mapping[str, Found], rule: str) -> Found:
    return found.get(rule, frozenset())


def _strength(item: tuple[str, str]) -> tuple[int, str]:
    known = item[1] in EFFECTS
    return (EFFECTS.index(item[1]) if known else len(EFFECTS), item[0])


def _is_in(places: frozenset[int], place: int) -> int:
    return int(place in places)


def _values(dim: Dim, bits: int) -> tuple[Json, ...]:
    return tuple(value for i, value in enumerate(dim.values) if bits >> i & 1)


def _size(space: Space, row: Row) -> int:
    count = 1
    for level, dim in enumerate(space.dims):
        count *= row[level].bit_count() if level in row else len(dim.values)
    return count


def _once(texts: Iterator[Any]) -> tuple[str, ...]:
    found = dict.fromkeys(str(text) for text in texts if text)
    return tuple(islice(found, 2))


def _common(found: Sequence[Sequence[Mapping[str, Any]]]) -> tuple[str, ...]:
    asked = [{str(fact) for f in fs for fact in f["missing"]} for fs in found]
    return tuple(sorted(set.intersection(*asked))) if asked else ()
