"""The demonstration: what it announces comes out, and it can be run again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from integration.program import files_in, refused, run, run_program

from policyguard.audit.reader import TrailReader
from policyguard.audit.trail import Trail
from policyguard.audit.verify import verify_trail
from policyguard.demo.scenarios import CASES
from policyguard.vocabulary.record import DecisionRecord


def test_the_demonstration_comes_out_as_announced_twice(tmp_path: Path) -> None:
    for number in (1, 2):
        done = run("demo", "--dir", tmp_path)

        assert (done.exit_code, done.stderr) == (0, "")
        assert "not as announced" not in done.stdout
        assert f"TAMPERED: entry {14 * number - 13} of" in done.stdout
        assert "INTACT: every record is what was signed" in done.stdout

    (log,) = TrailReader.open(tmp_path / "trail").logs
    decisions = [
        record
        for entry in log.entries()
        if isinstance(record := entry.record(), DecisionRecord)
    ]
    assert [item.verdict for item in decisions] == [case.verdict for case in CASES] * 2
    assert {item.simulated for item in decisions} == {True}
    assert verify_trail(tmp_path / "trail").pending == 0


def test_the_demonstration_goes_on_beside_another_writer(tmp_path: Path) -> None:
    with_other = Trail.open_or_create(tmp_path / "trail")
    try:
        done = run("demo", "--dir", tmp_path)
    finally:
        with_other.close()

    assert (done.exit_code, done.stderr) == (0, "")
    assert "TAMPERED: entry 1 of" in done.stdout
    assert [
        len(list(log.entries())) for log in TrailReader.open(tmp_path / "trail").logs
    ] == [1, 15]


@pytest.mark.parametrize("columns", [80, 100])
def test_the_demonstration_fits_its_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))

    text = run("demo", "--dir", tmp_path).stdout

    long = [line for line in text.splitlines() if len(line.rstrip()) > columns]
    assert [line for line in long if "--trail" not in line] == []
    assert "…" not in text
    assert text.count("0 hits") == len([case for case in CASES if not case.hits])
    for case in CASES:
        assert case.host in text
        assert case.title in text
        assert case.data in text


def test_the_commands_that_the_demonstration_names_work(tmp_path: Path) -> None:
    text = run("demo", "--dir", tmp_path).stdout

    commands = re.findall(r"^  policyguard (.+)$", text, re.MULTILINE)
    ends = {command: run(*command.split()).exit_code for command in commands}
    assert len(ends) == 6
    assert set(ends.values()) == {0}


def test_a_place_that_cannot_be_used_gets_one_line(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "trail").write_text("x")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    before = files_in(tmp_path)

    refused(run("demo", "--dir", file), says="is a file")
    refused(run("demo", "--dir", tmp_path / "taken"), says="not a directory")
    refused(run("demo", "--dir", file / "below"), says="not a directory")
    refused(
        run_program("demo", "--dir", closed, restricted=True), says="permission denied"
    )

    assert files_in(tmp_path) == before


def test_no_prompt_is_kept(tmp_path: Path) -> None:
    run("demo", "--dir", tmp_path)

    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())

    assert [case.key for case in CASES if case.prompt.encode() in kept] == []


def test_each_case_says_what_must_come_of_it() -> None:
    assert {case.verdict for case in CASES} == {"allow", "deny", "require_approval"}
    assert {rule for case in CASES for rule in case.rules} == {
        "GDPR-01",
        "GDPR-04",
        "EAR-01",
        "EAR-07",
        "FACT-02",
    }
