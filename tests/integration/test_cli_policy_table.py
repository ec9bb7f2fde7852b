"""`policyguard policy table`: what lawyers read, in each form; and refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from integration.program import refused, run

ASKED = ("policy", "table", "LIC-02", "--at", "2026-11-20")


def test_a_table_says_all_of_a_rule_and_fits_the_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "90")

    done = run(*ASKED)

    assert done.exit_code == 0
    assert max(map(len, done.stdout.splitlines())) <= 90
    for said in (
        "LIC-02  Outputs are not used",
        "developer's terms on the use of outputs",
        "on 2026-11-20: contractual",
        "trains a competing model  yes",
        "Would help: a model whose licence permits it",
        "proved for 720 calls",
    ):
        assert said in done.stdout


def test_each_form_says_the_same_and_a_report_takes_the_document(
    tmp_path: Path,
) -> None:
    document = run(*ASKED, "--json").stdout
    kept = tmp_path / "table.json"
    kept.write_text(document, encoding="utf-8")
    page = tmp_path / "report.html"

    assert run("policy", "report", page, "--table", kept).exit_code == 0
    texts = [run(*ASKED, "--html").stdout, page.read_text("utf-8")]
    outcomes = {row["effect"] for row in json.loads(document)["tables"][0]["rows"]}
    assert outcomes == {"deny", "require_approval", "indeterminate"}
    for text in texts:
        for said in ("LIC-02", "a person has to approve", "fine_tune, train, distil"):
            assert said in text


def test_a_regime_is_shown_rule_by_rule() -> None:
    asked = ("policy", "table", "--regime", "conflict", "--at", "2026-11-20", "--json")

    found = json.loads(run(*asked).stdout)

    assert [table["rule"] for table in found["tables"]] == ["BLK-01", "BLK-02"]


def test_of_every_instant_the_rows_say_from_when_on() -> None:
    found = json.loads(run("policy", "table", "VEND-01", "--always", "--json").stdout)

    assert found["at"] is None
    said = [row["conditions"]["at"] for row in found["tables"][0]["rows"]]
    assert said
    assert all("2026" in words for words in said)


def test_what_cannot_be_shown_is_one_line_and_exits_2(tmp_path: Path) -> None:
    for words, says in (
        (("EAR-99",), "there is no rule `EAR-99`"),
        (("--regime", "nope"), "there is no regime `nope`"),
        (("LIC-02", "--at", "soon"), "`soon` is no instant"),
        (("LIC-02", "--at", "2026-01-01", "--always"), "--at or --always"),
        (("LIC-02", "--json", "--html"), "one of --markdown"),
        (("LIC-02", "--set", "nope=1"), "there is no fact `nope`"),
        (("LIC-02", "--picture", tmp_path / "a.gif"), "write *.png or *.svg"),
    ):
        done = run("policy", "table", *words)
        refused(done, says=says)
        assert done.exit_code == 2
