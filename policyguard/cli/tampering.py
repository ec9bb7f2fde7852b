"""How every `audit` command says that something is not what was signed: exit code 1.

An auditor's script reads exit codes: 1 is an alarm, and 2 is a question that could not
be answered. So a command that finds a changed record on its way to something else ends
as `audit verify` would.
"""

from __future__ import annotations

import json
from typing import Any, Final

import click

from policyguard.cli.command_line import one_line

TAMPERED: Final = 1
_JSON: Final = "policyguard.json"


class TamperingGroup(click.Group):
    """Is a group of commands whose exit code 1 means that something was changed."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command, and remember whether a program will read what it prints."""
        ctx.meta[_JSON] = "--json" in args
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what is tampered with ends it with 1."""
        from policyguard.errors import TamperedError

        try:
            return super().invoke(ctx)
        except TamperedError as error:
            say_tampered(str(error), as_json=ctx.meta[_JSON])
            ctx.exit(TAMPERED)


def say_tampered(reason: str, *, as_json: bool) -> None:
    """Print what was changed, for a program or for a person."""
    reason = one_line(reason)
    if as_json:
        click.echo(json.dumps({"intact": False, "reason": reason}, indent=2))
        return
    from policyguard.cli.audit_view import tampered
    from policyguard.cli.terminal import output

    output().print(tampered(reason), soft_wrap=True)
