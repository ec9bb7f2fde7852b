"""Makes items of pytest of two demands: the mutation score, and no new access."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import pytest

from policyguard.errors import PolicyGuardError
from policyguard.settings import load_settings
from policyguard.testing.budget import spending
from policyguard.testing.compare import compare
from policyguard.testing.mutate import mutate
from policyguard.testing.policies import policy_at, policy_in
from policyguard.testing.sources import read_policy


class MutationItem(pytest.Item):
    """Is the demand that the tests kill enough mutants."""

    def __init__(self, *, root: Path, least: float, **rest: Any) -> None:
        super().__init__(**rest)
        self.root = root
        self.least = least

    def runtest(self) -> None:
        """Make the mutants, run each rule's own tests, and compare the score."""
        with spending() as look:
            try:
                report = mutate(
                    read_policy(self.root),
                    progress=lambda file, done, total: look(
                        f"at mutant {done} of {total} of {file}"
                    ),
                )
            except PolicyGuardError as error:
                _fail(str(error))
        if report.score * 100 < self.least:
            _fail(f"{report.text()}\n{self.least:g} % are demanded")

    def reportinfo(self) -> tuple[Path, None, str]:
        """Say of which policy it speaks."""
        return self.root, None, self.name


class AgainstItem(pytest.Item):
    """Is the demand that nothing is opened that was closed in a revision of git."""

    def __init__(self, *, root: Path, revision: str, **rest: Any) -> None:
        super().__init__(**rest)
        self.root = root
        self.revision = revision

    def runtest(self) -> None:
        """Compare the policy as it is with what it was."""
        settings = load_settings(None)
        with spending() as look:
            try:
                diff = compare(
                    policy_at(self.root, self.revision, settings),
                    policy_in(self.root, settings),
                    progress=lambda _, done, total: look(
                        f"after {done} of {total} changed rules"
                    ),
                )
            except PolicyGuardError as error:
                _fail(str(error))
        shown = "\n".join(
            f"{', '.join(flip.before)} before, and nothing objects now, to"
            f" {dict(flip.facts)}"
            for flip in diff.access
        )
        if shown and self.config.getoption("--policy-accept-new-access"):
            pytest.xfail(f"accepted: {shown}")
        elif shown:
            _fail(f"{shown}\nno new access against {self.revision} is demanded")

    def reportinfo(self) -> tuple[Path, None, str]:
        """Say of which policy it speaks."""
        return self.root, None, self.name


def _fail(report: str) -> NoReturn:
    # A traceback through the kit says nothing of a rule.
    pytest.fail(report, pytrace=False)
