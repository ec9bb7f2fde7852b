"""Makes of each golden table an item of pytest: it holds while no verdict changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from policyguard.errors import PolicyGuardError
from policyguard.settings import load_settings
from policyguard.testing.budget import spending
from policyguard.testing.gates import GoldenTable
from policyguard.testing.golden import compare_golden, golden_text
from policyguard.testing.policies import policy_in


def golden_items(
    session: pytest.Session,
    roots: Iterable[Path],
    tables: Mapping[str, GoldenTable],
) -> Iterator[pytest.Item]:
    """Yield an item for each table and each policy.

    Args:
        session: Of pytest.
        roots: The directories of the policies.
        tables: The tables by their file.
    """
    for root in roots:
        for file, table in tables.items():
            yield GoldenItem.from_parent(
                session, name=f"{root.name}: {file}", root=root, file=file, table=table
            )


class GoldenItem(pytest.Item):
    """Is the demand that a table of verdicts stays as it was kept."""

    def __init__(
        self, *, root: Path, file: str, table: GoldenTable, **rest: Any
    ) -> None:
        super().__init__(**rest)
        self.root = root
        self.file = file
        self.table = table

    def runtest(self) -> None:
        """Ask for the table, and compare it with the kept one, or keep it."""
        kept = self.config.rootpath / self.file
        try:
            policy = policy_in(self.root, load_settings(None))
            with spending() as look:
                now = golden_text(
                    policy,
                    self.table,
                    progress=lambda _, done, total: look(f"at cell {done} of {total}"),
                )
            if self.config.getoption("--policy-golden-update"):
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_text(now, "utf-8")
                return
            diff = compare_golden(kept, now)
        except PolicyGuardError as error:
            pytest.fail(str(error), pytrace=False)
        if diff is not None:
            pytest.fail(
                f"{diff.text(file=self.file)}\nif that is meant, write it anew with"
                " --policy-golden-update and commit it",
                pytrace=False,
            )

    def reportinfo(self) -> tuple[Path, None, str]:
        """Say of which policy it speaks."""
        return self.root, None, self.name
