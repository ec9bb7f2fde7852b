"""Runs the demonstration: calls, their records, a verification, and a lie that is found."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.text import Text

from policyguard.audit.layout import Layout
from policyguard.audit.reader import TrailReader
from policyguard.audit.verify import verify_trail
from policyguard.cli.audit_view import (
    heading,
    print_verified,
    records_table,
    short_id,
    tampered,
)
from policyguard.cli.demo_view import cases_table, denial, paragraph
from policyguard.cli.trail_reading import Found, records
from policyguard.demo.calls import Calendar, Ran, Told, make_calls
from policyguard.demo.client import require_sdk
from policyguard.demo.scenarios import CASES
from policyguard.demo.server import running_server
from policyguard.errors import TamperedError
from policyguard.guard.guard import Guard
from policyguard.settings import TrailSettings, load_settings
from policyguard.vocabulary.record import DecisionRecord

if TYPE_CHECKING:
    from rich.console import Console

SETTINGS: Final = Path(__file__).parent.parent / "demo" / "policyguard.toml"
_SHOWN: Final = ("tickets-cn", "tickets-nowhere")
"""The cases whose refusal is shown in full."""
_LIE: Final = (b'"countries":["CN"]', b'"countries":["CH"]')
"""One byte: data that was to go to China was to go to Switzerland."""


def run_demo(directory: Path, *, console: Console) -> bool:
    """Run the demonstration, and say whether everything came out as announced.

    Args:
        directory: Where to put the trail, as `directory/trail`.
        console: Where to show it.

    Raises:
        ConfigurationError: the SDK that it drives is not installed.
        TrailError: the trail cannot be written.
    """
    require_sdk()
    began = time.monotonic()
    trail = directory / "trail"
    told, found = _make_calls(trail)
    ran = _with_records(told, found)
    heading(console, "1  Nine calls through the guard, with the real OpenAI SDK")
    paragraph(
        console,
        "One server on loopback stands for every host; `hits` is how many requests"
        " reached it. The guard's clock stands at the date of each case.",
    )
    console.print()
    console.print(cases_table(ran))
    heading(console, "2  What the calling code was told")
    for number, item in enumerate(item for item in told if item.case.key in _SHOWN):
        if number:
            console.print()
        denial(console, item)
    heading(console, "3  What the trail remembers")
    console.print(records_table(found, width=console.width))
    heading(console, "4  The trail, verified")
    print_verified(console, verify_trail(trail))
    denied = next(item for item in ran if item.record.verdict == "deny").record.id
    faults = [fault for item in ran for fault in item.faults()]
    faults += _lie(trail, record=denied, console=console)
    _end(console, trail=trail, record=denied, seconds=time.monotonic() - began)
    for fault in faults:
        console.print(Text(f"not as announced: {fault}", "bold red"))
    return not faults


def _make_calls(trail: Path) -> tuple[tuple[Told, ...], list[Found]]:
    """Make the calls, and return what was told with the records of this run."""
    settings = load_settings(SETTINGS).model_copy(
        update={"trail": TrailSettings(directory=trail)}
    )
    known = _ids(trail)
    calendar = Calendar(CASES[0].at)
    with (
        running_server() as server,
        Guard(settings=settings, clock=calendar) as guard,
    ):
        told = make_calls(CASES, guard=guard, calendar=calendar, server=server)
        # Whoever uses the same trail at the same time writes another log of it.
        own = {
            item.decision.record.origin
            for item in told
            if item.decision and item.decision.record
        }
        reader = TrailReader.open(trail)
        found = [
            item
            for item in records(reader)
            if item.entry.origin in own and item.record.id not in known
        ]
    return told, found


def _ids(trail: Path) -> frozenset[str]:
    """Return the records that earlier runs have left."""
    if not Layout.of(trail).identity.exists():
        return frozenset()
    return frozenset(item.record.id for item in records(TrailReader.open(trail)))


def _with_records(told: tuple[Told, ...], found: list[Found]) -> tuple[Ran, ...]:
    """Pair each call with the record of its decision."""
    decisions = [
        item.record
        for item in found
        if isinstance(item.record, DecisionRecord) and item.record.layer == "call"
    ]
    return tuple(
        Ran(told=item, record=record)
        for item, record in zip(told, decisions, strict=True)
    )


def _lie(trail: Path, *, record: str, console: Console) -> list[str]:
    """Change one byte of a record in a copy of the trail, and show that it is found."""
    heading(console, "5  One byte changed in a copy of the trail: CN becomes CH")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "trail"
        shutil.copytree(trail, copy)
        _change(TrailReader.open(copy), record=record)
        try:
            verify_trail(copy)
        except TamperedError as error:
            console.print(tampered(str(error)))
            if record in str(error):
                return []
            return [f"lie: announced `{record}`, found another place"]
    return ["lie: a changed byte was not found"]


def _change(reader: TrailReader, *, record: str) -> None:
    """Do what somebody can who may write the trail's files."""
    log, entry = next(
        (log, entry) for log in reader.logs if (entry := log.find(record))
    )
    with closing(sqlite3.connect(log.path, isolation_level=None)) as database:
        database.execute(
            "UPDATE entry SET body = ? WHERE idx = ?",
            (entry.body.replace(*_LIE), entry.index),
        )


def _end(console: Console, *, trail: Path, record: str, seconds: float) -> None:
    heading(console, f"Done in {seconds:.1f} s, and the trail is yours to look at")
    shown = short_id(record)
    for command in (
        "audit list",
        f"audit show {shown}",
        "audit verify",
        f"audit prove {shown}",
        "audit checkpoint",
        "keys show",
    ):
        line = f"  policyguard {command} --trail {trail}"
        console.print(Text(line, "cyan"), soft_wrap=True)
