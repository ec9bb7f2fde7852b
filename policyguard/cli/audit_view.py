"""How many records look: a table of them, and what a verification found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from policyguard.cli.terminal import VERDICT_STYLE, plain_table, printable
from policyguard.vocabulary.record import (
    ApprovalRecord,
    DecisionRecord,
    EraseRecord,
    EvidenceRecord,
    GenesisRecord,
    KeyRotateRecord,
    OutcomeRecord,
    PolicyLoadRecord,
    PolicyRejectRecord,
)

if TYPE_CHECKING:
    from rich.console import Console, JustifyMethod

    from policyguard.audit.verify import Verified
    from policyguard.cli.trail_reading import Found

SHORT: Final = 18
"""Characters of an id that a table shows: its time, and twelve bits beside it."""
_ROOMY: Final = 100
"""From so many columns on, a record's kind has a column of its own."""
_LEAST_ROOM: Final = 20
_GAP: Final = 2
_HTTP_ERROR: Final = 400
_OBJECTS: Final = ("deny", "unavailable", "require_approval")
_OUTCOME_STYLE: Final = {"complete": "green", "delegated": "green"}


def heading(console: Console, text: str) -> None:
    """Print the title of a part."""
    console.print()
    console.print(Rule(Text(text, "bold"), align="left", style="dim"))


def records_table(
    found: Sequence[Found], *, width: int, several: bool = False
) -> Table:
    """Return a table of records.

    Args:
        found: What it shows, one record a row.
        width: How many columns there are.
        several: Whether places name their log though all these are of one.
    """
    several = several or len({item.entry.origin for item in found}) > 1
    cells = {
        "entry": [_place(item, several=several) for item in found],
        "UTC": [Text(item.record.time[11:19]) for item in found],
        "record": [Text(short_id(item.record.id)) for item in found],
        "kind": [Text(_kind(item)) for item in found],
        "answer": [_answer(item) for item in found],
    }
    apart = width >= _ROOMY
    if not apart:
        del cells["kind"]
    if _room(cells, width=width) < _LEAST_ROOM:
        del cells["record"]
    room = max(_room(cells, width=width), _LEAST_ROOM)
    table = plain_table()
    for name in cells:
        side: JustifyMethod = "right" if name == "entry" else "left"
        table.add_column(name, justify=side, no_wrap=True)
    table.add_column("about", overflow="fold")
    day = ""
    for item, *row in zip(found, *cells.values(), strict=True):
        if item.record.time[:10] != day:
            day = item.record.time[:10]
            table.add_row("", "", Text(day, "dim"))
        table.add_row(*row, _about(item, room=room, apart=apart))
    return table


def _room(cells: Mapping[str, Sequence[Text]], *, width: int) -> int:
    """Return how many columns are left beside some cells."""
    widths = (max(len(name), *map(len, texts)) for name, texts in cells.items())
    return width - sum(widths) - _GAP * len(cells)


def short_id(record: str) -> str:
    """Return the beginning of an id that tells records apart, and is found again."""
    return record[:SHORT].rstrip("-") if len(record) > SHORT else record


def tampered(reason: str) -> Text:
    """Return the line that says what was changed."""
    return Text.assemble(("TAMPERED", "bold red"), f": {reason}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proved:
    """Says which records of a log were proved, up to which checkpoint."""

    origin: str
    records: int
    size: int
    root: bytes


def print_proved(console: Console, proved: Sequence[Proved]) -> None:
    """Print which records stand in which logs."""
    table = plain_table()
    table.add_column("log", overflow="fold")
    table.add_column("proved", justify="right", no_wrap=True)
    table.add_column("of", justify="right", no_wrap=True)
    table.add_column("root", no_wrap=True)
    for item in proved:
        row = (item.origin, str(item.records), str(item.size))
        table.add_row(*row, _root(item.root))
    console.print(table)
    console.print()
    word = ("INTACT", "bold green")
    console.print(Text.assemble(word, ": each of these records stands in its log"))
    console.print(
        Text("  whether there are others, proofs of inclusion cannot say", "dim")
    )


def _root(root: bytes) -> Text:
    half = len(root)
    return Text(f"{root.hex()[:half]}\n{root.hex()[half:]}", "dim")


def print_verified(
    console: Console, verified: Verified, *, exported: bool = False
) -> None:
    """Print what a verification that found no fault has looked at."""
    table = plain_table()
    table.add_column("log", overflow="fold")
    table.add_column("records", justify="right", no_wrap=True)
    table.add_column("root", no_wrap=True)
    for origin, size, root in verified.logs:
        table.add_row(origin, str(size), _root(root))
    console.print(table)
    console.print()
    word = (
        ("INTACT", "bold green")
        if verified.is_complete
        else ("INCOMPLETE", "bold yellow")
    )
    console.print(
        Text.assemble(
            word,
            ": every record is what was signed",
        )
    )
    remarks = [] if exported else _remarks(verified)
    for line in remarks + _outside(verified):
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
            f"records erased by a signed order, not replayable: {verified.erased}"
        )
    if verified.orders:
        names = ", ".join(printable(name) for name, _ in verified.orders)
        lines.append(
            f"erasures were ordered by {names}, who may"
            if verified.orders_compared
            else f"erasures were ordered by {names}: say who may with --people FILE"
        )
    if verified.missing:
        lines.append(
            f"records whose content is gone from the vault: {verified.missing}, and"
            " nobody has ordered that"
        )
    if verified.nameless:
        lines.append(
            f"callers and people who are gone from behind their pseudonyms:"
            f" {verified.nameless}, and nobody has ordered that"
        )
    if verified.unfinished:
        lines.append(
            f"records whose content was ordered to be erased and is still there:"
            f" {verified.unfinished}; run `policyguard audit erase --finish`"
        )
    return lines


def _outside(verified: Verified) -> list[str]:
    from policyguard.cli.outside_view import outside_remark

    sizes = {origin: size for origin, size, _ in verified.logs}
    return [
        outside_remark(origin, attested, size=sizes[origin])
        for origin, attested in verified.outside
        if attested.cosigned_size or attested.stamped_size or attested.lacks_quorum
    ]


def _place(item: Found, *, several: bool) -> Text:
    index = str(item.entry.index)
    return Text(f"{item.log.slot}:{index}" if several else index, "dim")


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
    if isinstance(record, PolicyLoadRecord):
        return Text("loaded", "cyan")
    if isinstance(record, PolicyRejectRecord):
        return Text(record.code, "bold yellow")
    if isinstance(record, EvidenceRecord):
        return Text(record.tier, "bold red" if record.tier == "violated" else "cyan")
    return Text("-", "dim")


def _about(item: Found, *, room: int, apart: bool) -> Text:
    """Return what a record is about, with its kind if that does not stand apart."""
    record = item.record
    kind = "" if apart else _kind(item)
    if isinstance(record, (GenesisRecord, KeyRotateRecord)):
        fits = len(record.origin) <= room
        origin = record.origin if fits else item.log.slot
        return Text(_broken([kind, origin], room=room), "dim")
    if isinstance(record, OutcomeRecord):
        return Text(_broken(_outcome(record), room=room), "dim")
    if isinstance(record, PolicyLoadRecord | PolicyRejectRecord):
        return Text(_broken([kind, *_policy(record)], room=room))
    if isinstance(record, EraseRecord | EvidenceRecord):
        said = _erased(record) if isinstance(record, EraseRecord) else _evidence(record)
        return Text(_broken([kind, *said], room=room))
    if isinstance(record, ApprovalRecord):
        said = [kind, record.rule, f"approval {short_id(record.approval)}"]
        return Text(_broken(said, room=room), "dim")
    parts = [name or "unknown deployment" for name in record.deployments]
    if not parts and record.model:
        parts.append(record.model)
    if kind != "decision":
        parts.insert(0, kind)
    rules = sorted({rule.id for rule in record.rules if rule.effect in _OBJECTS})
    said = [", ".join(rules), ", ".join(sorted(set(record.obligations)))]
    return Text(_broken([*parts, *said], room=room))


def _evidence(record: EvidenceRecord) -> list[str]:
    of = f"of revision {record.bundle.revision}" if record.bundle else ""
    counts = (f"{count} {name}" for name, count in sorted(record.counts.items()))
    return [record.examined, of, *(item.replace("_", " ") for item in counts)]


def _erased(record: EraseRecord) -> list[str]:
    counts = (
        (len(record.records), "record", "records"),
        (len(record.callers), "caller", "callers"),
        (len(record.people), "person", "people"),
        (record.kept, "record kept", "records kept"),
    )
    return [record.reason, *(counted(*item) for item in counts if item[0])]


def counted(number: int, one: str, many: str) -> str:
    """Return a number with its noun."""
    return f"{number} {one if number == 1 else many}"


def _outcome(record: OutcomeRecord) -> list[str]:
    tokens = (record.input_tokens, record.output_tokens)
    return [
        record.served_model or "",
        f"deviates in {', '.join(record.deviations)}" if record.deviations else "",
        record.error or "",
        f"HTTP {record.status}" if (record.status or 0) >= _HTTP_ERROR else "",
        "" if None in tokens else f"{tokens[0]} + {tokens[1]} tokens",
    ]


def _policy(record: PolicyLoadRecord | PolicyRejectRecord) -> list[str]:
    if isinstance(record, PolicyRejectRecord):
        kept = f"revision {record.kept.revision} stays" if record.kept else "no start"
        return [record.source, kept]
    before = f"after {record.previous.revision}" if record.previous else ""
    lowered = "older than before" if record.lowered else ""
    observes = "observes only" if record.enforced is False else ""
    revision = f"revision {record.bundle.revision}"
    return [record.source, revision, before, lowered, observes]


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
