"""The gate `against`: what is no revision fails; `examples/own_rules` shows the rest."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml  # noqa: F401 -- a run in this process forgets what it has imported itself
from integration.test_cli_policy_compare import OWN
from pytest_runs import Run

pytest_plugins = ("pytester",)

TEST = """package policyguard.tenant_test

import data.policyguard.tenant

test_training_is_denied if {
	some finding in tenant.findings with input as {"purpose": {"kind": "train"}}
	finding.effect == "deny"
}
"""


def git(project: Path, *arguments: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=A", "-c", "user.email=a@acme.example", *arguments],
        cwd=project,
        check=True,
        capture_output=True,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    policy = tmp_path / "policy"
    policy.mkdir()
    (policy / "own.rego").write_text(OWN, encoding="utf-8")
    (policy / "own_test.rego").write_text(TEST, encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text(
        '[tool.pytest.ini_options]\ntestpaths = ["policy"]\n\n'
        '[tool.policyguard]\nagainst = "HEAD"\n',
        "utf-8",
    )
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "Deny training")
    return tmp_path


def test_a_revision_that_git_does_not_know_fails_and_is_named(
    project: Path, ran: Run
) -> None:
    table = project / "pyproject.toml"
    table.write_text(table.read_text("utf-8").replace("HEAD", "gone"), "utf-8")

    done = ran(project)

    assert done.returncode == 1
    assert "gone" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_revision_on_the_command_line_goes_before_the_file(
    project: Path, ran: Run
) -> None:
    done = ran(project, "--policy-against", "elsewhere")

    assert done.returncode == 1
    assert "elsewhere" in done.stdout


def test_new_access_fails_until_somebody_accepts_it_and_is_shown_then(
    project: Path, ran: Run
) -> None:
    own = project / "policy" / "own.rego"
    own.write_text(OWN.replace('"deny"', '"advise"'), "utf-8")
    told = project / "policy" / "own_test.rego"
    told.write_text(TEST.replace('"deny"', '"advise"'), "utf-8")

    demanded = ran(project)
    accepted = ran(project, "-rx", "--policy-accept-new-access")

    assert demanded.returncode == 1
    assert "no new access against HEAD is demanded" in demanded.stdout
    assert accepted.returncode == 0
    assert "accepted: ACME-01 deny before, and nothing obj" in accepted.stdout
