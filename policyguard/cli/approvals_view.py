"""How approvals look: the one that is about to be signed, and a table of many."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from rich.table import Table
from rich.text import Text

from policyguard.cli.audit_view import short_id
from policyguard.cli.terminal import plain_table, printable

if TYPE_CHECKING:
    from rich.console import Console

    from policyguard.authority.approvals import Kept
    from policyguard.vocabulary.approval import Approval

_STYLE: Final = {"holds": "green", "revoked": "red", "expired": "dim", "used up": "dim"}


def print_approval(console: Console, approval: Approval) -> None:
    """Print what a person is about to sign."""
    console.print(Text.assemble(("approve ", "bold"), (approval.rule, "bold cyan")))
    table = Table.grid(padding=(0, 2, 0, 2))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in (
        ("what it found", approval.msg),
        ("missing", " · ".join(approval.missing)),
        ("asked for", _asked(approval)),
        ("route", _route(approval)),
        ("data", ", ".join(approval.data_classes or ("unknown",))),
        ("purpose", approval.purpose or "unknown"),
        ("tenant", approval.tenant),
        ("caller", f"pseudonym {approval.caller}"),
        ("policy", approval.bundle),
        ("until", f"{approval.until:%Y-%m-%d %H:%M}Z"),
        ("uses", str(approval.uses)),
        ("reason", approval.reason),
        ("approver", approval.approver),
    ):
        if text:
            table.add_row(name, printable(text))
    console.print(table)


def approvals_table(kept: Sequence[Kept], *, at: datetime) -> Table:
    """Return a table of approvals, one a row."""
    table = plain_table()
    table.add_column("approval", no_wrap=True)
    table.add_column("rule", no_wrap=True)
    table.add_column("for", overflow="fold")
    table.add_column("uses", justify="right", no_wrap=True)
    table.add_column("until", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for item in kept:
        approval, state = item.approval, item.state(at=at)
        table.add_row(
            Text(short_id(approval.id)),
            Text(approval.rule),
            Text.assemble(
                printable(_route(approval)),
                ("\n" + printable(f"by {approval.approver}: {approval.reason}"), "dim"),
            ),
            Text(f"{item.used}/{approval.uses}"),
            Text(f"{approval.until:%Y-%m-%d}"),
            Text(state, _STYLE[state]),
        )
    return table


def _route(approval: Approval) -> str:
    return ", ".join(item or "an unknown deployment" for item in approval.route)


def _asked(approval: Approval) -> str:
    model = approval.asked_model or "an unknown model"
    return f"{model} at {approval.asked_host}" if approval.asked_host else model
