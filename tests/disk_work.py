"""What is done to a trail while its disk fails, and what has to be true afterwards.

Each work is a function for `failing`; `WORKS` has with it what makes what it works on,
and what has to hold then: that raises if it does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from failing import Ran, Say
from trails import CALLER, append_pair, entries, made_trail
from unit.audit.test_erasure import ERASERS, append, erased

from policyguard.audit.erasure import finish
from policyguard.audit.export.tiles import export_tiles, verify_tiles
from policyguard.audit.reader import TrailReader
from policyguard.audit.trail import Trail
from policyguard.audit.verify import verify_trail
from policyguard.errors import PolicyGuardError

NAME = "faults.example"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Is one thing that is done to a trail."""

    function: str
    ready: Callable[[Path], Path]
    holds: Callable[[Path, Ran], None]


def write(place: Path, say: Say) -> None:
    """Open a trail, append to it, and close it."""
    for _ in range(2):
        try:
            trail = Trail.open(place)
            break
        except PolicyGuardError as error:
            say(f"refused {error}")
    else:
        return
    for _ in range(8):
        try:
            say(append_pair(trail))
        except PolicyGuardError as error:
            say(f"refused {error}")
    trail.close()


def nothing_lost(place: Path, ran: Ran) -> None:
    """Require what the writer was told of, and that a next one can go on."""
    assert ran.raised is None, ran.raised
    kept = {entry.record().id for entry in entries(place)}
    assert ran.told - kept == set()
    assert verify_trail(place).logs[0][1] >= 3 + 2 * len(ran.told)
    trail = Trail.open(place)
    append_pair(trail)
    trail.close()
    verify_trail(place)


def change(place: Path, say: Say) -> None:
    """Rotate a log's key, and erase somebody."""
    try:
        trail = Trail.open(place)
        say(append(trail, caller=CALLER, about=("patient",), prompt=b"canary"))
        trail.rotate_key()
        say(append_pair(trail, caller="somebody else"))
        trail.close()
        erased(place, callers=(CALLER,), people=("patient",))
        say("erased")
    except PolicyGuardError as error:
        say(f"refused {error}")


def finished(place: Path, ran: Ran) -> None:
    """Require that rotation and erasure are done wholly, or can be taken up again."""
    assert ran.raised is None, ran.raised
    ended_well(place, ran.told)


def ended_well(place: Path, told: set[str]) -> bool:
    """Say whether an erasure was carried out; what it has to be is asserted.

    A rotation and an erasure that were cut off are finished first, as the next process
    and `audit erase --finish` do.
    """
    trail = Trail.open(place)
    last = append_pair(trail, caller="afterwards")
    trail.close()
    finish(TrailReader.open(place), erasers=ERASERS)
    kept = {entry.record().id for entry in entries(place)}
    assert told - kept - {"erased"} == set()
    verified = verify_trail(place)
    assert (verified.missing, verified.unfinished) == (0, 0)
    (keys,) = {log.vkeys for log in TrailReader.open(place).logs if log.find(last)}
    assert len(keys) <= 2
    gone = verified.erased > 0
    assert gone or "erased" not in told
    if gone:
        files = [path for path in place.rglob("*") if path.is_file()]
        assert not any(CALLER.encode() in path.read_bytes() for path in files)
    return gone


def begin(place: Path, say: Say) -> None:
    """Begin a trail."""
    try:
        Trail.open_or_create(place, name=NAME).close()
        say("begun")
    except PolicyGuardError as error:
        say(f"refused {error}")


def can_be_begun(place: Path, ran: Ran) -> None:
    """Require that the next process begins it, or goes on."""
    assert ran.raised is None, ran.raised
    trail = Trail.open_or_create(place, name=NAME)
    append_pair(trail)
    trail.close()
    assert verify_trail(place).logs[0][1] == 3


def export(place: Path, say: Say) -> None:
    """Export a log again that has grown."""
    try:
        export_tiles(TrailReader.open(place).logs[0], place / "out")
        say("exported")
    except PolicyGuardError as error:
        say(f"refused {error}")


def exported_before(place: Path) -> Path:
    """Make a log that was exported, and has grown over the width of a tile since."""
    made_trail(place, pairs=3)
    export_tiles(TrailReader.open(place).logs[0], place / "out")
    return made_trail(place, pairs=130)


def is_published(place: Path, ran: Ran) -> None:
    """Require an export that verifies, the old or the new one, and that it goes on."""
    assert ran.raised is None, ran.raised
    (log,) = TrailReader.open(place).logs
    published = verify_tiles(place / "out", vkeys=log.vkeys)
    assert published.size in ({log.head().size} if ran.told else {7, log.head().size})
    export_tiles(log, place / "out")
    assert verify_tiles(place / "out", vkeys=log.vkeys).size == log.head().size


WORKS = {
    "append": Work(
        function="disk_work:write",
        ready=lambda place: made_trail(place, pairs=1),
        holds=nothing_lost,
    ),
    "rotate and erase": Work(
        function="disk_work:change",
        ready=lambda place: made_trail(place, pairs=1),
        holds=finished,
    ),
    "begin": Work(
        function="disk_work:begin", ready=lambda place: place, holds=can_be_begun
    ),
    "export": Work(
        function="disk_work:export", ready=exported_before, holds=is_published
    ),
}
