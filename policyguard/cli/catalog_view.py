"""How an import is shown: what came, what nobody said, what was left out."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from policyguard.cli.terminal import errors, output, plain_table, printable

if TYPE_CHECKING:
    from policyguard.catalog.importers.overlay import Imported

_FEW: Final = 3


def show_imported(imported: Imported, *, out: Path | None, as_json: bool) -> None:
    """Show what an import yielded; beside an overlay on standard output, as a note."""
    if as_json:
        click.echo(json.dumps(_document(imported), indent=2))
        return
    console = errors() if out is None else output()
    sizes = ", ".join(f"{size} in {name}" for name, size in imported.counts.items())
    console.print(printable(f"{imported.source}: {sizes or 'nothing new'}"))
    named = sum(len(listed.names) for listed in imported.file.lists.values())
    if named:
        console.print(f"{named} entries by name: calls and operators are compared")
    matches = [
        (key, match)
        for key, listed in sorted(imported.file.lists.items())
        for match in listed.potential
    ]
    for key, match in matches:
        name = ", ".join(match.names)
        console.print(
            printable(f"potential match: {match.party} may be `{name}` of {key}"),
            style="yellow",
        )
    if imported.gaps:
        console.print()
        table = plain_table()
        table.add_column("unknown", no_wrap=True)
        table.add_column("entries", justify="right")
        table.add_column("why")
        for gap in imported.gaps:
            table.add_row(gap.fact, str(gap.count), printable(gap.why))
        console.print(table)
    if imported.skipped:
        console.print()
        table = plain_table()
        table.add_column("left out", justify="right")
        table.add_column("why")
        for why, entries in _reasons(imported):
            table.add_row(str(len(entries)), printable(f"{why} ({_some(entries)})"))
        console.print(table)
    if out is not None:
        console.print(printable(f"written to {out}: name it under [catalog] overlays"))


def _reasons(imported: Imported) -> list[tuple[str, list[str]]]:
    grouped: dict[str, list[str]] = {}
    for item in imported.skipped:
        # What differs from entry to entry is quoted; the reason is what is around it.
        grouped.setdefault(_without_quotes(item.why), []).append(item.entry)
    order = Counter({why: len(entries) for why, entries in grouped.items()})
    return [(why, grouped[why]) for why, _ in order.most_common()]


def _without_quotes(text: str) -> str:
    parts = text.split("`")
    return "".join("…" if i % 2 else part for i, part in enumerate(parts))


def _some(entries: list[str]) -> str:
    shown = ", ".join(entries[:_FEW])
    return f"{shown}, …" if len(entries) > _FEW else shown


def _document(imported: Imported) -> dict[str, object]:
    return {
        "source": imported.source,
        "sha256": imported.sha256,
        "entries": imported.counts,
        "names": sum(len(listed.names) for listed in imported.file.lists.values()),
        "potential_matches": [
            {"list": key, "party": match.party, "names": list(match.names)}
            for key, listed in sorted(imported.file.lists.items())
            for match in listed.potential
        ],
        "unknown": [
            {"fact": gap.fact, "entries": gap.count, "why": gap.why}
            for gap in imported.gaps
        ],
        "left_out": [
            {"entry": item.entry, "why": item.why} for item in imported.skipped
        ],
    }
