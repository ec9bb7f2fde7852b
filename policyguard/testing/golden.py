"""Compares a table of verdicts with the one that is kept beside the rules, cell by cell.

The table is what `policyguard policy matrix --csv` prints. Who changes a verdict on
purpose writes it anew, and the change is in the same commit, to be read line by line.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from policyguard.engines.protocol import PolicySet
from policyguard.errors import ConfigurationError
from policyguard.testing.gates import GoldenTable
from policyguard.testing.matrix import Progress, matrix

_SAID: Final = 3
"""Columns at the end of a line that say what is decided: verdict, rules, obligations."""
_Cells: TypeAlias = Mapping[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenDiff:
    """Is what a table says otherwise than the one that was kept."""

    lines: tuple[str, ...]
    """One for each cell that differs, appeared or is gone."""

    def text(self, *, file: str) -> str:
        """Return what a person reads."""
        return "\n".join(
            [
                f"{file}: {len(self.lines)} cells differ from what was kept",
                *(f"  {line}" for line in self.lines),
            ]
        )


def golden_text(
    policy: PolicySet, table: GoldenTable, *, progress: Progress = lambda *_: None
) -> str:
    """Return a table of verdicts as it is to be kept.

    Args:
        policy: Rules and catalog, as an engine takes them.
        table: Which facts are rows, columns, and the same in all cells.
        progress: Told the stage, how much of it is done, and how much there is.

    Raises:
        ConfigurationError: there is no such fact or value, or there are too many cells.
    """
    return matrix(
        policy,
        rows=table.rows,
        columns=table.columns,
        settings=table.set,
        looks=False,
        progress=progress,
    ).csv()


def compare_golden(kept: Path, now: str) -> GoldenDiff | None:
    """Return what a table says otherwise than the kept one; nothing if it is the same.

    Args:
        kept: The file.
        now: The table of today.

    Raises:
        ConfigurationError: there is no such file, or it is no table.
    """
    try:
        before = kept.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"`{kept}` cannot be read ({error}): write it with --policy-golden-update"
        ) from error
    old, new = _cells(before, name=str(kept)), _cells(now, name="the table of today")
    lines = [
        f"{_place(key)}: {_said(old.get(key))} → {_said(new.get(key))}"
        for key in {**old, **new}
        if old.get(key) != new.get(key)
    ]
    return GoldenDiff(lines=tuple(lines)) if lines else None


def _cells(text: str, *, name: str) -> _Cells:
    rows = [row for row in csv.reader(io.StringIO(text)) if row]
    if not rows or any(len(row) != len(rows[0]) or len(row) <= _SAID for row in rows):
        raise ConfigurationError(
            f"`{name}` is no table of verdicts: write it with --policy-golden-update"
        )
    facts = rows[0][:-_SAID]
    return {
        tuple(
            f"{fact} = {value}" for fact, value in zip(facts, row[:-_SAID], strict=True)
        ): tuple(row[-_SAID:])
        for row in rows[1:]
    }


def _place(key: tuple[str, ...]) -> str:
    return ", ".join(key)


def _said(cell: tuple[str, ...] | None) -> str:
    if cell is None:
        return "no such cell"
    verdict, rules, obligations = cell
    more = " ".join(part for part in (rules, obligations) if part)
    return f"{verdict} ({more})" if more else verdict
