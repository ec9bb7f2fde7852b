"""Writes the few cases that notice all faults of rules, and says what they notice."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click


def write_suite(
    directory: Path,
    file: Path,
    *,
    files: Sequence[str],
    inputs: int,
    strength: int,
    as_json: bool,
) -> None:
    """Write a suite, and say what it notices.

    Args:
        directory: The policy.
        file: Where the suite goes, `*_test.rego`.
        files: Modules; without them all that have a test.
        inputs: How many inputs of each module are looked at, at most.
        strength: Of how many facts each combination of values is in a case; 0: of none.
        as_json: Whether that is printed as JSON.

    Raises:
        ConfigurationError: the file is there already, or is none of tests.
    """
    from policyguard.cli.progress import ProgressBar
    from policyguard.errors import ConfigurationError
    from policyguard.testing.sources import read_policy
    from policyguard.testing.suite import suite

    if not file.name.endswith("_test.rego"):
        raise ConfigurationError(f"`{file}` is no file of tests: name it *_test.rego")
    if file.exists():
        raise ConfigurationError(
            f"`{file}` is there already: remove it, since its cases would be their own"
            " inputs"
        )
    with ProgressBar() as bar:
        found = suite(
            read_policy(directory),
            files=files,
            inputs=inputs,
            strength=strength,
            progress=bar.advance,
        )
    file.write_text(found.text, encoding="utf-8")
    if as_json:
        document = {
            "file": str(file),
            "cases": [
                {"file": case.file, "name": case.name, "notices": case.notices}
                for case in found.cases
            ],
            "killed": len(found.killed),
            "missed": [mutant.title for mutant in found.missed],
            "unshown": found.unshown,
        }
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    click.echo(
        f"{file}: {len(found.cases):,} cases notice {len(found.killed):,} faults, as"
        f" tried; {found.unshown:,} more change no answer on any input at hand"
    )
    for mutant in found.missed:
        click.echo(f"not noticed by the cases as written: {mutant.title}")
