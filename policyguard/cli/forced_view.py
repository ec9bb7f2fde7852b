"""Shows what forces a verdict: for operators, never for callers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from policyguard.engines.protocol import PolicySet
    from policyguard.testing.forcing import Forced, Reason
    from policyguard.vocabulary.call import ModelCall

_UNDECIDED: Final = 2


def show_forced(policy: PolicySet, call: ModelCall, *, as_json: bool) -> int:
    """Show what forces the verdict of a call, and return the exit code.

    Args:
        policy: Rules and catalog.
        call: The call.
        as_json: Whether it is printed as JSON.
    """
    from policyguard.cli.progress import ProgressBar
    from policyguard.testing.forcing import document_of, forced

    with ProgressBar() as bar:
        found = forced(policy, call, progress=bar.advance)
    if as_json:
        click.echo(json.dumps(document_of(found), indent=2, ensure_ascii=False))
    else:
        _print(found)
    return _UNDECIDED if found.untold else 0


def _print(found: Forced) -> None:
    from policyguard.cli.matrix_view import grouped
    from policyguard.cli.terminal import VERDICT_STYLE, output

    console = output()
    verdict = found.answer.verdict
    console.print(
        f"{verdict} by {', '.join(found.answer.rules)}", style=VERDICT_STYLE[verdict]
    )
    console.print("each of these forces it, whatever all other facts are:")
    for reason in found.reasons:
        _print_reason(reason)
    for rule, why in found.untold.items():
        console.print(f"{rule}: not found: {why}", style="bold yellow", soft_wrap=True)
    console.print()
    console.print("stays as it is in all of them", style="bold")
    console.print(grouped(dict(found.given)))
    console.print(
        f"{found.evaluations:,} whole evaluations agree; bundle"
        f" {found.bundle_digest[:12]}, catalog {found.catalog_digest[:12]}. For"
        " operators: callers are not told.",
        style="dim",
    )


def _print_reason(reason: Reason) -> None:
    from policyguard.cli.terminal import output, printable

    console = output()
    console.print()
    console.print(f"{reason.rule}: {', '.join(reason.effects)}", style="bold")
    for name, value in reason.facts.items():
        console.print(printable(f"  {name} = {value}"), soft_wrap=True)
    if reason.held:
        held = " · ".join(f"{name} = {value}" for name, value in reason.held.items())
        text = f"  proved only where this stays, too: {held}"
        console.print(printable(text), style="yellow", soft_wrap=True)
    if not reason.smallest:
        console.print("  a set of fewer facts may force it, too", style="yellow")
