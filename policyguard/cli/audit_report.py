"""`policyguard audit report`: is it whole, what has to be kept, what was erased."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from policyguard.cli.audit_verify import verified_document, verified_trail
from policyguard.cli.command_line import UNANSWERED
from policyguard.cli.progress import ProgressBar
from policyguard.cli.terminal import output, plain_table, printable
from policyguard.cli.trail_option import trail_of, trail_option

if TYPE_CHECKING:
    from rich.console import Console, JustifyMethod

    from policyguard.audit.outside.shelf import Attempt
    from policyguard.audit.reader import TrailReader
    from policyguard.audit.retention import Keeping
    from policyguard.audit.verify import Verified
    from policyguard.vocabulary.record import EraseRecord


@dataclass(slots=True)
class _Retained:
    """Counts what has to be kept, by reason, and what has not."""

    records: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    by_reason: dict[str, tuple[int, date | None]] = field(default_factory=dict)
    free: int = 0

    def add(self, why: str, until: date | None) -> None:
        count, last = self.by_reason.get(why, (0, date.min))
        ends = None if until is None or last is None else max(until, last)
        self.by_reason[why] = (count + 1, ends)


@click.command(short_help="Report verification, retention and erasures.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@trail_option
@click.pass_context
def report(context: click.Context, *, as_json: bool, directory: Path | None) -> None:
    """Report whether the trail is whole, what has to be kept, and what was erased.

    Exits as `audit verify` does.
    """
    from policyguard.audit.erasure import orders_in
    from policyguard.cli.erasing import keeping_of
    from policyguard.cli.trail_reading import opened
    from policyguard.settings import load_settings

    place = trail_of(directory)
    with ProgressBar() as bar:
        verified = verified_trail(place, bar=bar)
    reader = opened(place)
    keeping = keeping_of(load_settings().trail, reader=reader)
    with ProgressBar() as bar:
        retained = _retained(
            reader, keeping=keeping, today=datetime.now(UTC).date(), bar=bar
        )
    orders = list(orders_in(reader))
    tried = _tried(reader)
    if as_json:
        document = {
            **verified_document(verified),
            "records": dict(sorted(retained.kinds.items())),
            "retention": _retention_document(retained),
            "erasures": [
                {"entry": entry, **order.model_dump(mode="json")}
                for entry, order in orders
            ],
            "attempts": {
                origin: {name: asdict(item) for name, item in attempts.items()}
                for origin, attempts in tried.items()
            },
        }
        click.echo(json.dumps(document, indent=2))
    else:
        _print(output(), verified=verified, retained=retained, orders=orders)
        _print_tried(output(), tried)
    if not verified.is_complete:
        context.exit(UNANSWERED)


def _tried(reader: TrailReader) -> dict[str, dict[str, Attempt]]:
    """Return what came of the last attempt at each place outside, by origin."""
    from policyguard.audit.outside.shelf import Shelf

    shelves = {log.origin: Shelf(cabinet=log.outside) for log in reader.logs}
    return {
        origin: found
        for origin, shelf in shelves.items()
        if (found := shelf.attempts())
    }


def _print_tried(console: Console, tried: dict[str, dict[str, Attempt]]) -> None:
    from rich.text import Text

    from policyguard.cli.audit_view import heading

    if not tried:
        return
    heading(console, "Outside")
    table = plain_table()
    for name in ("log", "records", "last", "place"):
        side: JustifyMethod = "right" if name == "records" else "left"
        table.add_column(name, no_wrap=name != "place", justify=side, overflow="fold")
    for origin, attempts in tried.items():
        for place, item in sorted(attempts.items()):
            said = Text(printable(place))
            if item.failure is not None:
                said.append(f"\nfailed: {printable(item.failure)}", "bold yellow")
            slot = Text(origin.rpartition("/")[2], "dim")
            table.add_row(slot, str(item.size), item.time[:16].replace("T", " "), said)
    console.print(table)


def _retained(
    reader: TrailReader, *, keeping: Keeping, today: date, bar: ProgressBar
) -> _Retained:
    from policyguard.cli.trail_reading import told
    from policyguard.vocabulary.record import DecisionRecord

    found = _Retained()
    for log in reader.logs:
        kept = log.source.kept()
        for entry in told(log.entries(), log=log, progress=bar.advance):
            record = entry.record()
            found.kinds[record.kind] += 1
            if not isinstance(record, DecisionRecord) or record.id not in kept:
                continue
            found.records += 1
            reasons = keeping.reasons(record, today=today)
            found.free += not reasons
            for reason in reasons:
                found.add(reason.why, reason.until)
    return found


def _retention_document(retained: _Retained) -> dict[str, Any]:
    return {
        "with_content": retained.records,
        "may_be_erased": retained.free,
        "reasons": [
            {
                "why": why,
                "records": count,
                "until": until.isoformat() if until else None,
            }
            for why, (count, until) in sorted(retained.by_reason.items())
        ],
    }


def _print(
    console: Console,
    *,
    verified: Verified,
    retained: _Retained,
    orders: list[tuple[str, EraseRecord]],
) -> None:
    from rich.text import Text

    from policyguard.cli.audit_view import counted, heading, print_verified

    heading(console, "Verification")
    print_verified(console, verified)
    heading(console, "Retention")
    said = counted(retained.records, "record has", "records have")
    console.print(f"{said} content in the vault, {retained.free} of them may be erased")
    if retained.by_reason:
        console.print()
        table = plain_table()
        table.add_column("to be kept because of", overflow="fold")
        table.add_column("records", justify="right", no_wrap=True)
        table.add_column("the last until", no_wrap=True)
        for why, (count, until) in sorted(retained.by_reason.items()):
            ends = until.isoformat() if until else "lifted"
            table.add_row(printable(why), str(count), ends)
        console.print(table)
    heading(console, "Erasures")
    if not orders:
        console.print("none was ordered")
        return
    table = plain_table()
    for name in ("entry", "day", "reason", "erased", "kept"):
        side: JustifyMethod = "right" if name == "kept" else "left"
        table.add_column(name, no_wrap=True, justify=side)
    table.add_column("by", overflow="fold")
    for entry, order in orders:
        table.add_row(
            Text(entry, "dim"),
            order.time[:10],
            order.reason,
            "\n".join(_erased(order)),
            str(order.kept),
            Text(printable(order.by.partition("+")[0]).replace("@", "\n@")),
        )
    console.print(table)


def _erased(order: EraseRecord) -> list[str]:
    from policyguard.cli.audit_view import counted

    counts = (
        (len(order.records), "record", "records"),
        (len(order.callers), "caller", "callers"),
        (len(order.people), "person", "people"),
    )
    return [counted(*item) for item in counts if item[0]]
