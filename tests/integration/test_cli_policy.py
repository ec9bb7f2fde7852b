"""`policyguard policy`: every rule in a table, and one explained."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from integration.program import refused, run

from policyguard.bundle.shipped import load_shipped


@pytest.fixture(autouse=True)
def _as_wide_as_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def test_the_table_has_every_rule_and_fits_eighty_columns() -> None:
    done = run("policy", "list")

    lines = done.stdout.splitlines()
    first = {
        line.split()[0] for line in lines if line.startswith("  ") and line.split()
    }
    assert done.exit_code == 0
    assert set(load_shipped().rule_ids) <= first
    assert max(map(len, lines)) <= 80


def test_the_table_shows_the_status_of_the_day() -> None:
    before = json.loads(run("policy", "list", "--json", "--at", "2026-06-11").stdout)
    during = json.loads(run("policy", "list", "--json", "--at", "2026-06-15").stdout)

    def of(rules: list[dict[str, object]]) -> object:
        return {rule["id"]: rule["status"] for rule in rules}["EAR-07"]

    assert (of(before), of(during)) == (None, "in_force")


def test_the_table_of_one_regime_has_its_rules_alone() -> None:
    document = json.loads(run("policy", "list", "--regime", "ear", "--json").stdout)

    assert {rule["regime"] for rule in document} == {"ear"}


@pytest.mark.parametrize("rule", load_shipped().rule_ids)
def test_each_rule_is_explained_within_eighty_columns(rule: str) -> None:
    info = load_shipped().rule(rule)

    done = run("policy", "explain", rule.lower())

    assert (done.exit_code, done.stderr) == (0, "")
    assert " ".join(done.stdout.split()).startswith(f"{rule} {info.title}")
    assert max(map(len, done.stdout.splitlines())) <= 80
    for part in ("Source ", "Status ", "What it does ", "Facts that it reads "):
        assert part in done.stdout


def test_the_window_of_the_day_is_marked() -> None:
    during = run("policy", "explain", "EAR-07", "--at", "2026-06-15").stdout
    after = run("policy", "explain", "EAR-07", "--at", "2026-07-02").stdout

    def marked(text: str) -> list[str]:
        return [
            line.split("  ")[2].strip() for line in text.splitlines() if "▸" in line
        ]

    assert marked(during) == ["2026-06-12 21:21Z to 2026-07-01"]
    assert marked(after) == ["since 2026-07-01"]


def test_a_rule_that_has_no_status_yet_says_so() -> None:
    text = run("policy", "explain", "EAR-07", "--at", "2026-01-01").stdout

    assert "not yet, or no more" in text


def test_the_json_of_a_rule_has_all_that_the_page_has() -> None:
    document = json.loads(
        run("policy", "explain", "EAR-01", "--json", "--at", "2026-07-02").stdout
    )

    info = load_shipped().rule("EAR-01")
    assert document["citation"] == info.citation
    assert document["status"] == "in_force"
    assert document["effects"] == ["deny", "indeterminate"]
    assert "data.ear.us_origin" in document["facts"]
    assert document["bundle"]["digest"] == load_shipped().digest


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("explain", "EAR-001"), "did you mean `EAR-01`"),
        (("explain", "nothing"), "`policyguard policy list` shows all"),
        (("list", "--regime", "nothing"), "known are "),
        (("list", "--at", "yesterday"), "write 2026-06-15, or"),
        (("explain", "EAR-01", "--config", "nowhere.toml"), "cannot read"),
    ],
)
def test_what_cannot_be_shown_is_one_line(
    arguments: tuple[str, ...], says: str
) -> None:
    done = run("policy", *arguments)

    assert done.exit_code == 2
    refused(done, says=says)


def test_an_instant_without_offset_is_utc_and_now_is_the_default() -> None:
    today = f"on {datetime.now(UTC):%Y-%m-%d}"

    assert today in run("policy", "list").stdout
    assert "on 2026-06-15" in run("policy", "list", "--at", "2026-06-15T23:59").stdout


def test_nothing_is_written_by_reading_rules(tmp_path: Path) -> None:
    run("policy", "list")

    assert list(tmp_path.iterdir()) == []
