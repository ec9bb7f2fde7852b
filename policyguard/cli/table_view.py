"""How decision tables look on a terminal: each row as what it names, then what follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from policyguard.cli.terminal import printable

if TYPE_CHECKING:
    from rich.console import Console

_STYLE: Final = {
    "deny": "bold red",
    "unanswered": "bold red",
    "unavailable": "bold yellow",
    "require_approval": "bold yellow",
    "indeterminate": "yellow",
    "oblige": "cyan",
    "advise": "cyan",
}


def print_tables(console: Console, document: Mapping[str, Any]) -> None:
    """Print decision tables.

    Args:
        console: Where to.
        document: What `--json` prints.
    """
    from policyguard.testing.table_pages import HOW_TO_READ

    for table in document["tables"]:
        _print_table(console, table, document["at"])
        console.print()
    console.print(
        Text(
            f"{HOW_TO_READ} Bundle {document['bundle'][:12]}, catalog"
            f" {document['catalog'][:12]}, space {document['space'][:12]}.",
            "dim",
        )
    )


def _print_table(console: Console, table: Mapping[str, Any], at: str | None) -> None:
    from policyguard.testing.table_pages import (
        groups_of,
        held_of,
        helps,
        silence_of,
        status_of,
        sureness_of,
    )

    title = printable(table["title"])
    console.print(Text.assemble((table["rule"], "bold cyan"), "  ", (title, "bold")))
    if table["citation"]:
        console.print(Text(printable(table["citation"]), "dim"))
    console.print(Text(status_of(table, at), "dim"))
    held = held_of(table, at)
    if held:
        console.print()
        console.print(Text("in every call of this table"))
        console.print(_facts(held))
    if not table["rows"]:
        console.print()
        console.print(silence_of(table, at))
    for group in groups_of(table):
        console.print()
        console.print(Text(group.words, _STYLE.get(group.effect, "bold")))
        if group.common or not group.rows:
            console.print(_facts(group.common or {"every call": ""}))
        for number, cells in enumerate(group.rows, start=1):
            pairs = zip(group.heads, cells, strict=True)
            named = {name: words for name, words in pairs if words}
            console.print(_facts(named or {"any": ""}, number=number))
        if group.remedies:
            text = Text(printable(helps(group)), "dim")
            console.print(Padding(text, (0, 0, 0, 2)))
    console.print()
    console.print(
        Text(sureness_of(table), "dim" if table["tier"] == "PROVED" else "yellow")
    )


def _facts(facts: Mapping[str, str], *, number: int | None = None) -> Padding:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=3, justify="right", no_wrap=True)
    grid.add_column(max_width=34)
    grid.add_column(overflow="fold")
    for index, (name, words) in enumerate(facts.items()):
        mark = str(number) if number is not None and index == 0 else ""
        grid.add_row(Text(mark, "dim"), Text(printable(name)), Text(printable(words)))
    return Padding(grid, (0, 0, 0, 0))
