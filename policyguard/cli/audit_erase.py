"""`policyguard audit erase`: erase what is kept of people, and say what was kept."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from policyguard.cli.command_line import UNANSWERED
from policyguard.cli.progress import ProgressBar
from policyguard.cli.terminal import output
from policyguard.cli.trail_option import trail_of, trail_option

if TYPE_CHECKING:
    from policyguard.audit.erasure_plan import Plan
    from policyguard.audit.reader import TrailReader
    from policyguard.vocabulary.record import EraseReason

_REASONS = ("request", "objection", "retention", "order")


@click.command(short_help="Erase what is kept of people or records.")
@click.option("--caller", "callers", metavar="ID", multiple=True, help="Who asked.")
@click.option(
    "--subject",
    "people",
    metavar="ID",
    multiple=True,
    help="Whom calls were about, as `people` in their data said.",
)
@click.option(
    "--record", "records", metavar="ID", multiple=True, help="One record, by its id."
)
@click.option(
    "--reason",
    type=click.Choice(_REASONS),
    default="request",
    show_default=True,
    help="Why: it stands in the order.",
)
@click.option(
    "--key",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The private key that signs the order; settings say which may.",
)
@click.option(
    "--ask-passphrase", "ask", is_flag=True, help="Ask for the passphrase of that key."
)
@click.option("--dry-run", is_flag=True, help="Say what would be erased, and stop.")
@click.option("--yes", is_flag=True, help="Do not ask before erasing.")
@click.option(
    "--finish", is_flag=True, help="Carry out orders that were recorded and cut off."
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@trail_option
@click.pass_context
def erase(
    context: click.Context,
    *,
    callers: tuple[str, ...],
    people: tuple[str, ...],
    records: tuple[str, ...],
    reason: str,
    key: Path | None,
    ask: bool,
    dry_run: bool,
    yes: bool,
    finish: bool,
    as_json: bool,
    directory: Path | None,
) -> None:
    """Erase the content, salts and keys of callers, people or records.

    An order signed with the key is recorded first; it has ids and no content. The log
    still verifies afterwards. What law or a legal hold keeps is not erased, and the
    report says until when. Applications may run meanwhile.

    Exits with 0 if all that was named is erased, and with 2 if something had to be kept
    or is not known.
    """
    from policyguard.audit.erasure_plan import Wanted, plan_erasure
    from policyguard.cli.erase_view import document, print_plan
    from policyguard.cli.erasing import keeping_of, not_reached
    from policyguard.cli.trail_reading import opened_signed
    from policyguard.settings import load_settings

    place = trail_of(directory)
    if finish:
        _finish(place, as_json=as_json)
        return
    if not (callers or people or records):
        raise click.UsageError("say whom or what: --caller, --subject or --record")
    if not dry_run and key is None:
        raise click.UsageError("give the key that signs the order with --key")
    # What was changed may be what keeps a record from being erased.
    reader = opened_signed(place)
    wanted = Wanted(
        callers=frozenset(callers),
        people=frozenset(people),
        records=frozenset(records),
    )
    with ProgressBar() as bar:
        plan = plan_erasure(
            reader,
            wanted,
            keeping=keeping_of(load_settings().trail, reader=reader),
            today=datetime.now(UTC).date(),
            progress=bar.advance,
        )
    orders: list[str] = []
    if key is not None and not dry_run:
        orders = _order(
            plan,
            place=place,
            reader=reader,
            key=key,
            ask=ask,
            reason=cast("EraseReason", reason),
            yes=yes,
        )
    if as_json:
        report = document(
            plan, orders=orders, done=not dry_run, not_reached=not_reached(place)
        )
        click.echo(json.dumps(report, indent=2))
    else:
        print_plan(
            output(),
            plan,
            orders=orders,
            done=not dry_run,
            not_reached=not_reached(place),
        )
    if plan.kept or plan.unknown:
        context.exit(UNANSWERED)


def _order(
    plan: Plan,
    *,
    place: str | Path,
    reader: TrailReader,
    key: Path,
    ask: bool,
    reason: EraseReason,
    yes: bool,
) -> list[str]:
    from policyguard.assembly import keys_of
    from policyguard.audit.erasure import erase as carry_out
    from policyguard.audit.trail import Trail
    from policyguard.cli.erasing import eraser, erasers_of
    from policyguard.cli.trail_reading import lock_of
    from policyguard.settings import load_settings

    erasers = erasers_of(load_settings())
    typed = click.prompt("Passphrase", hide_input=True, err=True) if ask else None
    signer = eraser(
        key, erasers=erasers, passphrase=str(typed).encode() if ask else None
    )
    if plan.empty:
        return []
    if not yes:
        _confirm(plan)
    trail = Trail.open(
        place,
        lock=lock_of(place),
        role="cli",
        keys=keys_of(load_settings()),
    )
    try:
        places = carry_out(
            plan,
            trail=trail,
            reader=reader,
            signer=signer,
            erasers=erasers,
            reason=reason,
        )
    finally:
        trail.close()
    return [f"{item.origin.rpartition('/')[2]}:{item.index}" for item in places]


def _confirm(plan: Plan) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError(
            "nobody can be asked here: give --yes, or --dry-run first"
        )
    what = (
        f"{plan.count} records, {len(plan.callers)} callers, {len(plan.people)} people"
    )
    click.confirm(f"Erase for ever: {what}?", abort=True, err=True)


def _finish(place: str | Path, *, as_json: bool) -> None:
    from policyguard.audit.erasure import finish
    from policyguard.cli.erase_view import document, print_plan
    from policyguard.cli.erasing import known_erasers, not_reached
    from policyguard.cli.trail_reading import opened_signed
    from policyguard.settings import load_settings

    plan = finish(opened_signed(place), erasers=known_erasers(load_settings()) or ())
    if as_json:
        left = not_reached(place)
        found = (
            document(plan, orders=[], done=True, not_reached=left)
            if plan
            else {"done": True}
        )
        click.echo(json.dumps(found, indent=2))
    elif plan is None:
        click.echo("every order was carried out")
    else:
        print_plan(output(), plan, orders=[], done=True, not_reached=not_reached(place))
