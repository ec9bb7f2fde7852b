"""`policyguard policy prove`: what it says of a hole, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from integration.program import run

OWN = """package policyguard.tenant

findings contains {
	"id": "ACME-01",
	"effect": "deny",
	"msg": "a trainer elsewhere",
	"facts": {},
	"missing": [],
	"remedy": "another",
} if {
	input.purpose.kind == "train"
}
"""


@pytest.fixture(autouse=True)
def _as_wide_as_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def test_a_proof_is_a_document_with_space_catalog_and_tiers(tmp_path: Path) -> None:
    (tmp_path / "own.rego").write_text(OWN, encoding="utf-8")

    done = run(
        "policy", "prove", str(tmp_path), "--rule", "ACME-01",
        "--property", "reachable", "--property", "monotone_classes",
        "--crosschecks", "50", "--json",
    )  # fmt: skip
    document = json.loads(done.stdout)

    assert done.exit_code == 0
    assert [(c["property"], c["tier"], c["cases"]) for c in document["claims"]] == [
        ("monotone_classes", "PROVED", 12),
        ("reachable", "PROVED", 12),
    ]
    assert len(document["space"]["digest"]) == len(document["catalog"]) == 64
    assert document["crosschecks"] == 50


def test_a_rule_that_never_finds_anything_is_shown(tmp_path: Path) -> None:
    (tmp_path / "own.rego").write_text(
        OWN.replace('"train"', '"trains"'), encoding="utf-8"
    )

    done = run(
        "policy", "prove", str(tmp_path), "--rule", "ACME-01", "--crosschecks", "0"
    )

    assert done.exit_code == 1
    assert "VIOLATED reachable ACME-01" in done.stdout
    assert "no call of the space makes it find anything" in done.stdout


def test_an_unknown_rule_is_a_usage_error() -> None:
    done = run("policy", "prove", "--rule", "NONE-01")

    assert done.exit_code == 2
    assert "there is no rule `NONE-01`" in done.stderr
