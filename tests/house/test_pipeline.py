"""The tutorial's pipeline passes on what it builds, and fails on what breaks it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from house.repository import DOCS, ROOT, marked_blocks

from policyguard.cli import main

PAGE = DOCS / "tutorial/a-rule-of-your-own.md"
WORKFLOW = ".github/workflows/policy.yml"
PROVED = (
    "policyguard policy prove rules --rule ACME-01 --property reachable"
    " --crosschecks 500"
)
# Of a runner alone: here the package is installed, and there is no origin.
OF_RUNNER = ("pip install", "git branch")


def sh(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    installed = Path(sys.executable).parent
    kept = {k: v for k, v in os.environ.items() if not k.startswith("POLICYGUARD_")}
    return subprocess.run(
        ["sh", "-eu", "-c", text],
        cwd=folder,
        env={
            **kept,
            "PATH": f"{installed}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def steps(folder: Path) -> list[str]:
    workflow = yaml.safe_load((folder / WORKFLOW).read_text("utf-8"))
    found = [
        step["run"] for step in workflow["jobs"]["rules"]["steps"] if "run" in step
    ]
    return [text for text in found if not text.startswith(OF_RUNNER)]


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("project")
    found: dict[str, Any] = {"folder": folder}
    for name, text in marked_blocks(PAGE).items():
        done = sh(text, folder)
        assert (name, done.returncode, done.stderr) == (name, 0, ""), done.stdout
        found[name] = done.stdout
    return found


def test_the_tutorial_says_what_happens(printed: dict[str, Any]) -> None:
    assert "2 passed" in printed["shell-test"]
    assert "3 passed" in printed["shell-property"]
    assert "looser ACME-01: " in printed["shell-change"]


def test_the_pipeline_stops_the_change_and_nothing_else(
    printed: dict[str, Any],
) -> None:
    folder = printed["folder"]
    # Lint and tests ran while the page was run, and hold on the change, too.
    changed = {text: sh(text, folder) for text in steps(folder)[-3:]}
    sh("git stash --quiet && git checkout --quiet main", folder)
    before = {text: sh(text, folder).returncode for text in steps(folder)[-1:]}

    assert set(before.values()) == {0}
    assert [text for text, done in changed.items() if done.returncode] == [
        "python -m pytest -q rules tests",
        PROVED,
        "policyguard policy compare rules --against main",
    ]
    property_broken = changed["python -m pytest -q rules tests"].stdout
    assert "test_health_data_stays_on_our_machines" in property_broken
    assert "VIOLATED reachable ACME-01" in changed[PROVED].stdout


def parsed(words: list[str]) -> click.Command:
    """Read a command line as the program would, without running it."""
    command: click.Command = main
    context = click.Context(main, info_name="policyguard")
    rest = words[1:]
    while isinstance(command, click.Group):
        found = command.get_command(context, rest[0])
        assert found is not None, words
        command, rest = found, rest[1:]
    command.make_context(command.name, rest, parent=context)
    return command


def test_hooks_and_steps_name_commands_that_exist_with_flags_that_parse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/a.rego").write_text("package a\n")
    monkeypatch.chdir(tmp_path)
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    commands = [
        [
            *shlex.split(hook["entry"]),
            *hook.get("args", []),
            *(["rules/a.rego"] if hook.get("pass_filenames", True) else []),
        ]
        for hook in hooks
    ]
    text = marked_blocks(PAGE)["shell-pipeline"].split("<<'END'\n")[1].split("\nEND")[0]
    for step in yaml.safe_load(text)["jobs"]["rules"]["steps"]:
        words = shlex.split(step.get("run", ""))
        commands += [words] if words[:1] == ["policyguard"] else []

    names = {parsed(words).name for words in commands}

    assert names == {"lint", "test", "prove", "compare"}
    assert {hook["language"] for hook in hooks} == {"python"}
    with pytest.raises(click.UsageError):
        parsed(["policyguard", "policy", "prove", "--no-such-flag"])
