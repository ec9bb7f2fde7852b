"""Long work of the `audit` commands shows how far it is, and nowhere but on a terminal."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Final

import pytest
from integration.program import run_program
from trails import CALLER, made_trail, outcome

from policyguard.audit.export.pruning import prune_tiles
from policyguard.audit.export.tiles import export_tiles
from policyguard.audit.reader import TrailReader
from policyguard.audit.retention import Keeping
from policyguard.audit.trail import Trail
from policyguard.cli.trail_reading import records

TERMINAL: Final = {"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1"}
LONG: Final = (
    ["list", "--json"],
    ["show", "app-1:1", "--json"],
    ["gaps", "--json"],
    ["verify", "--json"],
    ["report", "--json"],
    ["query", "latency", "--json"],
    ["export", "OUT", "--json"],
    ["export", "OUT", "--json", "--format", "jsonl"],
    ["export", "OUT", "--json", "--format", "opa"],
    ["replay", "--all", "--json"],
    ["erase", "--caller", CALLER, "--dry-run", "--json"],
    ["monitor", "--state", "STATE", "--json"],
)


@pytest.mark.parametrize("command", LONG, ids=" ".join)
def test_long_work_shows_how_far_it_is_on_standard_error_alone(
    tmp_path: Path, command: list[str]
) -> None:
    trail = made_trail(tmp_path / "trail")
    places = {"OUT": str(tmp_path / "out"), "STATE": str(tmp_path / "state")}
    asked = ["audit", *(places.get(word, word) for word in command), "--trail", trail]

    shown = run_program(*asked, **TERMINAL)

    assert "acme.example/app-1" in shown.stderr
    assert "100%" in shown.stderr
    assert "\x1b" not in shown.stdout


def long_log(directory: Path) -> TrailReader:
    """Make a trail of 2,301 records."""
    trail = Trail.create(directory, name="acme.example")
    for _ in range(2_300):
        trail.append_later(outcome("x"), failed=lambda _: None)
    trail.close()
    return TrailReader.open(directory)


def test_records_are_counted_while_they_are_read(tmp_path: Path) -> None:
    reader = long_log(tmp_path / "trail")
    steps: list[tuple[str, int, int]] = []

    found = list(
        records(reader, holding="genesis", progress=lambda *step: steps.append(step))
    )

    assert [item.entry.index for item in found] == [0]
    origin = "acme.example/app-1"
    assert steps == [(origin, count, 2_301) for count in (1_024, 2_048, 2_301)]


def test_records_are_counted_while_an_export_is_pruned(tmp_path: Path) -> None:
    (log,) = long_log(tmp_path / "trail").logs
    export_tiles(log, tmp_path / "out")
    steps: list[tuple[str, int, int]] = []

    prune_tiles(
        log,
        tmp_path / "out",
        below=600,
        keeping=Keeping(),
        today=date(2030, 1, 1),
        progress=lambda *step: steps.append(step),
    )

    assert steps == [(log.origin, 256, 512), (log.origin, 512, 512)]
