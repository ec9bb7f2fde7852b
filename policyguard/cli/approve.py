"""`policyguard approve`: a person allows what a rule wants a person to decide.

`policyguard approvals list` shows what was approved, by whom, and what became of it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from policyguard.cli.terminal import output
from policyguard.errors import ConfigurationError

if TYPE_CHECKING:
    from policyguard.guard.granting import Desk
    from policyguard.signing.signer import Signer
    from policyguard.vocabulary.record import DecisionRecord

_MOST_USES: Final = 1_000_000
_SPAN: Final = re.compile(r"([1-9][0-9]{0,3})([dh])")
_config_option: Final = click.option(
    "--config",
    metavar="FILE",
    help="A policyguard.toml; without it the one that POLICYGUARD_CONFIG names.",
)


@click.command(short_help="Approve a call that a rule wants a person to decide.")
@click.argument("name", metavar="ID")
@click.option(
    "--by", metavar="NAME", required=True, help="Who approves: your key's name."
)
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    required=True,
    help="Your private key, as `policyguard keys generate` makes it.",
)
@click.option("--reason", required=True, help="Why; it is kept with the approval.")
@click.option(
    "--until",
    metavar="INSTANT",
    help="When it ends: 7d, 12h, 2026-12-01 or 2026-12-01T12:00:00Z; at most 366 days"
    " away.",
)
@click.option("--rule", metavar="RULE", help="Which rule, if several ask for approval.")
@click.option(
    "--finding",
    type=click.IntRange(min=1),
    help="Which of its findings, if the rule has several; counted from 1.",
)
@click.option(
    "--uses",
    type=click.IntRange(min=1, max=_MOST_USES),
    default=1,
    show_default=True,
    help="How many calls it allows.",
)
@click.option(
    "--revoke", is_flag=True, help="Take an approval back; ID is then the approval's."
)
@click.option("--yes", is_flag=True, help="Sign without being asked again.")
@click.option(
    "--ask-passphrase",
    "--passphrase",
    "passphrase",
    is_flag=True,
    help="Ask for the passphrase of the key.",
)
@_config_option
def approve(
    *,
    name: str,
    by: str,
    key: Path,
    reason: str,
    until: str | None,
    rule: str | None,
    finding: int | None,
    uses: int,
    revoke: bool,
    yes: bool,
    passphrase: bool,
    config: str | None,
) -> None:
    """Approve one finding of a decision, for calls like that one alone.

    ID is a decision whose verdict is `require_approval`, as `policyguard audit list`
    shows it. The approval holds for the same caller, tenant, rule and finding, model,
    route, data classes, purpose and policy, until it ends or is used up. It lifts no
    denial, and nobody approves a call of their own.
    """
    from policyguard.cli.approvals_view import print_approval
    from policyguard.guard.granting import Terms
    from policyguard.signing.ed25519 import Ed25519Signer

    secret = (
        click.prompt("passphrase", hide_input=True, err=True) if passphrase else None
    )
    signer: Signer = Ed25519Signer.load(
        key, key_name=by, passphrase=secret.encode() if secret else None
    )
    with _desk(config) as desk:
        if revoke:
            desk.revoke(name, signer=signer, reason=reason)
            click.echo(f"revoked: approval {name} lifts nothing from now on")
            return
        drafted = desk.draft(
            name,
            terms=Terms(by=by, reason=reason, until=end_of(until), uses=uses),
            rule=rule,
            finding=finding,
        )
        print_approval(output(), drafted)
        if not yes:
            click.confirm("sign this?", abort=True, err=True)
        desk.grant(drafted, signer=signer)
    click.echo(f"approved: {drafted.id}")


@click.group(short_help="Show what people have approved.")
def approvals() -> None:
    """Show what people have approved."""


@approvals.command("list", short_help="List approvals that hold.")
@click.option("--all", "everything", is_flag=True, help="Also those that hold no more.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
@_config_option
def list_(*, everything: bool, as_json: bool, config: str | None) -> None:
    """List approvals that hold: rule, route, uses, end, and who signed them."""
    from policyguard.assembly import bundle_of
    from policyguard.assembly_authority import approvals_of
    from policyguard.cli.approvals_view import approvals_table
    from policyguard.settings import load_settings

    now, settings = datetime.now(UTC), load_settings(config)
    kept = [
        item
        for item in approvals_of(settings, bundle=bundle_of(settings)).listing()
        if everything or item.state(at=now) == "holds"
    ]
    if as_json:
        for item in kept:
            document: dict[str, Any] = {
                "state": item.state(at=now),
                "used": item.used,
                "approval": item.approval.model_dump(mode="json"),
                "revocation": (
                    item.revocation.model_dump(mode="json") if item.revocation else None
                ),
            }
            click.echo(json.dumps(document))
        return
    console = output()
    console.print(approvals_table(kept, at=now) if kept else "no approvals")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """Is a decision as the trail remembers it."""

    record: DecisionRecord
    content: dict[str, Any] | None
    caller: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Archive:
    """Finds decisions in a trail."""

    place: str | Path

    def find(self, name: str) -> _Read:
        """Return the decision with an id or the beginning of one."""
        from policyguard.cli.record_view import content_of
        from policyguard.cli.trail_reading import find_record, opened_signed
        from policyguard.vocabulary.record import DecisionRecord

        reader = opened_signed(self.place)
        found = find_record(reader, name, origin=None)
        if not isinstance(found.record, DecisionRecord):
            raise ConfigurationError(
                f"`{name}` is a record of kind `{found.record.kind}`: give a decision"
            )
        content = content_of(found, reader=reader)
        caller = found.record.caller
        return _Read(
            record=found.record,
            content=content,
            caller=reader.caller(caller) if caller else None,
        )


def _desk(config: str | None) -> Desk:
    from policyguard.assembly import build_core
    from policyguard.assembly_authority import approvals_of
    from policyguard.guard.granting import Desk
    from policyguard.settings import load_settings

    settings = load_settings(config)
    core = build_core(settings=settings, role="cli")
    approvals = approvals_of(settings, bundle=core.bundle)
    return Desk(
        archive=_Archive(place=settings.trail.url or core.trail.directory),
        approvals=approvals,
        trail=core.trail,
        bundle=core.snapshot.bundle_digest,
    )


def end_of(text: str | None) -> datetime:
    """Return the instant at which something that a person signs ends.

    Raises:
        ConfigurationError: it is none.
    """
    if text is None:
        raise ConfigurationError(
            "an approval has an end: give `--until`, as 2026-12-01"
        )
    span = _SPAN.fullmatch(text)
    if span is not None:
        length = {"d": timedelta(days=1), "h": timedelta(hours=1)}[span[2]]
        return datetime.now(UTC) + int(span[1]) * length
    try:
        given = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(
            f"`{text}` is no end: write 7d, 2026-12-01 or 2026-12-01T12:00:00Z"
        ) from error
    return given if given.tzinfo else given.replace(tzinfo=UTC)
