"""`policyguard policy lint`, and the same at load: what they say, and their exit codes."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from integration.program import run

from policyguard.assembly import bundle_of, catalog_of, policy_set
from policyguard.engines.protocol import PolicySet
from policyguard.engines.regorus import RegorusEngine
from policyguard.errors import EngineLoadError
from policyguard.settings import Settings

ROOT = Path(__file__).parents[2]
RULE = """package policyguard.tenant

# METADATA
# title: Source code stays on our own machines
# custom: {id: ACME-01, severity: high, as_of: 2026-11-25, citation: "Handbook, 4.2",
#   effective: [{from: null, to: null, status: customer_policy, verified: true}]}
findings contains {"id": "ACME-01", "effect": "deny", "msg": hop.label} if {
	some hop in input.hops
	not startswith(hop.label, "ours ")
}
"""


@pytest.fixture(autouse=True)
def _as_wide_as_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def test_the_shipped_rules_have_no_findings() -> None:
    done = run("policy", "lint", str(ROOT / "policies"))

    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("0 found in ")


def test_a_misspelled_fact_is_found_at_its_line(tmp_path: Path) -> None:
    (tmp_path / "acme.rego").write_text(RULE.replace("(hop.label", "(hop.lable"))

    done = run("policy", "lint", str(tmp_path))

    assert done.exit_code == 1
    assert done.stdout == (
        f"{tmp_path}/acme.rego:9: negation: `hop.lable` may be undefined under `not`:"
        " bind it first: `x := …` on a line of its own, then `not f(x)`\n"
        "1 found in 1 modules, 0 lines exempt\n"
    )


def test_files_are_linted_together(tmp_path: Path) -> None:
    (tmp_path / "acme.rego").write_text(RULE)
    (tmp_path / "acme_test.rego").write_text(
        "package t\ntest_a if true\ntest_a if true"
    )

    done = run("policy", "lint", *map(str, sorted(tmp_path.glob("*.rego"))), "--json")

    assert done.exit_code == 1
    document = json.loads(done.stdout)
    assert (document["modules"], document["exemptions"]) == (2, [])
    assert document["findings"] == [
        {
            "file": f"{tmp_path}/acme_test.rego",
            "line": 3,
            "rule": "duplicate-test",
            "message": f"`test_a` is also at {tmp_path}/acme_test.rego:2",
            "remedy": "rename one of them",
        }
    ]


def test_exemptions_are_shown_with_their_reasons(tmp_path: Path) -> None:
    exempt = RULE.replace(
        '"ours ")', '"ours ") # policyguard ignore:negation -- spelled as they spell it'
    ).replace("(hop.label", "(hop.lable")
    (tmp_path / "acme.rego").write_text(exempt)

    done = run("policy", "lint", str(tmp_path), "--exemptions")

    assert (done.exit_code, done.stdout) == (
        0,
        (
            f"{tmp_path}/acme.rego:9: negation: spelled as they spell it\n"
            "0 found in 1 modules, 1 lines exempt\n"
        ),
    )


def test_every_lint_rule_says_why_it_is() -> None:
    document = json.loads(run("policy", "lint", "--rules", "--json").stdout)

    assert {"rule": "shadow", "stage": "load", "exemptable": False}.items() <= next(
        item for item in document if item["rule"] == "shadow"
    ).items()
    assert run("policy", "lint", "--rules").exit_code == 0


@pytest.mark.parametrize("name", ["nothing.rego", "text.txt", "empty"])
def test_what_is_no_policy_is_a_wrong_question(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.txt").write_text("x")
    (tmp_path / "empty").mkdir()

    assert run("policy", "lint", str(tmp_path / name)).exit_code == 2


def test_nothing_to_lint_is_a_wrong_question() -> None:
    assert run("policy", "lint").exit_code == 2


@cache
def _shipped() -> PolicySet:
    return policy_set(bundle=bundle_of(Settings()), catalog=catalog_of(Settings()))


def _with_module(body: str) -> PolicySet:
    text = f"package policyguard.tenant\n\n_kept(hop) if {{\n\t{body}\n}}\n"
    modules = {**_shipped().modules, "policyguard/tenant/kept.rego": text}
    return replace(_shipped(), modules=modules)


def test_a_load_refuses_to_negate_what_may_be_undefined() -> None:
    with pytest.raises(EngineLoadError) as caught:
        RegorusEngine().load(_with_module('not startswith(hop.lable, "x")'))

    assert str(caught.value) == (
        "policyguard/tenant/kept.rego:4: negation: `hop.lable` may be undefined under"
        " `not`: bind it first: `x := …` on a line of its own, then `not f(x)`"
    )


def test_a_load_refuses_to_put_in_order_what_may_be_no_number() -> None:
    with pytest.raises(EngineLoadError) as caught:
        RegorusEngine().load(_with_module("input.data.persons > 3; hop"))

    assert str(caught.value) == (
        "policyguard/tenant/kept.rego:4: order: `input.data.persons` may be no number:"
        " ask `is_number(input.data.persons)` first"
    )


def test_a_load_refuses_a_finding_that_may_vanish() -> None:
    text = RULE.replace('"msg": hop.label', '"msg": input.caller.nmae')
    policy = replace(
        _shipped(),
        modules={**_shipped().modules, "policyguard/tenant/acme.rego": text},
        rule_ids=_shipped().rule_ids | {"ACME-01"},
        promising=_shipped(),
    )

    with pytest.raises(EngineLoadError) as caught:
        RegorusEngine().load(policy)

    assert str(caught.value) == (
        "policyguard/tenant/acme.rego:7: vanishing: `input.caller.nmae` may be undefined,"
        " and then nothing is found: bind it in the body, or give it a default"
    )


@pytest.mark.parametrize(
    "body",
    [
        'not startswith(hop.label, "x")',
        'not startswith(hop.lable, "x") # policyguard ignore:negation -- as they spell it',
    ],
)
def test_a_load_takes_what_is_defined_or_exempt(body: str) -> None:
    snapshot = RegorusEngine().load(_with_module(body))

    assert snapshot.bundle_digest == _shipped().bundle_digest
