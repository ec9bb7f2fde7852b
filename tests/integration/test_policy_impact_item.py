"""`pytest --policy-impact`: a recorded call that would newly be allowed fails the run."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml  # noqa: F401 -- a run in this process forgets what it has imported itself
from guards import CN, FR, guard_in
from integration.test_cli_impact import bundle_in
from integration.test_cli_replay import changed, question
from pytest_runs import Run
from trails import copied
from unit.bundle.test_additions import RULE

from policyguard.errors import BundleError
from policyguard.replay.pytest_impact import bundle_in as made_of
from policyguard.settings import Settings

pytest_plugins = ("pytester",)

TEST = """package policyguard.tenant_test

import data.policyguard.tenant

test_other_purposes_are_free if {
	count(tenant.findings) == 0 with input as {"hops": [], "model": null}
}
"""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("original")
    with guard_in(folder) as guard:
        guard.check_many([question(guard, base) for base in (FR, CN, FR)])
    return folder / "trail"


@pytest.fixture
def trail(original: Path, tmp_path: Path) -> Path:
    return copied(original, tmp_path / "trail")


def only_one_test(bundle: Path) -> str:
    return str(bundle / "policyguard/rules/gdpr/gdpr_02_test.rego")


def test_a_looser_bundle_fails_until_somebody_accepts_it(
    trail: Path, tmp_path: Path, ran: Run
) -> None:
    loose = bundle_in(tmp_path, "advise")
    options = (only_one_test(loose), "--policy-impact", str(trail))

    demanded = ran(loose, *options)
    accepted = ran(loose, *options, "-rx", "--policy-accept-new-access")

    assert demanded.returncode == 1
    assert "(app-1:2) deny → allow by GDPR-01, GDPR-04" in demanded.stdout
    assert "1 of 3 recorded calls would be allowed that were not" in demanded.stdout
    assert accepted.returncode == 0
    assert "accepted: " in accepted.stdout


def test_a_bundle_that_decides_as_it_did_passes(
    trail: Path, tmp_path: Path, ran: Run
) -> None:
    same = bundle_in(tmp_path, "deny")

    done = ran(same, only_one_test(same), "--policy-impact", str(trail), "-v")

    assert done.returncode == 0
    assert "bundle: recorded calls PASSED" in done.stdout


def test_what_cannot_be_asked_is_no_pass(trail: Path, tmp_path: Path, ran: Run) -> None:
    changed(trail / "logs/app-1/vault.sqlite", "DELETE FROM content")
    same = bundle_in(tmp_path, "deny")

    done = ran(same, only_one_test(same), "--policy-impact", str(trail))

    assert "bundle: recorded calls PASSED" not in done.stdout
    assert "1 skipped" in done.stdout
    assert "(3: its content is gone from the vault)" in done.stdout


def test_a_trail_that_is_none_fails_and_is_named(tmp_path: Path, ran: Run) -> None:
    same = bundle_in(tmp_path, "deny")

    done = ran(same, only_one_test(same), "--policy-impact", "nowhere")

    assert done.returncode == 1
    assert "nowhere" in done.stdout
    assert "pytest_impact.py" not in done.stdout


def test_rules_of_a_tenant_are_asked_with_the_bundle_that_settings_name(
    trail: Path, tmp_path: Path, ran: Run
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "acme.rego").write_text(RULE.replace("kimi-k2", "glm-5.2"), "utf-8")
    (own / "acme_test.rego").write_text(TEST, "utf-8")

    done = ran(own, "--policy-impact", str(trail), "-v")

    assert done.returncode == 0
    assert "own: recorded calls PASSED" in done.stdout
    made = made_of(own, Settings())
    assert (
        made.files["policyguard/tenant/acme.rego"] == (own / "acme.rego").read_bytes()
    )


def test_rules_of_a_tenant_with_data_are_refused(tmp_path: Path) -> None:
    (tmp_path / "acme.rego").write_text(RULE, "utf-8")
    (tmp_path / "data.json").write_text('{"x": 1}', "utf-8")

    with pytest.raises(BundleError, match="and no data"):
        made_of(tmp_path, Settings())


def test_recorded_calls_are_within_the_budget(
    trail: Path, tmp_path: Path, ran: Run
) -> None:
    loose = bundle_in(tmp_path, "advise")

    done = ran(
        loose,
        only_one_test(loose),
        "--policy-impact",
        str(trail),
        "--policy-budget=0.002",
    )

    assert done.returncode == 0
    assert "NOT LOOKED AT" in done.stdout
    assert "used up, at entry " in done.stdout
