"""The example of a project with rules: it passes as it is, and each demand stops a change."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from house.repository import ROOT
from pytest_runs import Run

pytest_plugins = ("pytester",)

EXAMPLE = ROOT / "examples/own_rules"
RULE, TEST, TABLE = (
    "rules/acme_01.rego",
    "rules/acme_01_test.rego",
    "kept/purposes.csv",
)
SAID = 'sprintf("genetic data would be kept: it is sent to %s", [input.purpose.kind])'
WORDS = f"""
_acme_01_words := "genetic data would be published" if {{
	input.purpose.publishes == true
	input.purpose.competes == false
}} else := {SAID}
"""
FREE = '"to train on other data is free"'
EMBEDDED = '"to embed it, too"'
TUNED = '"tuning": {"kind": "fine_tune", "classes": ["omic"], "is": {"deny"}},'


def replaced(file: Path, before: str, after: str) -> None:
    text = file.read_text("utf-8")
    assert before in text
    file.write_text(text.replace(before, after), "utf-8")


def without_line(file: Path, word: str) -> None:
    lines = file.read_text("utf-8").splitlines(keepends=True)
    kept = [line for line in lines if word not in line]
    assert len(kept) == len(lines) - 1
    file.write_text("".join(kept), "utf-8")


def a_line_that_no_test_reaches(project: Path) -> None:
    # Words decide nothing: no fault in them is looked for.
    replaced(project / RULE, SAID, "_acme_01_words")
    with (project / RULE).open("a", encoding="utf-8") as file:
        file.write(WORDS)


def a_test_that_is_dropped(project: Path) -> None:
    without_line(project / TEST, FREE)


def a_rule_that_refuses_less(project: Path) -> None:
    # Test and table are changed with it: only what was says that this opens something.
    replaced(project / RULE, '{"embed", "train"}', '{"train"}')
    without_line(project / TEST, EMBEDDED)
    replaced(project / TABLE, "embed,deny,ACME-01,", "embed,allow,,")


def a_rule_that_refuses_more(project: Path) -> None:
    replaced(project / RULE, '{"embed", "train"}', '{"embed", "fine_tune", "train"}')
    replaced(project / TEST, FREE, f"{TUNED}\n\t\t{FREE}")


def environment(project: Path) -> dict[str, str]:
    installed = Path(sys.executable).parent
    kept = {k: v for k, v in os.environ.items() if not k.startswith("POLICYGUARD_")}
    return {
        **kept,
        "PATH": f"{installed}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(project),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def sh(text: str, project: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-eu", "-c", text],
        cwd=project,
        env=environment(project),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    directory = tmp_path / "project"
    shutil.copytree(EXAMPLE, directory)
    done = sh(
        "git init -q && git add . &&"
        " git -c user.name=A -c user.email=a@acme.example commit -q -m Begin",
        directory,
    )
    assert done.returncode == 0, done.stderr
    return directory


def test_the_project_passes_its_pipeline_and_its_hooks(project: Path) -> None:
    workflow = yaml.safe_load((project / ".github/workflows/rules.yml").read_text())
    hooks = yaml.safe_load((project / ".pre-commit-config.yaml").read_text())
    # Of a runner alone: here the package is installed, and there is no origin.
    steps = [
        step["run"]
        for step in workflow["jobs"]["rules"]["steps"]
        if not step.get("run", "pip").startswith(("pip", "sed"))
    ]
    for hook in hooks["repos"][0]["hooks"]:
        names = [] if hook.get("pass_filenames") is False else [RULE, TEST]
        steps.append(shlex.join([*shlex.split(hook["entry"]), *names]))

    done = {text: sh(text, project) for text in steps}

    assert {text: d.stdout for text, d in done.items() if d.returncode} == {}
    assert "7 passed" in done["python -m pytest"].stdout
    assert len(done) == 4


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (a_line_that_no_test_reaches, "of the lines are reached, 100 % are demanded"),
        (a_test_that_is_dropped, "rules: mutation score"),
        (
            a_rule_that_refuses_less,
            (
                "ACME-01 deny before, and nothing objects now, to {'purpose.kind': 'embed',"
                " 'data.classes': ['omic']}\nno new access against HEAD is demanded"
            ),
        ),
        (
            a_rule_that_refuses_more,
            (
                "kept/purposes.csv: 1 cells differ from what was kept\n"
                "  purpose.kind = fine_tune: require_approval"
            ),
        ),
    ],
)
def test_each_demand_stops_a_change_that_all_others_let_through(
    project: Path,
    ran: Run,
    change: Callable[[Path], None],
    says: str,
) -> None:
    change(project)

    done = ran(project, "-rA")

    # Lines that are reached are counted at the end, and are no item.
    failed = 0 if change is a_line_that_no_test_reaches else 1
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert done.stdout.count("\nFAILED ::") == failed
    assert says in done.stdout
    assert "Traceback" not in done.stdout
