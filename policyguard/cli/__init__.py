"""The command line: check calls, read rules, read and verify the trail, run the demo.

Each group of commands is a module. What a command needs is imported when it runs, so
that `policyguard --help` answers at once.
"""

from __future__ import annotations

import click

from policyguard.cli.approve import approvals, approve
from policyguard.cli.audit import audit
from policyguard.cli.bundle import bundle
from policyguard.cli.catalog import catalog
from policyguard.cli.check import check
from policyguard.cli.command_line import CommandLine
from policyguard.cli.demo import demo
from policyguard.cli.doctor import doctor
from policyguard.cli.keys import keys
from policyguard.cli.policy import policy
from policyguard.cli.version import version
from policyguard.cli.weights import weights

__all__ = ["main"]


@click.group(
    cls=CommandLine,
    name="policyguard",
    context_settings={"help_option_names": ["-h", "--help"]},
    commands=(
        approvals,
        approve,
        audit,
        bundle,
        catalog,
        check,
        demo,
        doctor,
        keys,
        policy,
        version,
        weights,
    ),
)
def main() -> None:
    """Ask before each model call whether it may be made, and prove it later.

    Exit codes: 0 for yes, 1 for no, 2 for a question that could not be answered. An
    error is one line that says what to do.
    """
