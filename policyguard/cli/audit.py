"""`policyguard audit`: list, show, verify and prove what the trail remembers."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from policyguard.cli.audit_erase import erase
from policyguard.cli.audit_export import export, gaps
from policyguard.cli.audit_outside import anchor, monitor
from policyguard.cli.audit_prepare import prepare
from policyguard.cli.audit_prune import prune
from policyguard.cli.audit_query import query
from policyguard.cli.audit_replay import replay
from policyguard.cli.audit_report import report
from policyguard.cli.audit_verify import verify
from policyguard.cli.tampering import TamperingGroup
from policyguard.cli.terminal import output
from policyguard.cli.trail_option import (
    log_option,
    one_log_option,
    trail_of,
    trail_option,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policyguard.cli.trail_reading import Found

_KINDS = (
    "genesis",
    "decision",
    "check",
    "outcome",
    "policy.load",
    "policy.reject",
    "erase",
    "evidence",
    "key.rotate",
    "approval.grant",
    "approval.revoke",
)
_VERDICTS = ("allow", "deny", "require_approval", "unavailable")
_PAGE: Final = 1_000
"""Rows of one table: each is held until its columns are known to fit all rows."""
_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(
    cls=TamperingGroup,
    commands=(
        anchor,
        erase,
        export,
        gaps,
        monitor,
        prepare,
        prune,
        query,
        replay,
        report,
        verify,
    ),
    short_help="Read, verify and prove what the trail remembers.",
)
def audit() -> None:
    """Read, verify and prove what was asked, answered and done.

    Every command exits with 1 if it finds that something is not what was signed, and
    says what; with 2 if it was used wrongly, or cannot tell.
    """


@audit.command("list")
@click.option("--kind", type=click.Choice(_KINDS), help="Only records of this kind.")
@click.option(
    "--verdict", type=click.Choice(_VERDICTS), help="Only decisions with this verdict."
)
@click.option("--call", "call_id", metavar="ID", help="Only records of one call.")
@click.option(
    "--limit", type=click.IntRange(min=1), help="Only so many, the newest ones."
)
@_json_option
@trail_option
def list_(
    *,
    kind: str | None,
    verdict: str | None,
    call_id: str | None,
    limit: int | None,
    as_json: bool,
    directory: str | Path | None,
) -> None:
    """List the records of all logs, oldest first.

    With --json, print one object a line: origin, index and the record.
    """
    from policyguard.cli.audit_view import records_table
    from policyguard.cli.trail_reading import opened_signed, records

    reader = opened_signed(trail_of(directory))
    # Without a limit in order as they come; with one, from the newest, and no further.
    found: Iterable[Found] = (
        item
        for item in records(
            reader, newest_first=limit is not None, holding=call_id or ""
        )
        if (kind is None or item.record.kind == kind)
        and (verdict is None or getattr(item.record, "verdict", None) == verdict)
        and (call_id is None or getattr(item.record, "call_id", None) == call_id)
    )
    if limit is not None:
        found = reversed(list(islice(found, limit)))
    if as_json:
        for item in found:
            click.echo(json.dumps(_document(item)))
        return
    console, rows = output(), iter(found)
    page = list(islice(rows, _PAGE))
    if not page:
        console.print("no records")
    while page:
        console.print(
            records_table(page, width=console.width, several=len(reader.logs) > 1)
        )
        page = list(islice(rows, _PAGE))


@audit.command()
@click.argument("record")
@_json_option
@log_option
@trail_option
def show(
    record: str, *, as_json: bool, origin: str | None, directory: str | Path | None
) -> None:
    """Show one record, and what the vault still knows of it.

    RECORD is an id or the beginning of one, or the entry that `audit list` shows.
    """
    from policyguard.cli.outside_settings import vouchers_of
    from policyguard.cli.outside_view import seen_document
    from policyguard.cli.record_view import content_of, print_record
    from policyguard.cli.trail_reading import find_record, opened_signed, records
    from policyguard.vocabulary.record import EraseRecord

    reader = opened_signed(trail_of(directory))
    found = find_record(reader, record, origin=origin)
    content = content_of(found, reader=reader)
    seen = vouchers_of(reader.trust).of(found.log).seen(found.entry.index)
    if as_json:
        document = _document(found) | {
            "vault": content,
            "seen_by_others": seen_document(seen),
        }
        click.echo(json.dumps(document, indent=2))
        return
    call_id = getattr(found.record, "call_id", None)
    related = [
        item
        for item in (records(reader, holding=call_id) if call_id else ())
        if getattr(item.record, "call_id", None) == call_id
        and item.record.id != found.record.id
    ]
    orders = [
        item
        for item in (records(reader, holding=found.record.id) if not content else ())
        if isinstance(item.record, EraseRecord)
        and found.record.id in item.record.records
    ]
    print_record(
        output(), found, content=content, seen=seen, orders=orders, related=related
    )


@audit.command(short_help="Print the `.tlog-proof` of a record, for anyone to verify.")
@click.argument("record")
@click.option(
    "--out",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the proof, the record's exact bytes and the log's public key there.",
)
@_json_option
@log_option
@trail_option
def prove(
    record: str,
    *,
    folder: Path | None,
    as_json: bool,
    origin: str | None,
    directory: str | Path | None,
) -> None:
    """Print the `.tlog-proof` of a record: its place in the log, for anyone to verify.

    RECORD is an id or the beginning of one, or the entry that `audit list` shows. The
    format is C2SP tlog-proof. If witnesses have cosigned a checkpoint that covers the
    record, the proof is up to that one, with their cosignatures.
    """
    from policyguard.audit.outside.attested import Vouchers
    from policyguard.cli.progress import ProgressBar
    from policyguard.cli.trail_reading import find_record, opened
    from policyguard.errors import TamperedError, VerificationError
    from policyguard.signing.trust_file import TrustedLog
    from policyguard.tlog import verify_proof_file

    reader = opened(trail_of(directory))
    found = find_record(reader, record, origin=origin)
    index = found.entry.index
    cosigned = (
        Vouchers(trust=reader.trust).of(found.log).newest_with_quorum(index=index)
    )
    note = cosigned[1] if cosigned is not None else None
    with ProgressBar() as bar:
        made = found.log.proof(index, checkpoint=note, progress=bar.advance)
    proof = made.format()
    # A proof that does not verify is worse than none.
    try:
        verify_proof_file(proof, leaf_bytes=found.entry.body, vkeys=found.log.vkeys)
    except VerificationError as error:
        raise TamperedError(
            f"the records of {found.log.origin} are not those that its checkpoint"
            f" signs: run `policyguard audit verify`, which names one: {error}"
        ) from error
    if as_json:
        click.echo(json.dumps({**_document(found), "proof": proof}, indent=2))
    if folder is None:
        if not as_json:
            click.echo(proof, nl=False)
        return
    folder.mkdir(parents=True, exist_ok=True)
    keys = tuple(TrustedLog(key=vkey) for vkey in found.log.vkeys)
    trust = replace(reader.trust, logs=keys).format()
    for name, data in (
        (f"{found.record.id}.tlog-proof", proof.encode()),
        (f"{found.record.id}.json", found.entry.body),
        ("trust", trust.encode()),
    ):
        (folder / name).write_bytes(data)
        if not as_json:
            click.echo(str(folder / name))


@audit.command(short_help="Print the newest signed checkpoint as it is.")
@one_log_option
@trail_option
def checkpoint(*, origin: str | None, directory: str | Path | None) -> None:
    """Print the newest signed checkpoint, byte for byte as it is stored.

    Keep it somewhere else: a log that is later shorter, or another one, contradicts it.
    """
    from policyguard.audit.signed_log import signed_head
    from policyguard.cli.trail_reading import chosen_log, opened

    log = chosen_log(opened(trail_of(directory)), origin)
    head = log.head()
    signed_head(log, head=head)
    click.echo(head.note, nl=False)


def _document(found: Found) -> dict[str, object]:
    return {
        "origin": found.entry.origin,
        "index": found.entry.index,
        "record": found.record.model_dump(mode="json"),
    }
