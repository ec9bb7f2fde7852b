"""The wheel is whole: built, installed without the checkout, and it runs the demo."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest
from house.repository import ROOT, marked_blocks
from house.test_readme import RUNNER, steady

POLICIES = "policyguard/policies/"


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    # Neither the checkout nor the settings of whoever runs the tests may help.
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "POLICYGUARD_"))
    }
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**kept, "HOME": str(cwd), "XDG_DATA_HOME": str(cwd / "data")},
        capture_output=True,
        text=True,
        timeout=540,
        check=False,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("dist")
    command = (sys.executable, "-m", "build", "--wheel", "--no-isolation")
    done = subprocess.run(
        [*command, "--outdir", str(target), str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = target.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_the_wheel_has_the_policies_and_no_tests(names: list[str]) -> None:
    shipped = {name.removeprefix(POLICIES) for name in names if POLICIES in name}
    written = {
        path.relative_to(ROOT / "policies").as_posix()
        for path in (ROOT / "policies").rglob("*")
        if path.is_file() and not path.name.endswith("_test.rego")
    }

    assert shipped == written
    assert {".manifest", "golden/vectors.json"} <= shipped


def test_the_wheel_has_every_module_and_nothing_else(names: list[str]) -> None:
    shipped = {
        name
        for name in names
        if not name.startswith(POLICIES) and ".dist-info/" not in name
    }
    written = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "policyguard").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert shipped == written
    assert "policyguard/py.typed" in shipped


def test_the_wheel_carries_licence_and_notice(names: list[str]) -> None:
    carried = {name.rpartition("/")[2] for name in names if "/licenses/" in name}

    assert carried == {"LICENSE", "NOTICE"}


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel as a newcomer would, and return where its programs are."""
    home = tmp_path_factory.mktemp("venv")
    venv.create(home, with_pip=True)
    lock = ROOT / "requirements/demo.lock"
    pip = (home / "bin/python", "-m", "pip", "install", "--quiet")
    quiet = "--disable-pip-version-check"
    for what in (("--require-hashes", "-r", lock), ("--no-deps", wheel)):
        done = run(*pip, quiet, *what, cwd=home)
        assert done.returncode == 0, done.stdout + done.stderr
    return home / "bin"


def test_the_demo_runs_from_the_installed_wheel(programs: Path, tmp_path: Path) -> None:
    command = programs / "policyguard"

    version = run(command, "version", cwd=tmp_path)
    demo = run(command, "demo", "--dir", tmp_path / "demo", cwd=tmp_path)
    verified = run(
        command, "audit", "verify", "--trail", tmp_path / "demo/trail", cwd=tmp_path
    )

    assert (version.returncode, version.stderr) == (0, "")
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "GDPR-01" in demo.stdout
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_the_first_ten_minutes_of_the_readme_need_the_wheel_alone(
    programs: Path, tmp_path: Path
) -> None:
    blocks = marked_blocks(ROOT / "README.md")
    page = tmp_path / "page.py"
    page.write_text(f"{blocks['first-denial']}\n{blocks['three-lines']}\n", "utf-8")
    shown = f"{blocks['first-denial-output']}\n{blocks['three-lines-output']}"

    done = run(programs / "python", "-I", RUNNER, page, cwd=tmp_path)
    listed = run(programs / "policyguard", "audit", "list", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert steady(done.stdout) == steady(shown)
    assert listed.returncode == 0, listed.stderr
    assert [word in listed.stdout for word in ("require_approval", "allow")] == [
        True,
        True,
    ]
