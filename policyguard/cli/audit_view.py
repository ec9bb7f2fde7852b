"""How records look: a table of many, one in full, and what a verification found."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from policyguard.canonical import parse_json
from policyguard.cli.terminal import VERDICT_STYLE, plain_box
from policyguard.vocabulary.record import DecisionRecord, GenesisRecord, OutcomeRecord

if TYPE_CHECKING:
    from rich.console import Console

    from policyguard.audit.reader import TrailReader
    from policyguard.audit.verify import Verified
    from policyguard.cli.trail_reading import Found

SHORT: Final = 18
"""Characters of an id that a table shows: its time, and twelve bits beside it."""
_OUTCOME_STYLE: Final = {"complete": "green", "delegated": "green"}


def records_table(found: Sequence[Found]) -> Table:
    """Return a table of records."""
    table = Table(box=plain_box(), pad_edge=False, header_style="bold")
    table.add_column("entry", justify="right", no_wrap=True)
    days = {item.record.time[:10] for item in found}
    day = days.pop() if len(days) == 1 else None
    table.add_column(day or "time (UTC)", no_wrap=True)
    table.add_column("record", no_wrap=True)
    table.add_column("what", no_wrap=True)
    table.add_column("answer", no_wrap=True)
    table.add_column("about", ratio=1)
    several = len({item.entry.origin for item in found}) > 1
    for item in found:
        slot = item.log.slot
        place = f"{slot}:{item.entry.index}" if several else str(item.entry.index)
        table.add_row(
            Text(place, "dim"),
            Text(item.record.time[11 if day else 0 : 19].replace("T", " ")),
            Text(short_id(item.record.id)),
            Text(_kind(item), "dim" if item.record.kind == "genesis" else ""),
            _answer(item),
            _about(item),
        )
    return table


def short_id(record: str) -> str:
    """Return the beginning of an id that tells records apart, and is found again."""
    return record[:SHORT].rstrip("-") if len(record) > SHORT else record


def content_of(found: Found, *, reader: TrailReader) -> dict[str, Any] | None:
    """Return what the vault knows of a record, with the caller; `None`: nothing."""
    if not isinstance(found.record, DecisionRecord):
        return None
    sealed = found.log.content(found.record.id)
    if sealed is None:
        return None
    document: Any = parse_json(sealed.body)
    pseudonym = found.record.caller
    caller = reader.caller(pseudonym) if pseudonym else None
    return {"caller": caller, **document}


def print_record(
    console: Console,
    found: Found,
    *,
    content: dict[str, Any] | None,
    related: Sequence[Found],
) -> None:
    """Print one record: what is signed, what is in the vault, what belongs to it."""
    record = found.record.model_dump(mode="json")
    _heading(console, f"record {found.record.id}")
    console.print(Text(f"{found.entry.name} · {found.log.vkey.format()}", "dim"))
    _heading(console, "in the log: signed, without personal data")
    _fields(console, record)
    if isinstance(found.record, DecisionRecord):
        _heading(console, "in the vault: erasable, bound to the log by a commitment")
        if content is None:
            console.print(Text("erased: this record is not replayable", "yellow"))
        else:
            _fields(console, content | {"findings": _findings(content)})
    if related:
        _heading(console, "of the same call")
        console.print(records_table(related))


def tampered(reason: str) -> Text:
    """Return the line that says what was changed."""
    return Text.assemble(("TAMPERED", "bold red"), f": {reason}")


def print_verified(console: Console, verified: Verified) -> None:
    """Print what a verification that found no fault has looked at."""
    table = Table(box=plain_box(), pad_edge=False, header_style="bold")
    table.add_column("log", no_wrap=True)
    table.add_column("records", justify="right")
    table.add_column("root", no_wrap=True)
    for origin, size, root in verified.logs:
        table.add_row(origin, str(size), Text(f"{root.hex()[:32]}…", "dim"))
    console.print(table, soft_wrap=True)
    word = (
        ("INTACT", "bold green")
        if not verified.erased
        else ("INCOMPLETE", "bold yellow")
    )
    console.print(
        Text.assemble(
            word,
            f": {verified.checkpoints} signed checkpoints, and every record is"
            " what was signed",
        )
    )
    for line in _remarks(verified):
        console.print(Text(f"  {line}", "dim"), soft_wrap=True)


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


def _heading(console: Console, text: str) -> None:
    console.print()
    console.print(Rule(Text(text, "bold"), align="left", style="dim"))


def _fields(console: Console, fields: dict[str, Any]) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in fields.items():
        for row, text in enumerate(_lines(value) or ["-"]):
            table.add_row("" if row else name, Text(text))
    console.print(table)


def _lines(value: Any) -> list[str]:
    """Return a value as lines; nothing and unknown have none."""
    if value in (None, [], {}, ""):
        return []
    if isinstance(value, str):
        return value.splitlines()
    if isinstance(value, dict):
        return [line for item in value.items() for line in _object(dict([item]))]
    if isinstance(value, list) and isinstance(value[0], dict):
        return [line for item in value for line in _object(item)]
    if isinstance(value, list):
        return [", ".join("unknown" if item is None else str(item) for item in value)]
    return [json.dumps(value, ensure_ascii=False)]


def _findings(content: dict[str, Any]) -> str:
    """Return the findings as people read them: what was found, and by which facts."""
    lines = []
    for item in content.get("findings") or []:
        lines += [f"{item['id']} · {item['effect']} · {item['citation']}", item["msg"]]
        lines += [f"  {name} = {_plain(fact)}" for name, fact in item["facts"].items()]
        if item["missing"]:
            lines.append(f"  missing: {', '.join(item['missing'])}")
    return "\n".join(lines)


def _plain(value: Any) -> str:
    if value is None:
        return "unknown"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _object(value: dict[str, Any]) -> list[str]:
    """Return one line for each field that is known; what is unknown is left out."""
    parts = {name: item for name, item in value.items() if item not in (None, [], {})}
    head = f"{parts.pop('id')}: " if "id" in parts else ""
    text = " · ".join(f"{name} {_plain(item)}" for name, item in parts.items())
    return [f"{head}{text}"] if head or text else []


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


def _about(item: Found) -> Text:
    record = item.record
    if isinstance(record, GenesisRecord):
        return Text(record.origin, "dim")
    if isinstance(record, OutcomeRecord):
        tokens = f"{record.input_tokens} + {record.output_tokens} tokens"
        known = None not in (record.input_tokens, record.output_tokens)
        parts = [record.served_model, record.error, tokens if known else None]
        return Text(" · ".join(part for part in parts if part), "dim")
    where = ", ".join(name or "unknown deployment" for name in record.deployments)
    rules = ", ".join(
        sorted({rule.id for rule in record.rules if rule.effect != "advise"})
    )
    return Text.assemble(where, (f" · {rules}" if rules else "", "dim"))
