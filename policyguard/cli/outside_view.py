"""How the memory of others looks: where checkpoints have come to, what was watched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from policyguard.cli.terminal import plain_table, printable

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from rich.console import Console

    from policyguard.audit.outside.anchor import Taken
    from policyguard.audit.outside.attested import Attested, Seen
    from policyguard.audit.outside.monitor import Watch


def print_taken(console: Console, done: Sequence[Taken]) -> None:
    """Print where each log's checkpoint has come to."""
    for item in done:
        console.print(
            Text.assemble(
                (item.checkpoint.origin, "bold"), f", {item.checkpoint.size} records"
            )
        )
        for name, failure in item.places:
            word = ("failed", "bold red") if failure else ("has it", "green")
            said = f": {printable(failure)}" if failure else ""
            console.print(
                Text.assemble("  ", word, f"  {printable(name)}{said}"), soft_wrap=True
            )
        if item.tampered:
            console.print(
                Text.assemble(
                    ("TAMPERED", "bold red"), f": {printable(item.tampered)}"
                ),
                soft_wrap=True,
            )


def taken_document(item: Taken) -> dict[str, Any]:
    """Return the same for programs."""
    return {
        "origin": item.checkpoint.origin,
        "size": item.checkpoint.size,
        "root": item.checkpoint.root.hex(),
        "tampered": item.tampered,
        "places": [{"name": name, "failure": failure} for name, failure in item.places],
    }


def print_watches(console: Console, watches: Sequence[Watch], *, state: Path) -> None:
    """Print one round of a monitor."""
    table = plain_table()
    table.add_column("log", overflow="fold")
    for name in ("records", "new"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("seen by others", overflow="fold")
    for watch in watches:
        seen = Text(_seen(watch.attested))
        if is_unanchored(watch):
            seen.stylize("bold yellow")
            seen.append(" (quorum lacks)" if watch.attested.lacks_quorum else " (late)")
        new = str(watch.size - watch.before) if watch.before else "first seen"
        table.add_row(watch.origin, str(watch.size), new, seen)
    console.print(table)
    word = (
        ("UNANCHORED", "bold yellow")
        if any(is_unanchored(watch) for watch in watches)
        else ("CONSISTENT", "bold green")
    )
    said = (
        "each log continues what was seen before"
        if all(watch.before for watch in watches)
        else "each log that was seen before continues that"
    )
    console.print(Text.assemble("\n", word, f": {said}"))
    if any(is_unanchored(watch) for watch in watches):
        late = "too few others have seen the newest records: run `policyguard audit anchor`"
        console.print(Text(f"  {late}", "dim"), soft_wrap=True)
    console.print(Text(f"  kept in {printable(str(state))}", "dim"), soft_wrap=True)


def is_unanchored(watch: Watch) -> bool:
    """Say whether others have seen too little of a log, or too few of them."""
    return watch.is_late or watch.attested.lacks_quorum


def watch_document(watch: Watch) -> dict[str, Any]:
    """Return the same for programs."""
    return {
        "origin": watch.origin,
        "size": watch.size,
        "before": watch.before,
        "late": watch.is_late,
        "outside": attested_document(watch.attested),
    }


def attested_document(attested: Attested) -> dict[str, Any]:
    """Return how far the memory of others reaches, for programs."""
    return {
        "cosigned_size": attested.cosigned_size,
        "cosigned_at": _iso(attested.cosigned_at),
        "witnesses": list(attested.witnesses),
        "quorum": not attested.lacks_quorum,
        "stamped_size": attested.stamped_size,
        "stamped_at": _iso(attested.stamped_at),
        "stamps_verified": attested.stamps_verified,
    }


def seen_document(seen: Seen) -> dict[str, str | None]:
    """Return when others saw a log without a record, and with it, for programs."""
    return {"absent": _iso(seen.absent), "present": _iso(seen.present)}


def outside_remark(origin: str, attested: Attested, *, size: int) -> str:
    """Return the line of a verification about the memory of others."""
    if not attested.cosigned_size and not attested.stamped_size:
        return f"{origin}: nobody outside has seen a checkpoint (`audit anchor`)"
    left = size - max(attested.cosigned_size, attested.stamped_size)
    return f"{origin}: {_seen(attested)}; {left} records since"


def _seen(attested: Attested) -> str:
    parts = []
    if attested.cosigned_size:
        names = ", ".join(map(printable, attested.witnesses))
        parts.append(
            f"{attested.cosigned_size} by {names} at {_minute(attested.cosigned_at)}"
        )
    if attested.stamped_size:
        word = "stamped" if attested.stamps_verified else "stamped (not verified)"
        parts.append(
            f"{attested.stamped_size} {word} at {_minute(attested.stamped_at)}"
        )
    return "; ".join(parts) or "nobody"


def _minute(time: datetime | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M") if time else "-"


def _iso(time: datetime | None) -> str | None:
    return time.isoformat().replace("+00:00", "Z") if time else None
