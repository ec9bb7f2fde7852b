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


def test_each_kind_of_call_that_breaks_a_property_is_shown(tmp_path: Path) -> None:
    other = OWN.partition("\n\n")[2].replace('"deny"', '"unavailable"')
    (tmp_path / "own.rego").write_text(
        OWN.replace('kind == "train"', "competes == true")
        + other.replace('kind == "train"', "publishes == true"),
        encoding="utf-8",
    )
    command = (
        "policy", "prove", str(tmp_path), "--rule", "ACME-01",
        "--property", "fail_closed", "--crosschecks", "0",
    )  # fmt: skip

    text = run(*command)
    (claim,) = json.loads(run(*command, "--json").stdout)["claims"]
    (first,) = json.loads(run(*command, "--json", "--kinds", "1").stdout)["claims"]

    assert text.exit_code == 1
    assert text.stdout.splitlines()[-5:] == [
        "  4 of 18 calls that it can tell apart",
        "  smallest: purpose.competes = true",
        "  ACME-01 deny → nothing, when purpose.competes = null (2 calls)",
        "  another kind: purpose.publishes = true",
        "  ACME-01 unavailable → nothing, when purpose.publishes = null (2 calls)",
    ]
    assert claim["counterexample"]["changed"] == "purpose.competes"
    assert [(c["changed"], c["cases"]) for c in claim["others"]] == [
        ("purpose.publishes", 2)
    ]
    assert first["others"] == []


def test_facts_are_named_for_the_properties_that_are_about_some(tmp_path: Path) -> None:
    (tmp_path / "own.rego").write_text(OWN, encoding="utf-8")

    done = run(
        "policy", "prove", str(tmp_path), "--rule", "ACME-01", "--crosschecks", "0",
        "--property", "irrelevant", "--property", "no_uncovered",
        "--property", "no_dead_condition", "--fact", "purpose.publishes", "--json",
    )  # fmt: skip
    document = json.loads(done.stdout)

    assert done.exit_code == 1
    assert [
        (c["property"], c["rule"], c["tier"], c["cases"], c["broken"])
        for c in document["claims"]
    ] == [
        ("irrelevant", "ACME-01", "PROVED", 12, 0),
        ("no_dead_condition", "ACME-01", "PROVED", 1, 0),
        ("no_uncovered", "purpose.publishes", "VIOLATED", 2, 2),
    ]


def test_an_unknown_rule_is_a_usage_error() -> None:
    done = run("policy", "prove", "--rule", "NONE-01")

    assert done.exit_code == 2
    assert "there is no rule `NONE-01`" in done.stderr
