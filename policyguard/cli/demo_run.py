"""Runs the demonstration: calls, their records, a verification, and a lie that is found."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.text import Text

from policyguard.audit.reader import TrailReader
from policyguard.audit.verify import verify_trail
from policyguard.cli.audit_view import print_verified, records_table, tampered
from policyguard.cli.demo_view import cases_table, denial, heading, paragraph
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
"""One byte: data that went to China went to Switzerland."""


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
    before = _size(trail)
    told = _calls(trail)
    found = list(records(_opened(trail)))[before:]
    ran = _with_records(told, found)
    heading(console, "1  Nine calls through the guard, with the real OpenAI SDK")
    paragraph(
        console,
        "One server on loopback stands for every host; `hits` is how many requests"
        " reached it. The legal instant comes from a clock that stands still.",
    )
    console.print(cases_table(ran))
    heading(console, "2  What the calling code was told")
    for item in told:
        if item.case.key in _SHOWN:
            denial(console, item)
            console.print()
    heading(console, "3  What the trail remembers")
    console.print(records_table(found), soft_wrap=True)
    heading(console, "4  The trail, verified")
    print_verified(console, verify_trail(trail))
    faults = [fault for item in ran for fault in item.faults()]
    faults += _lie(trail, console=console)
    _end(console, trail=trail, seconds=time.monotonic() - began)
    for fault in faults:
        console.print(Text(f"not as announced: {fault}", "bold red"))
    return not faults


def _calls(trail: Path) -> tuple[Told, ...]:
    settings = load_settings(SETTINGS).model_copy(
        update={"trail": TrailSettings(directory=trail)}
    )
    calendar = Calendar(CASES[0].at)
    with (
        running_server() as server,
        Guard(settings=settings, clock=calendar) as guard,
    ):
        return make_calls(CASES, guard=guard, calendar=calendar, server=server)


def _size(trail: Path) -> int:
    """Return how many records an older run has left."""
    return len(list(records(_opened(trail)))) if trail.exists() else 0


def _opened(trail: Path) -> TrailReader:
    return TrailReader.open(trail)


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


def _lie(trail: Path, *, console: Console) -> list[str]:
    """Change one byte in a copy of the trail, and show that it is found."""
    heading(console, "5  One byte changed in a copy: CN becomes CH")
    true, false = _LIE
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "trail"
        shutil.copytree(trail, copy)
        log = next(
            path for path in copy.glob("logs/*/log.sqlite") if true in path.read_bytes()
        )
        log.write_bytes(log.read_bytes().replace(true, false, 1))
        try:
            verify_trail(copy)
        except TamperedError as error:
            console.print(tampered(str(error)), soft_wrap=True)
            return []
    return ["a changed byte was not found"]


def _end(console: Console, *, trail: Path, seconds: float) -> None:
    heading(console, f"Done in {seconds:.1f} s. The trail is yours to look at")
    for command in ("list", "verify", "show RECORD", "prove RECORD", "checkpoint"):
        console.print(
            Text(f"  policyguard audit {command} --trail {trail}", "cyan"),
            soft_wrap=True,
        )
