"""`policyguard policy whatif`: of a file and of a record, and never for callers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from integration.program import CALL, DENIED, refused, run, written


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policyguard.toml").write_text('[trail]\ndirectory = "trail"\n')
    monkeypatch.setenv("POLICYGUARD_CONFIG", str(tmp_path / "policyguard.toml"))
    return tmp_path


def test_a_change_is_shown_and_exits_0(place: Path) -> None:
    done = run("policy", "whatif", written(place, DENIED))

    assert done.exit_code == 0
    assert done.stdout.startswith("denied by GDPR-01, GDPR-04\nallowed after a change")
    assert (
        "deployment: glm-5.2@open.bigmodel.cn → glm-5.2@api.scaleway.ai" in done.stdout
    )


def test_no_change_exits_1_and_a_search_that_is_not_finished_2(place: Path) -> None:
    call = written(place, DENIED)
    words = ("policy", "whatif", call, "--mutable", "data.itar")

    none = run(*words)
    unfinished = run("policy", "whatif", call, "--mutable", "*", "--evaluations", 3)

    assert (none.exit_code, unfinished.exit_code) == (1, 2)
    assert "no change of up to 3 mutable facts makes it allowed" in none.stdout
    assert "not finished" in unfinished.stdout


def test_a_recorded_decision_is_asked_as_it_was_recorded(place: Path) -> None:
    recorded = json.loads(run("check", written(place, DENIED), "--json").stdout)

    found = json.loads(
        run("policy", "whatif", "--decision", recorded["id"], "--json").stdout
    )

    assert found["bundle"] == recorded["bundle"]["digest"]
    assert [item["facts"] for item in found["changes"]] == [
        {"deployment": "glm-5.2@api.scaleway.ai"}
    ]


def test_what_may_change_is_declared_with_the_gates(place: Path) -> None:
    text = '[tool.policyguard]\nmutable = ["tenant.data_security.*"]\n'
    (place / "pyproject.toml").write_text(text)

    done = run("policy", "whatif", written(place, DENIED), "--json")

    assert all(
        name.startswith("tenant.data_security.")
        for name in json.loads(done.stdout)["mutable"]
    )


def test_nothing_that_decides_calls_can_tell_a_caller_what_would_change_it() -> None:
    # In a fresh process: here other tests have loaded the kit.
    code = (
        "import policyguard.assembly, policyguard.guard.guard, sys; print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert "policyguard.guard.guard" in done.stdout
    assert "policyguard.testing" not in done.stdout


def test_what_cannot_be_asked_is_one_line_and_exits_2(place: Path) -> None:
    call = written(place, CALL)
    for words, says in (
        ((), "give CALL.json, or --decision ID"),
        ((call, "--decision", "1"), "give CALL.json, or --decision ID"),
        ((call, "--mutable", "nope"), "no fact is named `nope`"),
        ((place / "none.json",), "cannot read"),
    ):
        done = run("policy", "whatif", *words)
        refused(done, says=says)
        assert done.exit_code == 2
