"""A monitor finds what its own memory contradicts, whatever the trail's files say."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from outsiders import quorum_of, taken, witness_for
from trails import append_pair, copied, made_trail, outcome

from policyguard.audit.export.jsonl import RECORDS, export_jsonl
from policyguard.audit.export.tiles import export_tiles
from policyguard.audit.outside.anchor import Outside
from policyguard.audit.outside.attested import Vouchers
from policyguard.audit.outside.monitor import Monitor, Watch
from policyguard.audit.outside.watched import ExportedLog, LocalLog, Watched
from policyguard.audit.reader import TrailReader
from policyguard.audit.trail import Trail
from policyguard.audit.verify import verify_trail
from policyguard.errors import TamperedError, TrailError
from policyguard.identity import new_id

NOW = datetime.now(UTC)
ORIGIN = "acme.example/app-1"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_trail(tmp_path_factory.mktemp("made") / "trail")


@pytest.fixture
def trail(made: Path, tmp_path: Path) -> Path:
    return copied(made, tmp_path / "trail")


def grown(directory: Path) -> None:
    trail = Trail.open(directory)
    append_pair(trail)
    trail.close()


def append_all(directory: Path, count: int) -> None:
    trail = Trail.open(directory)
    for _ in range(count):
        trail.append(outcome(new_id()))
    trail.close()


def logs_of(directory: Path, *, exported: Path | None = None) -> list[Watched]:
    logs = TrailReader.open(directory).logs
    if exported is None:
        return [LocalLog(log=log) for log in logs]
    for log in logs:
        export_tiles(log, exported / log.slot)
    return [
        ExportedLog(directory=exported / log.slot, origin=log.origin, vkeys=log.vkeys)
        for log in logs
    ]


def look(state: Path, logs: list[Watched]) -> list[Watch]:
    return Monitor(state=state, vouchers=Vouchers()).look(logs, now=NOW)


@pytest.mark.parametrize("exported", [False, True])
def test_a_log_that_grows_is_followed(
    trail: Path, tmp_path: Path, exported: bool
) -> None:
    state = tmp_path / "watch/state.json"
    out = tmp_path / "out" if exported else None
    seen = []
    for _ in range(3):
        (watch,) = look(state, logs_of(trail, exported=out))
        seen.append((watch.origin, watch.before, watch.size))
        grown(trail)

    assert seen == [(ORIGIN, 0, 7), (ORIGIN, 7, 9), (ORIGIN, 9, 11)]
    assert state.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("exported", [False, True])
def test_a_trail_that_was_put_back_whole_is_found(
    trail: Path, tmp_path: Path, exported: bool
) -> None:
    old = copied(trail, tmp_path / "old")
    state = tmp_path / "state.json"
    grown(trail)
    look(state, logs_of(trail, exported=tmp_path / "out" if exported else None))
    before = state.read_bytes()

    assert verify_trail(old).logs[0][1] == 7
    with pytest.raises(TamperedError, match="has 7 records and the monitor has seen 9"):
        look(state, logs_of(old, exported=tmp_path / "put-back" if exported else None))
    assert state.read_bytes() == before


@pytest.mark.parametrize("pairs", [0, 1])
@pytest.mark.parametrize("exported", [False, True])
def test_another_history_under_the_same_key_is_found(
    trail: Path, tmp_path: Path, exported: bool, pairs: int
) -> None:
    fork = copied(trail, tmp_path / "fork")
    grown(trail)
    for _ in range(1 + pairs):
        grown(fork)
    state = tmp_path / "state.json"
    look(state, logs_of(trail, exported=tmp_path / "a" if exported else None))

    assert verify_trail(fork).logs[0][1] == 9 + 2 * pairs
    with pytest.raises(TamperedError):
        look(state, logs_of(fork, exported=tmp_path / "b" if exported else None))


def test_a_log_that_is_gone_is_found(trail: Path, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    look(state, logs_of(trail))

    with pytest.raises(TamperedError, match="app-1 is gone"):
        look(state, [])


@pytest.mark.parametrize("exported", [False, True])
def test_a_remembered_log_whose_files_are_gone_is_found(
    trail: Path, tmp_path: Path, exported: bool
) -> None:
    state, out = tmp_path / "state.json", tmp_path / "out"
    logs = logs_of(trail, exported=out if exported else None)
    look(state, logs)
    (out / "app-1/checkpoint" if exported else trail / "logs/app-1/log.sqlite").unlink()

    with pytest.raises(TamperedError, match="app-1, of which a checkpoint is rem"):
        look(state, logs)
    with pytest.raises(TrailError):
        look(tmp_path / "another", logs)


def test_a_changed_record_that_the_checkpoint_covers_is_found(
    trail: Path, tmp_path: Path
) -> None:
    import sqlite3

    state = tmp_path / "state.json"
    look(state, logs_of(trail))
    grown(trail)
    connection = sqlite3.connect(trail / "logs/app-1/log.sqlite", isolation_level=None)
    connection.execute(
        "UPDATE entry SET body = CAST(replace(body, 'allow', 'denys') AS BLOB)"
    )
    connection.close()

    with pytest.raises(TamperedError, match="checkpoint of size 7"):
        look(state, logs_of(trail))


def test_what_no_witness_has_seen_for_too_long_is_late(
    trail: Path, tmp_path: Path
) -> None:
    with witness_for(trail, tmp_path / "witness.json") as (_, known):
        trust = quorum_of(known)
        taken(trail, Outside(trust=trust))
    monitor = Monitor(
        state=tmp_path / "state.json",
        vouchers=Vouchers(trust=trust),
        patience=timedelta(hours=24),
    )

    def is_late(hours: int) -> bool:
        now = datetime.now(UTC) + timedelta(hours=hours)
        (watch,) = monitor.look(logs_of(trail), now=now)
        return watch.is_late

    quiet = is_late(48)
    grown(trail)

    assert (quiet, is_late(1), is_late(23), is_late(25)) == (False, False, False, True)


def test_a_log_that_nobody_has_seen_is_late_at_once(
    trail: Path, tmp_path: Path
) -> None:
    monitor = Monitor(
        state=tmp_path / "state.json",
        vouchers=Vouchers(),
        patience=timedelta(hours=24),
    )

    (watch,) = monitor.look(logs_of(trail), now=NOW)

    assert watch.is_late


def test_a_rotated_log_is_followed(trail: Path, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    look(state, logs_of(trail))
    writer = Trail.open(trail)
    writer.rotate_key()
    append_pair(writer)
    writer.close()

    (watch,) = look(state, logs_of(trail))

    assert (watch.before, watch.size) == (7, 10)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"format":2,"logs":{}}', '{"format":1,"logs":{"a":7}}']
)
def test_a_file_that_is_no_state_is_refused(
    trail: Path, tmp_path: Path, text: str
) -> None:
    (tmp_path / "state.json").write_text(text)

    with pytest.raises(TrailError, match="not a monitor's state"):
        look(tmp_path / "state.json", logs_of(trail))


def test_a_changed_state_is_not_believed(trail: Path, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    look(state, logs_of(trail))
    state.write_text(state.read_text().replace("\\n7\\n", "\\n6\\n"))

    with pytest.raises(TamperedError, match="remembered checkpoint"):
        look(state, logs_of(trail))
    shutil.copy(trail / "trust", state)
    with pytest.raises(TrailError):
        look(state, logs_of(trail))


@pytest.mark.parametrize("before", [0, 7])
@pytest.mark.parametrize("form", ["trail", "lines", "tiles"])
def test_a_record_that_was_changed_under_its_checkpoint_is_found(
    trail: Path, tmp_path: Path, form: str, before: int
) -> None:
    state, out = tmp_path / "state.json", tmp_path / "out"

    def logs() -> list[Watched]:
        (log,) = TrailReader.open(trail).logs
        if form == "trail":
            return [LocalLog(log=log)]
        return [ExportedLog(directory=out, origin=log.origin, vkeys=log.vkeys)]

    (export_tiles if form == "tiles" else export_jsonl)(
        TrailReader.open(trail).logs[0], out
    )
    if before:
        look(state, logs())
    place = {
        "trail": trail / "logs/app-1/log.sqlite",
        "lines": out / RECORDS,
        "tiles": out / "tile/entries/000.p/7",
    }[form]
    data = place.read_bytes()
    assert b"inference" in data
    place.write_bytes(data.replace(b"inference", b"interfere", 1))

    said = "entry 1 of" if form == "tiles" else "not the one of the checkpoint"
    with pytest.raises(TamperedError, match=said):
        look(state, logs())


def test_a_record_of_tiles_that_was_changed_before_they_grew_is_found(
    trail: Path, tmp_path: Path
) -> None:
    state, out = tmp_path / "state.json", tmp_path / "out"
    look(state, logs_of(trail, exported=out))
    grown(trail)
    logs = logs_of(trail, exported=out)
    bundle = out / "app-1/tile/entries/000.p/9"
    bundle.write_bytes(bundle.read_bytes().replace(b"inference", b"interfere", 1))

    with pytest.raises(TamperedError, match="entry 1 of"):
        look(state, logs)


def test_tiles_that_are_outgrown_while_they_are_read_are_read_anew(
    trail: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (export,) = logs_of(trail, exported=out)

    class Overtaken(ExportedLog):
        def require_growth(self, *given: Any, **how: Any) -> None:
            if not rounds:
                rounds.append(1)
                # What the checkpoint that was just read covers is taken away.
                append_all(trail, 260)
                logs_of(trail, exported=out)
                assert not (out / "app-1/tile/entries/000.p").exists()
            super().require_growth(*given, **how)

    rounds: list[int] = []
    overtaken = Overtaken(directory=out / "app-1", origin=ORIGIN, vkeys=export.vkeys)

    (watch,) = look(tmp_path / "state.json", [overtaken])

    assert watch.size == 267


@pytest.mark.parametrize("form", ["trail", "lines", "tiles"])
def test_progress_is_told_of_whatever_is_watched(
    trail: Path, tmp_path: Path, form: str
) -> None:
    told: list[tuple[str, int, int]] = []
    (log,) = TrailReader.open(trail).logs
    (export_tiles if form == "tiles" else export_jsonl)(log, tmp_path / "out")

    def tell(*said: Any) -> None:
        told.append(said)

    watched = (
        LocalLog(log=log, progress=tell)
        if form == "trail"
        else ExportedLog(
            directory=tmp_path / "out",
            origin=log.origin,
            vkeys=log.vkeys,
            progress=tell,
        )
    )

    look(tmp_path / "state.json", [watched])

    assert told[-1] == (ORIGIN, 7, 7)
