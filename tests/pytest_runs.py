"""Runs pytest on projects of tests, in this process: to start one takes three seconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest

QUIET = ("-p", "no:randomly", "-p", "no:cacheprovider")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """Is what became of a run."""

    returncode: int
    stdout: str


Run: TypeAlias = Callable[..., Ran]


@pytest.fixture
def ran(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return what runs pytest in a project, with some options."""

    def run(project: Path, *options: str) -> Ran:
        monkeypatch.chdir(project)
        done = pytester.runpytest_inprocess(f"--rootdir={project}", *QUIET, *options)
        output = f"{done.stdout.str()}\n{done.stderr.str()}"
        return Ran(returncode=int(done.ret), stdout=output)

    return run
