"""`policyguard policy compare`: what it says of a change, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from integration.program import run

OWN = """package policyguard.tenant

findings contains {
	"id": "ACME-01",
	"effect": "deny",
	"msg": "no training",
	"facts": {},
	"missing": [],
	"remedy": "none",
} if {
	input.purpose.kind in {"train", "embed"}
}
"""


@pytest.fixture
def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    monkeypatch.setenv("COLUMNS", "80")
    for name, text in (("old", OWN), ("new", OWN.replace(', "embed"', ""))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "own.rego").write_text(text, encoding="utf-8")
    return str(tmp_path / "old"), str(tmp_path / "new")


def test_new_access_is_shown_and_exits_1(both: tuple[str, str]) -> None:
    done = run("policy", "compare", *both)

    assert done.exit_code == 1
    assert done.stdout.startswith("looser: 1 rules compared over ")
    assert "looser ACME-01: 1 looser of 12 cases" in done.stdout
    assert (
        'ACME-01 deny → nothing  when purpose.kind = "embed"  NEW ACCESS' in done.stdout
    )


def test_what_is_stricter_exits_0_and_is_a_document(both: tuple[str, str]) -> None:
    done = run("policy", "compare", *reversed(both), "--json")
    document = json.loads(done.stdout)

    assert (done.exit_code, document["relation"]) == (0, "stricter")
    assert [(r["rule"], r["stricter"], r["tier"]) for r in document["rules"]] == [
        ("ACME-01", 1, "PROVED")
    ]


def test_one_policy_alone_is_a_usage_error(both: tuple[str, str]) -> None:
    done = run("policy", "compare", both[0])

    assert done.exit_code == 2
    assert "give NEW, or --against" in done.stderr


def test_a_policy_that_fails_on_every_call_exits_2_and_says_where(
    both: tuple[str, str],
) -> None:
    failing = OWN.replace("\tinput.purpose", '\tto_number("none") > 0\n\tinput.purpose')
    Path(both[1], "own.rego").write_text(failing, encoding="utf-8")

    done = run("policy", "compare", *both)

    assert (done.exit_code, done.stdout) == (2, "")
    assert "the new policy answers none of the " in done.stderr.replace("\n", " ")
    assert "own.rego:11:" in done.stderr
