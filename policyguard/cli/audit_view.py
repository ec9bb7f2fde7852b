"""How many records look: a table of them, and what a verification found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from policyguard.cli.terminal import VERDICT_STYLE, plain_table
from policyguard.vocabulary.record import DecisionRecord, GenesisRecord, OutcomeRecord

if TYPE_CHECKING:
    from rich.console import Console

    from policyguard.audit.verify import Verified
    from policyguard.cli.trail_reading import Found

SHORT: Final = 18
"""Characters of an id that a table shows: its time, and twelve bits beside it."""
_ROOMY: Final = 100
"""From so many columns on, a record's kind has a column of its own."""
_LEAST_ROOM: Final = 24
_GAP: Final = 2
_HTTP_ERROR: Final = 400
_OBJECTS: Final = ("deny", "unavailable", "require_approval")
_OUTCOME_STYLE: Final = {"complete": "green", "delegated": "green"}


def heading(console: Console, text: str) -> None:
    """Print the title of a part."""
    console.print()
    console.print(Rule(Text(text, "bold"), align="left", style="dim"))


def records_table(found: Sequence[Found], *, width: int) -> Table:
    """Return a table of records.

    Args:
        found: What it shows, one record a row.
        width: How many columns there are.
    """
    roomy = width >= _ROOMY
    several = len({item.entry.origin for item in found}) > 1
    days = {item.record.time[:10] for item in found}
    day = days.pop() if len(days) == 1 else None
    names = ["entry", "UTC" if day else "time (UTC)", "record", "kind", "answer"]
    rows = [_cells(item, several=several, dated=day is None) for item in found]
    if not roomy:
        names.remove("kind")
        for item, row in zip(found, rows, strict=True):
            kind = row.pop(names.index("answer"))
            if isinstance(item.record, GenesisRecord):
                row[-1] = kind
    table = plain_table(title=day)
    room = width
    for number, name in enumerate(names):
        table.add_column(name, justify="left" if number else "right", no_wrap=True)
        room -= max([len(name), *(len(row[number]) for row in rows)]) + _GAP
    table.add_column("about", overflow="fold")
    for item, row in zip(found, rows, strict=True):
        table.add_row(*row, _about(item, room=max(room, _LEAST_ROOM), kind=not roomy))
    return table


def short_id(record: str) -> str:
    """Return the beginning of an id that tells records apart, and is found again."""
    return record[:SHORT].rstrip("-") if len(record) > SHORT else record


def tampered(reason: str) -> Text:
    """Return the line that says what was changed."""
    return Text.assemble(("TAMPERED", "bold red"), f": {reason}")


def print_verified(console: Console, verified: Verified) -> None:
    """Print what a verification that found no fault has looked at."""
    table = plain_table()
    table.add_column("log", overflow="fold")
    table.add_column("records", justify="right", no_wrap=True)
    table.add_column("root", no_wrap=True)
    for origin, size, root in verified.logs:
        half = len(root.hex()) // 2
        shown = f"{root.hex()[:half]}\n{root.hex()[half:]}"
        table.add_row(origin, str(size), Text(shown, "dim"))
    console.print(table)
    console.print()
    word = (
        ("INCOMPLETE", "bold yellow") if verified.erased else ("INTACT", "bold green")
    )
    console.print(
        Text.assemble(
            word,
            f": {verified.checkpoints} signed checkpoints, and every record is"
            " what was signed",
        )
    )
    for line in _remarks(verified):
        console.print(Text(f"  {line}", "dim"))


def _remarks(verified: Verified) -> list[str]:
    lines = [
        "compared with the lock database: no log was put back"
        if verified.memory
        else "no lock database beside this trail: a whole trail that was put back would"
        " not be noticed",
    ]
    if verified.pending:
        lines.append(
            f"allowed calls without an outcome: {verified.pending}, still running or"
            " cut off"
        )
    if verified.erased:
        lines.append(
            f"records whose content is gone from the vault: {verified.erased}, which"
            " cannot be replayed"
        )
    return lines


def _cells(item: Found, *, several: bool, dated: bool) -> list[Text]:
    """Return all cells of a row but the last one."""
    record = item.record
    quiet = "dim" if isinstance(record, GenesisRecord) else ""
    place = f"{item.log.slot}:{item.entry.index}" if several else str(item.entry.index)
    return [
        Text(place, "dim"),
        Text(record.time[0 if dated else 11 : 19].replace("T", " "), quiet),
        Text(short_id(record.id), quiet),
        Text(_kind(item), quiet),
        _answer(item),
    ]


def _kind(item: Found) -> str:
    record = item.record
    if isinstance(record, DecisionRecord) and record.layer == "http":
        return f"{record.kind} (http)"
    return record.kind


def _answer(item: Found) -> Text:
    record = item.record
    if isinstance(record, DecisionRecord):
        return Text(record.code or record.verdict, VERDICT_STYLE[record.verdict])
    if isinstance(record, OutcomeRecord):
        return Text(record.outcome, _OUTCOME_STYLE.get(record.outcome, "yellow"))
    return Text("")


def _about(item: Found, *, room: int, kind: bool) -> Text:
    """Return what a record is about, broken where people would break it."""
    record = item.record
    if isinstance(record, GenesisRecord):
        fits = len(record.origin) <= room
        return Text(record.origin if fits else item.log.slot, "dim")
    if isinstance(record, OutcomeRecord):
        return Text(_broken(_outcome(record), room=room), "dim")
    parts = [name or "unknown deployment" for name in record.deployments]
    if not parts and record.model:
        parts.append(record.model)
    if kind and _kind(item) != "decision":
        parts.insert(0, _kind(item))
    rules = sorted({rule.id for rule in record.rules if rule.effect in _OBJECTS})
    said = [", ".join(rules), ", ".join(sorted(set(record.obligations)))]
    return Text(_broken([*parts, *said], room=room))


def _outcome(record: OutcomeRecord) -> list[str]:
    tokens = (record.input_tokens, record.output_tokens)
    return [
        record.served_model or "",
        record.error or "",
        f"HTTP {record.status}" if (record.status or 0) >= _HTTP_ERROR else "",
        "" if None in tokens else f"{tokens[0]} + {tokens[1]} tokens",
    ]


def _broken(parts: Sequence[str], *, room: int) -> str:
    """Fill lines with parts; one that is too long for a line is broken at its `@`."""
    lines: list[str] = []
    for part in filter(None, parts):
        joined = f"{lines[-1]} · {part}" if lines else part
        if lines and len(joined) <= room:
            lines[-1] = joined
            continue
        head, mark, tail = part.rpartition("@")
        lines += [head, f"{mark}{tail}"] if head and len(part) > room else [part]
    return "\n".join(lines)
