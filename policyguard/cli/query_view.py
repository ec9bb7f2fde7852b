"""How an answer looks: rows as a table, or one below the other where it is too wide."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import click
from rich.table import Table
from rich.text import Text

from policyguard.cli.audit_view import short_id
from policyguard.cli.terminal import VERDICT_STYLE, plain_table, printable

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console, JustifyMethod

    from policyguard.audit.query import Answer, Question

_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)\.\d{6}Z")
_ID: Final = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"
)
_HEX: Final = re.compile(r"[0-9a-f]{32,}")
_SHORT_HEX: Final = 12
_BREAKS: Final = re.compile(r"(?<=,) |(?<=\d{4}-\d\d-\d\d) |(?=@)")
_GAP: Final = 2
_PLACE: Final = ("log", "entry")


def print_questions(console: Console, *, as_json: bool) -> None:
    """Print which questions have names."""
    from policyguard.audit.query_canned import CANNED

    if as_json:
        document = [
            {"name": item.name, "answers": item.answers, "takes": dict(item.takes)}
            for item in CANNED.values()
        ]
        click.echo(json.dumps(document, indent=2))
        return
    table = plain_table()
    table.add_column("question", style="cyan", no_wrap=True)
    table.add_column("answers", overflow="fold")
    for item in CANNED.values():
        text = Text(item.answers)
        for name in item.takes:
            text.append(f"\n--set {name}=…", "dim")
        table.add_row(item.name, text)
    console.print(table)


def print_answer(
    console: Console, answer: Answer, *, question: Question, proofs: Path | None
) -> None:
    """Print rows, and what they were computed from."""
    if answer.rows:
        console.print(_rows(answer, width=console.width))
    else:
        console.print("no rows")
    console.print()
    word = (
        ("INCOMPLETE", "bold yellow") if answer.left_out else ("COMPLETE", "bold green")
    )
    console.print(Text.assemble(word, f": {_count(answer, question=question)}"))
    for line in _remarks(answer, question=question):
        console.print(Text(f"  {line}", "dim"), soft_wrap=True)
    if proofs is not None:
        console.print(Text(f"  {answer.proofs} proofs in {proofs}", "dim"))


def _count(answer: Answer, *, question: Question) -> str:
    rows = "1 row" if len(answer.rows) == 1 else f"{len(answer.rows)} rows"
    if not answer.left_out:
        return f"{rows}, nothing left out"
    return f"{rows}, as --limit {question.limit} says, and there are more"


def _remarks(answer: Answer, *, question: Question) -> list[str]:
    lines = [f"go on with --after {answer.after}"] if answer.after else []
    for item in answer.covered:
        span = (
            f"records {item.first} to {item.size - 1}"
            if item.first < item.size
            else ("no records")
        )
        lines.append(f"{item.origin}: {span} of {item.size}, root {item.root[:16]}…")
    when = [
        f"{word} {moment}"
        for word, moment in (
            ("from", question.span.since),
            ("before", question.span.until),
        )
        if moment
    ]
    if when:
        count = sum(item.matched for item in answer.covered)
        lines.append(f"of these {count} have a time {' and '.join(when)}")
    lines.append("all records were hashed, and their roots are the signed ones")
    return lines


def _rows(answer: Answer, *, width: int) -> Table:
    """Return a table that fits, or else one row below the other."""
    names, cells = list(answer.columns), [list(map(_cell, row)) for row in answer.rows]
    numbers = {
        name
        for at, name in enumerate(names)
        if all(isinstance(row[at], int) or row[at] is None for row in answer.rows)
    }
    if set(_PLACE) <= set(names):
        names, cells = _with_place(answer, names=names, cells=cells)
    if _needed(names, cells) > width:
        heads = [name.replace("_", "\n") for name in names]
        folded = [list(map(_folded, row)) for row in cells]
        if _needed(heads, folded) > width:
            return _cards(names, cells)
        cells = folded
    else:
        heads = names
    table = plain_table()
    for name, head in zip(names, heads, strict=True):
        side: JustifyMethod = "right" if name in numbers else "left"
        table.add_column(head, justify=side, no_wrap=True)
    for row in cells:
        table.add_row(*row)
    return table


def _needed(heads: Sequence[str], cells: Sequence[Sequence[Text]]) -> int:
    """Return how many columns a table needs whose lines are not broken."""
    widths = (
        max(
            len(line)
            for text in (head, *(row[at].plain for row in cells))
            for line in (text.split("\n"))
        )
        for at, head in enumerate(heads)
    )
    return sum(width + _GAP for width in widths)


def _folded(cell: Text) -> Text:
    """Break a cell where people would: between day and time, list items, at an `@`."""
    text = _BREAKS.sub("\n", cell.plain)
    return Text(text, cell.style)


def _with_place(
    answer: Answer, *, names: Sequence[str], cells: Sequence[Sequence[Text]]
) -> tuple[list[str], list[list[Text]]]:
    """Put log and entry into one column at the front, as people write a place."""
    log, entry = names.index("log"), names.index("entry")
    others = [at for at in range(len(names)) if at not in {log, entry}]
    rows = [
        [
            Text(printable(f"{row[log]}:{row[entry]}"), "dim"),
            *(shown[at] for at in others),
        ]
        for row, shown in zip(answer.rows, cells, strict=True)
    ]
    return ["place", *(names[at] for at in others)], rows


def _cards(names: Sequence[str], cells: Sequence[Sequence[Text]]) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for number, row in enumerate(cells):
        if number:
            table.add_row("", "")
        for name, cell in zip(names, row, strict=True):
            table.add_row(name, cell)
    return table


def _cell(value: Any) -> Text:
    """Return a value as people read it, in as few characters as tell it apart."""
    if value is None:
        return Text("-", "dim")
    if not isinstance(value, str):
        return Text(str(value) if not isinstance(value, bytes) else value.hex())
    time = _TIME.fullmatch(value)
    if time:
        return Text(f"{time[1]} {time[2]}")
    if _ID.fullmatch(value):
        return Text(short_id(value))
    if _HEX.fullmatch(value):
        return Text(f"{value[:_SHORT_HEX]}…")
    if value.startswith("["):
        value = _listed(value)
    return Text(printable(value), VERDICT_STYLE.get(value, ""))


def _listed(value: str) -> str:
    try:
        items = json.loads(value)
    except ValueError:
        return value
    plain = all(isinstance(item, (str, int)) or item is None for item in items)
    return ", ".join(map(str, items)) or "none" if plain else value
