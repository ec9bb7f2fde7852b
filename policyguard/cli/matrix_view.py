"""How a matrix looks on a terminal: a mark for each verdict, and what the marks mean."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Final

from rich.columns import Columns
from rich.table import Table
from rich.text import Text

from policyguard.cli.terminal import VERDICT_STYLE, plain_table, printable

if TYPE_CHECKING:
    from rich.console import Console

    from policyguard.testing.answers import Answer
    from policyguard.testing.matrix import Matrix

MARKS: Final = {
    "allow": "✓",
    "require_approval": "?",
    "unavailable": "○",
    "deny": "✗",
    "unanswered": "!",
}
_MEANINGS: Final = {
    "allow": "allowed",
    "require_approval": "a person has to approve",
    "unavailable": "switched off by the vendor",
    "deny": "denied",
    "unanswered": "no answer, which the guard denies",
}
_OBLIGES: Final = "+"
_UNLOOKED: Final = "∅"
_WIDEST_ROW: Final = 44
_NARROWEST: Final = 2
_RULE_WIDTH: Final = 12
"""What a mark with the first rule takes: `✗ GDPR-01 +2`."""


def print_matrix(console: Console, matrix: Matrix) -> None:
    """Print a matrix so that it fits the terminal, and what all its cells share.

    Args:
        console: Where to.
        matrix: The matrix.
    """
    from policyguard.testing.matrix import label

    rows = [printable(label(line)) for line in matrix.rows]
    columns = [printable(label(line)) for line in matrix.columns]
    head = " · ".join(matrix.row_facts)
    first = min(max(map(len, (head, *rows))), _WIDEST_ROW, console.width // 2)
    room = (console.width - first) // len(columns) - 1
    with_rules = room >= _RULE_WIDTH
    numbered = max(map(len, columns)) > room
    if room < max(_NARROWEST, len(str(len(columns)))):
        _print_blocks(console, matrix, first=first)
    else:
        _print_part(
            console, matrix, range(len(columns)), first=first,
            numbered=numbered, with_rules=with_rules,
        )  # fmt: skip
    if numbered:
        _print_columns(console, matrix, columns)
    _print_legend(console, matrix)
    _print_shared(console, matrix)


def _print_columns(console: Console, matrix: Matrix, columns: Sequence[str]) -> None:
    """Print what the numbers above the columns stand for."""
    console.print()
    console.print(f"columns  {' · '.join(matrix.column_facts)}", style="bold")
    shown = [f"{number:>3} {text}" for number, text in enumerate(columns, start=1)]
    console.print(Columns(shown, padding=(0, 2), column_first=True), style="dim")


def _print_blocks(console: Console, matrix: Matrix, *, first: int) -> None:
    """Print columns that do not fit beside one another below one another."""
    at_once = max(1, (console.width - first) // (_NARROWEST + 2))
    for start in range(0, len(matrix.columns), at_once):
        part = range(start, min(start + at_once, len(matrix.columns)))
        _print_part(console, matrix, part, first=first, numbered=True, with_rules=False)
        console.print()


def _print_part(
    console: Console,
    matrix: Matrix,
    part: Sequence[int],
    *,
    first: int,
    numbered: bool,
    with_rules: bool,
) -> None:
    from policyguard.testing.matrix import label

    table = plain_table()
    table.add_column(
        " · ".join(matrix.row_facts), no_wrap=True, overflow="ellipsis", max_width=first
    )
    for index in part:
        name = str(index + 1) if numbered else printable(label(matrix.columns[index]))
        table.add_column(name, no_wrap=True, justify="left" if with_rules else "center")
    for row, (line, answers) in enumerate(zip(matrix.rows, matrix.cells, strict=True)):
        cells = [
            Text(_UNLOOKED, "bold magenta")
            if (row, index) in matrix.unlooked
            else _cell(answers[index], with_rules=with_rules)
            for index in part
        ]
        table.add_row(printable(label(line)), *cells)
    console.print(table)


def _cell(answer: Answer, *, with_rules: bool) -> Text:
    mark = MARKS[answer.verdict]
    style = VERDICT_STYLE.get(answer.verdict, "bold red")
    if answer.verdict == "allow" and answer.obligations:
        mark = f"{mark}{_OBLIGES}"
    text = Text(mark, style)
    if with_rules and answer.rules:
        more = len(answer.rules) - 1
        text.append(f" {answer.rules[0]}{f' +{more}' if more else ''}", "default")
    return text


def _print_legend(console: Console, matrix: Matrix) -> None:
    from policyguard.testing.matrix import UNLOOKED

    console.print()
    table = plain_table()
    table.show_header = False
    for name, count in matrix.counts.items():
        share = f"{count / matrix.size:.0%}"
        style = VERDICT_STYLE.get(name, "bold red")
        table.add_row(Text(MARKS[name], style), _MEANINGS[name], f"{count:,}", share)
    if matrix.unlooked:
        table.add_row(
            Text(_UNLOOKED, "bold magenta"), UNLOOKED,
            f"{len(matrix.unlooked):,}", f"{len(matrix.unlooked) / matrix.size:.0%}",
        )  # fmt: skip
    console.print(table)
    if matrix.obliges:
        console.print(f"{_OBLIGES} something has to be done for it", style="dim")
    if matrix.by_rule:
        shown = ", ".join(f"{rule} {count:,}" for rule, count in matrix.by_rule.items())
        console.print(f"objecting  {shown}")


def _print_shared(console: Console, matrix: Matrix) -> None:
    console.print()
    facts = {
        name: f" = {printable(json.dumps(value, ensure_ascii=False))}"
        for name, value in matrix.fixed.items()
    }
    console.print("the same in every cell", style="bold")
    console.print(grouped(facts))
    console.print("unknown in every cell", style="bold")
    console.print(grouped(dict.fromkeys(matrix.unknown, "")))
    if matrix.contracts_follow:
        console.print("contracts are with who runs each deployment")
    console.print()
    console.print(
        f"{matrix.size:,} whole evaluations of bundle {matrix.bundle_digest[:12]},"
        f" catalog {matrix.catalog_digest[:12]}; matrix {matrix.digest[:12]}",
        style="dim",
    )


def grouped(facts: Mapping[str, str]) -> Table:
    """Return facts by what they are of, so that a long list can be read."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column()
    ordered = sorted(facts, key=_top)
    for top, group in groupby(ordered, key=_top):
        shown = [f"{name.partition('.')[2] or name}{facts[name]}" for name in group]
        table.add_row(Text(f"  {top}"), Text(", ".join(shown), "dim"))
    return table


def _top(name: str) -> str:
    return name.partition(".")[0]
