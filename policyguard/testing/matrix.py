"""Shows verdicts over rows and columns that a person chooses: facts, models, dates.

Each cell is one whole evaluation, as a guard would ask it. What no row, no column and no
setting says stays as it is in one call, and the matrix says what that is.
"""

from __future__ import annotations

import csv
import io
import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final, TypeAlias

from policyguard.canonical import Json, digest_of
from policyguard.engines.protocol import PolicySet
from policyguard.errors import ConfigurationError
from policyguard.testing.answers import UNANSWERED, VERDICTS, Answer, Asker
from policyguard.testing.choosing import Axis, Ground, Setting
from policyguard.testing.looked import Lookout
from policyguard.vocabulary.call import ModelCall

Progress: TypeAlias = Callable[[str, int, int], None]
Line: TypeAlias = tuple[Setting, ...]
"""What one row or column sets: one value of each of its axes."""
MOST_CELLS: Final = 20_000
UNLOOKED: Final = "allowed, and no rule looked"
"""What is said of such a cell."""
_FORMULA: Final = ("=", "+", "-", "@")


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """Is what a policy says of each combination of a row and a column."""

    rows: tuple[Line, ...] = field(repr=False)
    columns: tuple[Line, ...] = field(repr=False)
    row_facts: tuple[str, ...]
    column_facts: tuple[str, ...]
    cells: tuple[tuple[Answer, ...], ...] = field(repr=False)
    """By row, then by column."""
    fixed: Mapping[str, Json] = field(repr=False)
    """Facts that are the same in all cells, by name."""
    unknown: tuple[str, ...] = field(repr=False)
    """Facts that are unknown in all cells."""
    bundle_digest: str
    catalog_digest: str
    contracts_follow: bool
    """Whether contracts are with who runs each deployment."""
    unlooked: frozenset[tuple[int, int]] = field(default=frozenset(), repr=False)
    """Cells that are allowed, and no rule looked at any fact that is varied; by place."""

    @property
    def size(self) -> int:
        """Return how many cells there are."""
        return len(self.rows) * len(self.columns)

    @property
    def counts(self) -> Mapping[str, int]:
        """Count the cells by verdict, from the mildest to the strictest."""
        found = Counter(cell.verdict for row in self.cells for cell in row)
        return {name: found[name] for name in (*VERDICTS, UNANSWERED) if found[name]}

    @property
    def obliges(self) -> bool:
        """Say whether a cell is allowed with something to be done for it."""
        return any(
            cell.verdict == "allow" and cell.obligations
            for row in self.cells
            for cell in row
        )

    @property
    def shares(self) -> bool:
        """Say whether several rules object to one cell."""
        return any(len(cell.rules) > 1 for row in self.cells for cell in row)

    @property
    def by_rule(self) -> Mapping[str, int]:
        """Count the cells to which each rule objects, the most first."""
        found = Counter(
            rule for row in self.cells for cell in row for rule in cell.rules
        )
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    @cached_property
    def digest(self) -> str:
        """Return what names it: SHA-256 of all that `document` says but itself."""
        return digest_of(self._content())

    def document(self) -> dict[str, Any]:
        """Return all of it as JSON."""
        return {**self._content(), "digest": self.digest}

    def csv(self) -> str:
        """Return one line a cell, with the facts that it sets."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        ends = ("verdict", "rules", "obligations")
        writer.writerow((*self.row_facts, *self.column_facts, *ends))
        for _, row, column, cell in self._each():
            labels = [setting.label for setting in (*row, *column)]
            writer.writerow(
                [
                    plain_cell(text)
                    for text in (
                        *labels,
                        cell.verdict,
                        " ".join(cell.rules),
                        " ".join(cell.obligations),
                    )
                ]
            )
        return out.getvalue()

    def _each(self) -> Iterator[tuple[tuple[int, int], Line, Line, Answer]]:
        for down, row in enumerate(self.rows):
            for across, column in enumerate(self.columns):
                yield (down, across), row, column, self.cells[down][across]

    def _content(self) -> dict[str, Any]:
        return {
            "bundle": self.bundle_digest,
            "catalog": self.catalog_digest,
            "rows": {
                "facts": list(self.row_facts),
                "labels": [label(line) for line in self.rows],
            },
            "columns": {
                "facts": list(self.column_facts),
                "labels": [label(line) for line in self.columns],
            },
            "fixed": dict(self.fixed),
            "unknown": list(self.unknown),
            "contracts_follow_deployment": self.contracts_follow,
            "counts": dict(self.counts),
            "by_rule": dict(self.by_rule),
            "unlooked": len(self.unlooked),
            "cells": [
                {
                    "row": label(row),
                    "column": label(column),
                    "verdict": cell.verdict,
                    "objecting": [list(item) for item in cell.objecting],
                    "obligations": list(cell.obligations),
                    **({"why": cell.why} if cell.why else {}),
                    **({"unlooked": True} if place in self.unlooked else {}),
                }
                for place, row, column, cell in self._each()
            ],
        }


def matrix(  # noqa: PLR0913 -- the words of one question
    policy: PolicySet,
    *,
    rows: Sequence[str],
    columns: Sequence[str] = (),
    settings: Sequence[str] = (),
    call: ModelCall | None = None,
    most: int = MOST_CELLS,
    looks: bool = True,
    progress: Progress = lambda *_: None,
) -> Matrix:
    """Ask a policy about every combination of rows and columns.

    Args:
        policy: Rules and catalog, as an engine takes them.
        rows: Facts as `deployment` or `data.classes=pii,health`; of several, every
            combination is a row.
        columns: The same for columns.
        settings: Facts that all cells have, as `caller.location=DE`.
        call: What else all cells have; without it what the calmest call has, to which
            no rule objects.
        most: How many cells are asked about at most.
        looks: Whether it is asked, of what is allowed, if a rule looked at all.
        progress: Told the stage, how much of it is done, and how much there is.

    Raises:
        ConfigurationError: there is no such fact or value, one fact is given twice, or
            there are more cells, which the message counts.
    """
    ground = Ground.of(policy, call)
    given = [text.partition("=")[0].strip() for text in (*rows, *columns, *settings)]
    _require_apart(given)
    alone = not {"deployment", "route"} & set(given)
    fixed = [_one(ground, text, alone=alone) for text in settings]
    down = [ground.axis(text, alone=alone) for text in rows]
    across = [ground.axis(text, alone=alone) for text in columns]
    if not down:
        raise ConfigurationError("a matrix needs a fact for its rows: give one")
    size = math.prod(len(axis.settings) for axis in (*down, *across))
    if size > most:
        raise ConfigurationError(
            f"the matrix has {size:,} cells, and at most {most:,} are asked about: name"
            " fewer values, as `data.classes=pii,health`, or allow more"
        )
    asker = Asker(policy)
    lookout = _lookout(asker.policy, ground, (*down, *across)) if looks else None
    heads, lines = _lines(across), _lines(down)
    cells, unlooked = [], set()
    for row, line in enumerate(lines):
        inputs = [ground.apply(*fixed, *line, *head) for head in heads]
        cells.append(tuple(map(asker.ask, inputs)))
        for column, (one, answer) in enumerate(zip(inputs, cells[-1], strict=True)):
            if lookout is None or answer.verdict != "allow":
                continue
            if not lookout.looks(one, answer):
                unlooked.add((row, column))
        progress("cells", (row + 1) * len(heads), size)
    found = _made(ground, (down, across), fixed=fixed, cells=cells, policy=policy)
    return replace(found, unlooked=frozenset(unlooked))


def label(line: Line) -> str:
    """Return how a person reads a row or a column."""
    return " · ".join(setting.label for setting in line) or "verdict"


def plain_cell(text: str) -> str:
    """Return text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _require_apart(names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ConfigurationError(f"`{name}` is given twice: give each fact once")
        for other in names:
            if other.startswith(f"{name}."):
                raise ConfigurationError(
                    f"`{other}` is a part of `{name}`: give one of the two"
                )


def _one(ground: Ground, text: str, *, alone: bool) -> Setting:
    found = ground.axis(text, alone=alone).settings
    if len(found) != 1:
        raise ConfigurationError(
            f"`{text}` says {len(found)} values, and all cells have one: write"
            " `fact=value`"
        )
    return found[0]


def _lookout(policy: PolicySet, ground: Ground, axes: Sequence[Axis]) -> Lookout:
    """Return who sees whether rules look at the facts of some axes."""
    paths = [{p for setting in axis.settings for p in setting.facts} for axis in axes]
    return Lookout.of(
        policy,
        [[dim for dim in ground.space.dims if dim.path in own] for own in paths],
    )


def _lines(axes: Sequence[Axis]) -> tuple[Line, ...]:
    return tuple(itertools.product(*(axis.settings for axis in axes)))


def _made(
    ground: Ground,
    axes: tuple[Sequence[Axis], Sequence[Axis]],
    *,
    fixed: Sequence[Setting],
    cells: Sequence[tuple[Answer, ...]],
    policy: PolicySet,
) -> Matrix:
    down, across = axes
    varied = {
        path
        for axis in (*down, *across)
        for setting in axis.settings
        for path in setting.facts
    }
    known, unknown = ground.known(ground.apply(*fixed))
    names = {dim.name for dim in ground.space.dims if dim.path in varied}
    return Matrix(
        rows=_lines(down),
        columns=_lines(across),
        row_facts=tuple(axis.name for axis in down),
        column_facts=tuple(axis.name for axis in across),
        cells=tuple(cells),
        fixed={name: value for name, value in known.items() if name not in names},
        unknown=tuple(name for name in unknown if name not in names),
        bundle_digest=policy.bundle_digest,
        catalog_digest=policy.catalog_digest,
        contracts_follow=not ground.own and ("route",) in varied,
    )
