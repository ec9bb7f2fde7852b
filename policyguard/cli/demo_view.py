"""How the demonstration looks: what was asked, what was answered, what the trail says."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from rich.text import Text

from policyguard.cli.terminal import VERDICT_STYLE, plain_table

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from policyguard.demo.calls import Ran, Told

_HANGING: Final = 15
"""Where the text after a label of a denial begins."""


def paragraph(console: Console, text: str, *, style: str = "dim") -> None:
    """Print a sentence or two, broken between words."""
    console.print(Text(text, style))


def cases_table(ran: tuple[Ran, ...]) -> Table:
    """Return each case with its answer and with what reached its host."""
    table = plain_table()
    for name in ("what is sent", "to", "at, hits", "answer"):
        table.add_column(name, overflow="fold")
    for item in ran:
        case = item.case
        hits = len(item.told.hits)
        table.add_row(
            Text.assemble(case.title, "\n", (case.data, "dim")),
            Text.assemble(case.model, "\n", (case.host, "dim")),
            Text.assemble(
                f"{case.at:%Y-%m-%d}",
                "\n",
                (f"{hits} hit{'' if hits == 1 else 's'}", "green" if hits else "bold"),
            ),
            _answer(item),
        )
    return table


def denial(console: Console, told: Told) -> None:
    """Print the text of a refusal as whoever made the call reads it."""
    for line in (told.refusal or "").splitlines():
        labelled = line.startswith("  ")
        wrapped = textwrap.wrap(
            line,
            width=max(console.width - 2, _HANGING * 2),
            subsequent_indent=" " * (_HANGING if labelled else 2),
            break_long_words=False,
            break_on_hyphens=False,
            drop_whitespace=True,
        )
        for number, part in enumerate(wrapped):
            text = Text(f"  {part}")
            if not labelled:
                text.stylize("bold")
            elif number == 0:
                text.stylize("cyan", 0, _HANGING + 2)
            console.print(text, soft_wrap=True)


def _answer(item: Ran) -> Text:
    verdict = item.record.verdict
    lines = [Text(verdict, VERDICT_STYLE[verdict])]
    if item.rules:
        lines.append(Text(", ".join(item.rules)))
    if item.missing:
        lines.append(Text(f"missing: {', '.join(item.missing)}", "dim"))
    if item.record.obligations:
        lines.append(Text(", ".join(sorted(set(item.record.obligations))), "dim"))
    return Text("\n").join(lines)
