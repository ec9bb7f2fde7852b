"""An author's rules over a catalog are as a guard would load them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from unit.testing.trials import OWN, shipped, written

from policyguard.errors import BundleError
from policyguard.settings import Settings
from policyguard.testing.answers import Asker
from policyguard.testing.policies import policy_in
from policyguard.testing.trial import Trial

DESCRIBED = OWN.replace(
    "\nfindings",
    """
# METADATA
# title: No source code is sent for what is published
# custom:
#   id: ACME-02
#   severity: low
#   citation: our own rule
#   as_of: 2026-01-01
#   effective:
#     - {from: 2026-03-01T00:00:00Z, to: null, status: in_force, verified: true}
findings""",
    1,
)


def rulebook(policy: Any) -> Any:
    return policy.data["policyguard"]["rulebook"]


def test_a_rule_of_ones_own_is_in_the_rulebook_with_its_windows(tmp_path: Path) -> None:
    policy = policy_in(written(tmp_path, DESCRIBED), Settings())

    begins = 1_772_323_200
    assert rulebook(policy)["rules"].keys() - rulebook(shipped())["rules"].keys() == {
        "ACME-02"
    }
    assert begins in rulebook(policy)["boundaries"]
    assert begins in Trial(policy, rules=["ACME-02"]).boundaries


def test_a_rule_is_in_force_from_its_day_and_finds_nothing_before(
    tmp_path: Path,
) -> None:
    trial = Trial(
        policy_in(written(tmp_path, DESCRIBED), Settings()), rules=["ACME-02"]
    )
    call = trial.space.call({})
    call["purpose"]["publishes"] = True
    call["data"]["classes"] = ["source_code"]

    seen = {
        at: trial.answer({**call, "at": at}).effects.get("ACME-02")
        for at in ("2026-02-28T23:59:59Z", "2026-03-01T00:00:00Z")
    }

    assert seen == {
        "2026-02-28T23:59:59Z": None,
        "2026-03-01T00:00:00Z": ("deny",),
    }


def test_a_rule_without_a_description_is_in_no_rulebook(tmp_path: Path) -> None:
    policy = policy_in(written(tmp_path, OWN), Settings())

    assert rulebook(policy) == rulebook(shipped())


def test_an_id_that_a_shipped_rule_has_is_refused(tmp_path: Path) -> None:
    text = DESCRIBED.replace("ACME-02", "GDPR-01")

    with pytest.raises(BundleError, match="`GDPR-01` is also in"):
        policy_in(written(tmp_path, text), Settings())


def test_a_bundle_whose_rulebook_is_of_yesterday_has_that_of_its_modules(
    tmp_path: Path,
) -> None:
    whole = tmp_path / "bundle"
    shutil.copytree(Path(__file__).parents[3] / "policies", whole)
    rule = whole / "policyguard/rules/licence/lic_06.rego"
    text = rule.read_text("utf-8")
    rule.write_text(text.replace("severity: ", "severity: low #", 1), "utf-8")

    found = rulebook(policy_in(whole, Settings()))["rules"]["LIC-06"]

    assert found == {**rulebook(shipped())["rules"]["LIC-06"], "severity": "low"}


def test_a_rule_without_a_description_counts_as_our_own_policy(tmp_path: Path) -> None:
    trial = Trial(policy_in(written(tmp_path, OWN), Settings()), rules=["ACME-02"])
    call = trial.space.call({})
    call["purpose"]["publishes"] = True
    call["data"]["classes"] = ["source_code"]

    assert "ACME-02" in trial.in_force(call)
    assert trial.answer(call) == Asker(trial.policy).ask(call)
    assert trial.answer(call).objecting[0] == ("ACME-02", "deny")
