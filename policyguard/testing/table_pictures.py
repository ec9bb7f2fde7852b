"""Draws decision tables: PNG or SVG, through matplotlib.

Colours are those of heat maps, and each outcome is written beside its colour.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from policyguard.errors import ConfigurationError
from policyguard.testing.pictures import COLOURS, Frame, require_picture
from policyguard.testing.report_markup import Document
from policyguard.testing.table_pages import (
    HOW_TO_READ,
    Group,
    groups_of,
    held_of,
    helps,
    silence_of,
    status_of,
    sureness_of,
)

_LINE: Final = 0.155
"""Inches of a line of text."""
_LETTER: Final = 0.068
_PAD: Final = 0.09
_NARROWEST, _WIDEST = 12, 34
"""Letters of a column."""
_LETTERS: Final = 90
"""Those of a line of words, at least."""
_MOST_ROWS: Final = 120
_FILLS: Final = {
    "deny": "#f6c9b0",
    "unanswered": "#f6c9b0",
    "unavailable": COLOURS["unavailable"],
    "require_approval": "#fbf3a6",
    "indeterminate": "#fdf8d0",
    "oblige": "#cfe8f7",
    "advise": "#e7f3fb",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """Is one line of cells, or of words across all columns."""

    cells: tuple[str, ...]
    widths: tuple[float, ...]
    fill: str | None = None
    bold: bool = False
    across: bool = False

    @property
    def height(self) -> float:
        lines = max(cell.count("\n") + 1 for cell in self.cells)
        return lines * _LINE + _PAD


def draw_tables(document: Document, path: Path) -> None:
    """Draw decision tables, one below the other.

    Args:
        document: What `policyguard policy table --json` prints.
        path: The file, `*.png` or `*.svg`, which is overwritten.

    Raises:
        ConfigurationError: as for `require_picture`; or there are more rows than
            anybody could see.
    """
    require_picture(path)
    rows = sum(len(table["rows"]) for table in document["tables"])
    if rows > _MOST_ROWS:
        raise ConfigurationError(
            f"a picture of {rows:,} rows cannot be read: at most {_MOST_ROWS} are drawn;"
            " name fewer rules, or say with --set what facts are"
        )
    blocks = [_lines(table, document["at"]) for table in document["tables"]]
    width = max(sum(line.widths) for lines in blocks for line in lines)
    height = sum(line.height for lines in blocks for line in lines) + 0.3 * len(blocks)
    salt = document["space"]
    frame = Frame(
        width=width, height=height, font=7.5, pad=0.15,
        title=f"decision tables, space {salt[:12]}", salt=salt,
    )  # fmt: skip

    def draw(figure: Any) -> None:
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, width)
        axes.set_ylim(height, 0)
        axes.set_axis_off()
        top = 0.0
        for lines in blocks:
            top = _draw(axes, lines, top=top) + 0.3

    frame.save(path, draw)


def _lines(table: Document, at: str | None) -> list[_Line]:
    groups = list(groups_of(table))
    across = max([_LETTERS, *(int(sum(_widths(g)) / _LETTER) for g in groups)])
    held = [f"{name}: {words}" for name, words in held_of(table, at).items()]
    about = [table["citation"], status_of(table, at)]
    about += [f"in every call: {' · '.join(held)}"] if held else []
    lines = [_across(f"{table['rule']}: {table['title']}", across, bold=True)]
    lines += [_across(text, across) for text in about if text]
    if not groups:
        lines.append(_across(silence_of(table, at), across))
    for group in groups:
        fill = _FILLS.get(group.effect, "#ffffff")
        lines.append(_across(group.words, across, bold=True, fill=fill))
        common = [f"{name}: {words}" for name, words in group.common.items()]
        lines += [_across(text, across) for text in common]
        if group.rows:
            letters = _letters(group)
            heads = _wrapped(group.heads, letters)
            widths = tuple(_widths(group))
            lines.append(_Line(cells=heads, widths=widths, fill="#e6e9ef", bold=True))
            lines += [
                _Line(cells=_wrapped(cells, letters), widths=widths)
                for cells in group.rows
            ]
        if group.remedies:
            lines.append(_across(helps(group), across))
    lines += [_across(text, across) for text in (f"{sureness_of(table)}.", HOW_TO_READ)]
    return lines


def _letters(group: Group) -> list[int]:
    columns = zip(group.heads, *group.rows, strict=True)
    return [min(_WIDEST, max(_NARROWEST, *map(len, column)) + 1) for column in columns]


def _widths(group: Group) -> list[float]:
    return [count * _LETTER + 2 * _PAD for count in _letters(group)]


def _across(
    text: str, letters: int, *, bold: bool = False, fill: str | None = None
) -> _Line:
    width = letters * _LETTER + 2 * _PAD
    said = textwrap.fill(text, letters)
    return _Line(cells=(said,), widths=(width,), bold=bold, fill=fill, across=True)


def _wrapped(cells: Sequence[str], letters: Sequence[int]) -> tuple[str, ...]:
    return tuple(
        textwrap.fill(cell, count) for cell, count in zip(cells, letters, strict=True)
    )


def _draw(axes: Any, lines: Sequence[_Line], *, top: float) -> float:
    """Draw lines from some height on, and return where they end."""
    from matplotlib.patches import Rectangle

    for line in lines:
        left = 0.0
        for cell, wide in zip(line.cells, line.widths, strict=True):
            if line.fill is not None or not line.across:
                axes.add_patch(
                    Rectangle(
                        (left, top), wide, line.height,
                        facecolor=line.fill or "#ffffff",
                        edgecolor="#bbbbbb", linewidth=0.6,
                    )
                )  # fmt: skip
            axes.text(
                left + _PAD,
                top + _PAD / 2,
                cell.replace("$", r"\$"),
                ha="left",
                va="top",
                fontweight="bold" if line.bold else "normal",
                linespacing=1.2,
            )
            left += wide
        top += line.height
    return top
