"""The demonstration: what it announces comes out, and it can be run again."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from policyguard.audit.reader import TrailReader
from policyguard.audit.verify import verify_trail
from policyguard.cli import main
from policyguard.demo.scenarios import CASES
from policyguard.vocabulary.record import DecisionRecord


def test_the_demonstration_comes_out_as_announced_twice(tmp_path: Path) -> None:
    for number in (1, 2):
        done = CliRunner().invoke(main, ["demo", "--dir", str(tmp_path)])

        assert (done.exit_code, done.stderr) == (0, "")
        assert "not as announced" not in done.stdout
        assert "TAMPERED: entry 1 of" in done.stdout
        assert f"INTACT: {15 * number - number + 1} signed checkpoints" in done.stdout

    (log,) = TrailReader.open(tmp_path / "trail").logs
    decisions = [
        record
        for entry in log.entries()
        if isinstance(record := entry.record(), DecisionRecord)
    ]
    assert [item.verdict for item in decisions] == [case.verdict for case in CASES] * 2
    assert {item.simulated for item in decisions} == {True}
    assert verify_trail(tmp_path / "trail").pending == 0


def test_no_prompt_is_kept(tmp_path: Path) -> None:
    CliRunner().invoke(main, ["demo", "--dir", str(tmp_path)])

    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())

    assert [case.key for case in CASES if case.prompt.encode() in kept] == []


def test_each_case_says_what_must_come_of_it() -> None:
    assert {case.verdict for case in CASES} == {"allow", "deny", "require_approval"}
    assert {rule for case in CASES for rule in case.rules} == {
        "GDPR-01",
        "EAR-01",
        "EAR-07",
        "FACT-02",
    }
