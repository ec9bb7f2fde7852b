"""A log as lines: exactly its leaves, verified with the trusted key alone."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from trails import CALLER, SECRET, append_pair, made_trail

from policyguard.audit.creation import read_trust
from policyguard.audit.export.jsonl import export_jsonl, verify_jsonl
from policyguard.audit.layout import Layout
from policyguard.audit.reader import TrailReader
from policyguard.audit.trail import Trail
from policyguard.audit.writer import claim_writer
from policyguard.errors import ConfigurationError, TamperedError, TrailError
from policyguard.tlog import EMPTY_ROOT


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    return made_trail(tmp_path / "trail")


def exported(trail: Path) -> Path:
    place = trail.parent / "out"
    export_jsonl(TrailReader.open(trail).logs[0], place)
    return place


def verify(trail: Path, place: Path) -> int:
    return verify_jsonl(place, vkeys=read_trust(trail / "trust").log_keys()).size


def test_the_lines_are_the_leaves(trail: Path) -> None:
    place = exported(trail)

    lines = (place / "records.jsonl").read_bytes().split(b"\n")
    bodies = [entry.body for entry in TrailReader.open(trail).logs[0].entries()]
    assert lines == [*bodies, b""]
    assert [json.loads(line)["kind"] for line in lines[:3]] == [
        "genesis",
        "decision",
        "outcome",
    ]
    assert verify(trail, place) == 7


def test_a_few_lines_of_somebody_elses_code_verify_it(trail: Path) -> None:
    place = exported(trail)
    level = [
        hashlib.sha256(b"\0" + line).digest()
        for line in (place / "records.jsonl").read_bytes().splitlines()
    ]

    while len(level) > 1:
        pairs = [level[at : at + 2] for at in range(0, len(level), 2)]
        level = [
            hashlib.sha256(b"\1" + b"".join(pair)).digest() if pair[1:] else pair[0]
            for pair in pairs
        ]

    import base64

    root = (place / "checkpoint").read_text().splitlines()[2]
    assert base64.b64decode(root) == level[0]
    assert level[0] != EMPTY_ROOT


def test_nothing_personal_is_in_it(trail: Path) -> None:
    data = b"".join(path.read_bytes() for path in exported(trail).iterdir())

    assert CALLER.encode() not in data
    assert SECRET.encode() not in data


def test_a_later_export_takes_the_place_of_an_earlier_one(trail: Path) -> None:
    exported(trail)
    writer = Trail.open(trail)
    append_pair(writer)
    writer.close()

    place = exported(trail)

    assert verify(trail, place) == 9
    assert sorted(path.name for path in place.iterdir()) == [
        "checkpoint",
        "records.jsonl",
    ]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda lines: lines[:-1], "fewer"),
        (lambda lines: [*lines, lines[-1]], "more"),
        (lambda lines: [*lines[:2], *lines[3:], lines[2]], "not what was signed"),
        (lambda lines: [lines[0], *reversed(lines[1:])], "not what was signed"),
        (
            lambda lines: [line.replace(b"allow", b"denys") for line in lines],
            "not what was signed",
        ),
        (lambda lines: [*lines[:3], b"", *lines[3:]], "no record"),
        (lambda lines: [], "fewer"),
    ],
)
def test_changed_lines_are_found(trail: Path, change: object, says: str) -> None:
    place = exported(trail)
    file = place / "records.jsonl"
    lines = file.read_bytes().splitlines()
    assert callable(change)
    file.write_bytes(b"".join(line + b"\n" for line in change(lines)))

    with pytest.raises(TamperedError, match=says):
        verify(trail, place)


@pytest.mark.parametrize("data", [b"x" * 70_000, b"{}", b"\n", b"{}\n\n"])
def test_what_is_no_line_of_a_log_is_found(trail: Path, data: bytes) -> None:
    place = exported(trail)
    (place / "records.jsonl").write_bytes(data)

    with pytest.raises(TamperedError):
        verify(trail, place)


def test_what_is_no_line_is_not_exported(trail: Path) -> None:
    writer = claim_writer(Layout.of(trail), name=None, role="app")
    writer.append([b"two\nlines"], sealed=[])
    writer.close()

    with pytest.raises(TamperedError, match="is no line of JSON"):
        exported(trail)

    assert list((trail.parent / "out").iterdir()) == []


def test_another_log_s_checkpoint_is_none_of_this(trail: Path, tmp_path: Path) -> None:
    place = exported(trail)
    other = made_trail(tmp_path / "other")

    with pytest.raises(TamperedError, match="checkpoint"):
        verify(other, place)


@pytest.mark.parametrize("name", ["checkpoint", "records.jsonl"])
def test_half_an_export_is_none(trail: Path, name: str) -> None:
    place = exported(trail)
    (place / name).unlink()

    with pytest.raises(TrailError, match=name):
        verify(trail, place)


def test_tiles_are_not_written_over(trail: Path) -> None:
    (trail.parent / "out" / "tile").mkdir(parents=True)

    with pytest.raises(ConfigurationError, match="as tiles"):
        exported(trail)


def test_a_changed_log_is_not_exported(trail: Path) -> None:
    import sqlite3

    connection = sqlite3.connect(trail / "logs/app-1/log.sqlite")
    connection.execute(
        'UPDATE entry SET body = CAST(\'{"id":"x"}\' AS BLOB) WHERE idx = 2'
    )
    connection.commit()
    connection.close()

    with pytest.raises(TamperedError, match="not those that its checkpoint signs"):
        exported(trail)

    assert list((trail.parent / "out").iterdir()) == []
