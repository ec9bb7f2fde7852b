"""Draws a matrix as a heat map: PNG or SVG, through matplotlib.

Colours are those of Okabe and Ito, which people with any kind of colour vision tell
apart; a mark in each cell says the same without colour, on paper too.

No global state of matplotlib is touched, and no display is needed.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from policyguard.errors import ConfigurationError
from policyguard.testing.answers import UNANSWERED, VERDICTS
from policyguard.testing.matrix import UNLOOKED, label

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from policyguard.testing.answers import Answer
    from policyguard.testing.matrix import Line, Matrix

COLOURS: Final = {
    "allow": "#56b4e9",
    "require_approval": "#f0e442",
    "unavailable": "#bbbbbb",
    "deny": "#d55e00",
    UNANSWERED: "#000000",
}
MARKS: Final = {
    "allow": "",
    "require_approval": "?",
    "unavailable": "o",
    "deny": "x",
    UNANSWERED: "!",
}
MEANINGS: Final = {
    "allow": "allowed",
    "require_approval": "a person has to approve",
    "unavailable": "switched off by the vendor",
    "deny": "denied",
    UNANSWERED: "no answer, which the guard denies",
}
_UNLOOKED: Final = "∅"
_HOLE: Final = "#882255"
"""Of the frame of a cell at which no rule looked."""
KINDS: Final = (".png", ".svg")
_INK: Final = {"deny": "#ffffff", UNANSWERED: "#ffffff"}
_CELL: Final = 0.42
"""Inches."""
_WIDE_CELL: Final = 0.95
_MOST_CELLS: Final = 6_000
_MOST_NAMED: Final = 240
"""Cells in which the first rule that objects is named, too."""
_DPI: Final = 160
_TITLE: Final = 13
"""Letters that stand above a wide cell without being slanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Is what a picture is drawn in; the same picture is the same file."""

    width: float
    """Inches."""
    height: float
    font: float
    """Points."""
    pad: float
    """Inches around it."""
    title: str
    """What the file says that it shows."""
    salt: str
    """What names inside an SVG depend on, in place of random ones."""
    layout: Literal["constrained"] | None = None

    def save(self, path: Path, draw: Callable[[Any], None]) -> None:
        """Draw a picture, and write it.

        Args:
            path: The file, `*.png` or `*.svg`, which is overwritten.
            draw: Draws on a figure of matplotlib.
        """
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        with mpl.rc_context(
            {
                "svg.hashsalt": self.salt,
                "svg.fonttype": "none",
                "font.size": self.font,
            }
        ):
            figure = Figure(figsize=(self.width, self.height), layout=self.layout)
            FigureCanvasAgg(figure)
            draw(figure)
            # No date, and no version.
            metadata = {"Date": None} if path.suffix == ".svg" else {"Software": None}
            figure.savefig(
                path,
                dpi=_DPI,
                metadata={**metadata, "Title": self.title},
                bbox_inches="tight",
                pad_inches=self.pad,
            )


def require_picture(path: Path) -> None:
    """Refuse a file that no picture can be written to, before anything is asked.

    Args:
        path: Where the picture is to be.

    Raises:
        ConfigurationError: its name ends on neither `.png` nor `.svg`, its directory is
            not there, or matplotlib is not installed.
    """
    if path.suffix not in KINDS:
        raise ConfigurationError(f"`{path}` is no picture: write *.png or *.svg")
    if not path.parent.is_dir():
        raise ConfigurationError(f"`{path.parent}` is no directory: make it first")
    try:
        import matplotlib as mpl  # noqa: F401 -- whether it is there
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            'pictures need matplotlib: pip install "policyguard-ai[pictures]"'
        ) from error


def draw_matrix(matrix: Matrix, path: Path) -> None:
    """Draw a matrix as a heat map with its legend and digests.

    Args:
        matrix: The matrix.
        path: The file, `*.png` or `*.svg`, which is overwritten.

    Raises:
        ConfigurationError: as for `require_picture`; or there are more cells than
            anybody could see.
    """
    require_picture(path)
    if matrix.size > _MOST_CELLS:
        raise ConfigurationError(
            f"a picture of {matrix.size:,} cells cannot be read: at most"
            f" {_MOST_CELLS:,} are drawn; name fewer values"
        )
    named = matrix.size <= _MOST_NAMED
    width, height = _size(matrix, named=named)
    frame = Frame(
        width=width, height=height, font=9, pad=0.2, layout="constrained",
        title=f"matrix {matrix.digest}", salt=matrix.digest,
    )  # fmt: skip

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        _draw_cells(axes, matrix, named=named)
        _draw_heads(axes, matrix, named=named)
        _draw_words(figure, axes, matrix, width=width)

    frame.save(path, draw)


def _size(matrix: Matrix, *, named: bool) -> tuple[float, float]:
    cell = _WIDE_CELL if named else _CELL
    longest_row = max(len(label(line)) for line in matrix.rows)
    longest_column = max(len(label(line)) for line in matrix.columns)
    return (
        max(6.5, 0.085 * longest_row + cell * len(matrix.columns) + 0.6),
        2.1 + 0.06 * longest_column + _CELL * len(matrix.rows),
    )


def _draw_cells(axes: Any, matrix: Matrix, *, named: bool) -> None:
    from matplotlib.colors import ListedColormap

    order = list(COLOURS)
    axes.imshow(
        [[order.index(cell.verdict) for cell in row] for row in matrix.cells],
        cmap=ListedColormap(list(COLOURS.values())),
        vmin=-0.5,
        vmax=len(order) - 0.5,
        aspect="auto",
        interpolation="nearest",
    )
    for down, row in enumerate(matrix.cells):
        for across, cell in enumerate(row):
            hole = (down, across) in matrix.unlooked
            text = _UNLOOKED if hole else _text(cell, named=named)
            if hole:
                _draw_frame(axes, down, across)
            if text:
                axes.text(
                    across, down, text, ha="center", va="center",
                    color=_INK.get(cell.verdict, "#000000"),
                    fontsize=7.5 if named else 8,
                )  # fmt: skip


def _draw_frame(axes: Any, down: int, across: int) -> None:
    from matplotlib.patches import Rectangle

    corner = (across - 0.42, down - 0.4)
    axes.add_patch(
        Rectangle(corner, 0.84, 0.8, fill=False, edgecolor=_HOLE, linewidth=1.8)
    )


def _text(cell: Answer, *, named: bool) -> str:
    mark = MARKS[cell.verdict]
    if not named or not cell.rules:
        return f"{mark}+" if cell.obligations and cell.verdict == "allow" else mark
    more = len(cell.rules) - 1
    return f"{mark} {cell.rules[0]}" + (f" +{more}" if more else "")


def _draw_heads(axes: Any, matrix: Matrix, *, named: bool) -> None:
    parts = [label(line).split(" · ") for line in matrix.columns]
    slanted = not named or any(len(part) > _TITLE for line in parts for part in line)
    columns = [(" · " if slanted else "\n").join(line) for line in parts]
    axes.set_xticks(
        range(len(columns)),
        columns,
        rotation=55 if slanted else 0,
        ha="left" if slanted else "center",
        rotation_mode="anchor" if slanted else "default",
    )
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_yticks(range(len(matrix.rows)), [label(line) for line in matrix.rows])
    axes.set_xlabel(" · ".join(matrix.column_facts), fontweight="bold")
    axes.set_ylabel(" · ".join(matrix.row_facts), fontweight="bold")
    axes.tick_params(length=0)
    axes.set_xticks([i - 0.5 for i in range(1, len(columns))], minor=True)
    axes.set_yticks([i - 0.5 for i in range(1, len(matrix.rows))], minor=True)
    axes.grid(which="minor", color="white", linewidth=1.2)
    axes.tick_params(which="minor", length=0)
    for side in axes.spines.values():
        side.set_visible(False)
    _draw_groups(axes, matrix.rows, vertical=False)
    _draw_groups(axes, matrix.columns, vertical=True)


def _draw_groups(axes: Any, lines: Sequence[Line], *, vertical: bool) -> None:
    """Draw a stronger line where the first of several facts changes."""
    for index, (one, other) in enumerate(pairwise(lines)):
        if len(one) > 1 and one[0] != other[0]:
            draw = axes.axvline if vertical else axes.axhline
            draw(index + 0.5, color="#333333", linewidth=1.4)


def _draw_words(figure: Any, axes: Any, matrix: Matrix, *, width: float) -> None:
    from matplotlib.patches import Patch

    shown = [name for name in (*VERDICTS, UNANSWERED) if name in matrix.counts]
    handles = [
        Patch(
            facecolor=COLOURS[name],
            edgecolor="#333333",
            label=f"{MARKS[name]} {MEANINGS[name]} ({matrix.counts[name]:,})".strip(),
        )
        for name in shown
    ]
    if matrix.unlooked:
        said = f"{_UNLOOKED} {UNLOOKED} ({len(matrix.unlooked):,})"
        handles.append(
            Patch(
                facecolor=COLOURS["allow"], edgecolor=_HOLE, linewidth=1.8, label=said
            )
        )
    notes = ["+ something has to be done for it"] if matrix.obliges else []
    if matrix.shares and matrix.size <= _MOST_NAMED:
        notes.append("+1 one more rule objects")
    handles += [Patch(facecolor="none", edgecolor="none", label=note) for note in notes]
    axes.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0, -0.15 / max(1, len(matrix.rows) * _CELL)),
        ncols=min(len(handles), max(1, int(width / 2.4))),
        frameon=False,
        borderaxespad=0,
        handlelength=1.2,
    )
    origin = (
        f"{matrix.size:,} whole evaluations · bundle {matrix.bundle_digest[:12]} ·"
        f" catalog {matrix.catalog_digest[:12]} · matrix {matrix.digest[:12]}"
        f" · {len(matrix.fixed)} facts the same in every cell, {len(matrix.unknown)}"
        " unknown"
    )
    figure.supxlabel(
        textwrap.fill(origin, int(width * 16)), x=0.01, ha="left", fontsize=7.5,
        color="#444444",
    )  # fmt: skip
