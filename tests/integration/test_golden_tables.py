"""The golden tables of a project: kept in git, and a change of a verdict is shown by cell."""

from __future__ import annotations

from pathlib import Path

import pytest
from integration.test_cli_policy_compare import OWN
from integration.test_no_new_access import TEST
from pytest_runs import Run

pytest_plugins = ("pytester",)

TABLE = """
[tool.pytest.ini_options]
testpaths = ["policy"]

[tool.policyguard.golden."kept/purposes.csv"]
rows = ["purpose.kind"]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy/own.rego").write_text(OWN, "utf-8")
    (tmp_path / "policy/own_test.rego").write_text(TEST, "utf-8")
    (tmp_path / "pyproject.toml").write_text(TABLE, "utf-8")
    return tmp_path


def test_a_table_that_is_missing_fails_until_it_is_written(
    project: Path, ran: Run
) -> None:
    missing = ran(project)
    written = ran(project, "--policy-golden-update")

    assert [missing.returncode, written.returncode] == [1, 0]
    assert "write it with --policy-golden-update" in missing.stdout
    assert "Traceback" not in missing.stdout
    assert (project / "kept/purposes.csv").read_text("utf-8").splitlines()[:2] == [
        "purpose.kind,verdict,rules,obligations",
        "inference,allow,,",
    ]


def test_a_file_that_is_no_table_and_an_unknown_fact_are_refused(
    project: Path, ran: Run
) -> None:
    (project / "kept").mkdir()
    (project / "kept/purposes.csv").write_text("a,b\n", "utf-8")
    odd = ran(project)
    table = project / "pyproject.toml"
    table.write_text(TABLE.replace("purpose.kind", "purpose.kindd"), "utf-8")
    unknown = ran(project)

    assert (odd.returncode, unknown.returncode) == (1, 1)
    assert "is no table of verdicts" in odd.stdout
    assert "purpose.kindd" in unknown.stdout
