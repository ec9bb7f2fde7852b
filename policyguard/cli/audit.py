"""`policyguard audit`: list, show, verify and prove what the trail remembers."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from policyguard.cli.audit_export import export, gaps, verify_exported
from policyguard.cli.command_line import UNANSWERED, one_line
from policyguard.cli.progress import ProgressBar
from policyguard.cli.terminal import output
from policyguard.cli.trail_option import log_option, trail_of, trail_option

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policyguard.audit.verify import Verified
    from policyguard.cli.trail_reading import Found

TAMPERED = 1
_KINDS = ("genesis", "decision", "check", "outcome")
_VERDICTS = ("allow", "deny", "require_approval", "unavailable")
_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(
    commands=(export, gaps),
    short_help="Read, verify and prove what the trail remembers.",
)
def audit() -> None:
    """Read, verify and prove what was asked, answered and done."""


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
    directory: Path | None,
) -> None:
    """List the records of all logs, oldest first.

    With --json, print one object a line: origin, index and the record.
    """
    from policyguard.cli.audit_view import records_table
    from policyguard.cli.trail_reading import opened, records

    reader = opened(trail_of(directory))
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
    console, shown = output(), list(found)
    table = records_table(shown, width=console.width) if shown else "no records"
    console.print(table)


@audit.command()
@click.argument("record")
@_json_option
@log_option
@trail_option
def show(
    record: str, *, as_json: bool, origin: str | None, directory: Path | None
) -> None:
    """Show one record, and what the vault still knows of it.

    RECORD is an id or the beginning of one, or the entry that `audit list` shows.
    """
    from policyguard.cli.record_view import content_of, print_record
    from policyguard.cli.trail_reading import find_record, opened, records

    reader = opened(trail_of(directory))
    found = find_record(reader, record, origin=origin)
    content = content_of(found, reader=reader)
    if as_json:
        document = _document(found) | {"vault": content}
        click.echo(json.dumps(document, indent=2))
        return
    call_id = getattr(found.record, "call_id", None)
    related = [
        item
        for item in (records(reader, holding=call_id) if call_id else ())
        if getattr(item.record, "call_id", None) == call_id
        and item.record.id != found.record.id
    ]
    print_record(output(), found, content=content, related=related)


@audit.command()
@click.option(
    "--exported",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Verify what `audit export` wrote there, instead of a trail.",
)
@click.option(
    "--trust",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The public keys that you trust, for --exported.",
)
@click.option(
    "--lock",
    "lock",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The directory of the lock database; without it where settings put it, or"
    " beside the trail.",
)
@_json_option
@trail_option
@click.pass_context
def verify(
    context: click.Context,
    *,
    lock: Path | None,
    exported: Path | None,
    trust: Path | None,
    as_json: bool,
    directory: Path | None,
) -> None:
    """Verify every record, checkpoint and content of the trail.

    Exits with 0 if it is intact, with 1 if something was changed, which is named, and
    with 2 if it cannot be told: there is no trail, or content is gone from the vault.
    An export is verified from its files and the trusted keys alone.
    """
    from policyguard.audit.verify import verify_trail
    from policyguard.cli.audit_view import print_verified, tampered
    from policyguard.cli.trail_reading import lock_of
    from policyguard.errors import TamperedError

    place = trail_of(directory)
    try:
        with ProgressBar() as bar:
            if exported is not None:
                verified = verify_exported(exported, trust=_given(trust), bar=bar)
            else:
                verified = verify_trail(
                    place, lock=lock or lock_of(place), progress=bar.advance
                )
    except TamperedError as error:
        reason = one_line(str(error))
        if as_json:
            click.echo(json.dumps({"intact": False, "reason": reason}, indent=2))
        else:
            output().print(tampered(reason), soft_wrap=True)
        context.exit(TAMPERED)
    if as_json:
        click.echo(json.dumps(_verified_document(verified), indent=2))
    else:
        print_verified(output(), verified)
    if verified.erased:
        context.exit(UNANSWERED)


@audit.command(short_help="Print the `.tlog-proof` of a record, for anyone to verify.")
@click.argument("record")
@click.option(
    "--out",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the proof, the record's exact bytes and the log's public key there.",
)
@log_option
@trail_option
def prove(
    record: str, *, folder: Path | None, origin: str | None, directory: Path | None
) -> None:
    """Print the `.tlog-proof` of a record: its place in the log, for anyone to verify.

    RECORD is an id or the beginning of one, or the entry that `audit list` shows. The
    format is C2SP tlog-proof.
    """
    from policyguard.cli.trail_reading import find_record, opened
    from policyguard.signing.trust_file import TrustedLog, TrustFile
    from policyguard.tlog import verify_proof_file

    found = find_record(opened(trail_of(directory)), record, origin=origin)
    proof = found.log.proof(found.entry.index).format()
    # A proof that does not verify is worse than none.
    verify_proof_file(proof, leaf_bytes=found.entry.body, vkeys=[found.log.vkey])
    if folder is None:
        click.echo(proof, nl=False)
        return
    folder.mkdir(parents=True, exist_ok=True)
    trust = TrustFile(logs=(TrustedLog(key=found.log.vkey),)).format()
    for name, data in (
        (f"{found.record.id}.tlog-proof", proof.encode()),
        (f"{found.record.id}.json", found.entry.body),
        ("trust", trust.encode()),
    ):
        (folder / name).write_bytes(data)
        click.echo(str(folder / name))


@audit.command(short_help="Print the newest signed checkpoint as it is.")
@log_option
@trail_option
def checkpoint(*, origin: str | None, directory: Path | None) -> None:
    """Print the newest signed checkpoint, byte for byte as it is stored.

    Keep it somewhere else: a log that is later shorter, or another one, contradicts it.
    """
    from policyguard.cli.trail_reading import chosen_log, opened

    log = chosen_log(opened(trail_of(directory)), origin)
    click.echo(log.head().note, nl=False)


def _given(trust: Path | None) -> Path:
    if trust is None:
        raise click.UsageError(
            "give the file of trusted keys with --trust: not the one that came with the"
            " export, which proves nothing"
        )
    return trust


def _document(found: Found) -> dict[str, object]:
    return {
        "origin": found.entry.origin,
        "index": found.entry.index,
        "record": found.record.model_dump(mode="json"),
    }


def _verified_document(verified: Verified) -> dict[str, object]:
    return {
        "intact": True,
        "logs": [
            {"origin": origin, "size": size, "root": root.hex()}
            for origin, size, root in verified.logs
        ],
        "checkpoints": verified.checkpoints,
        "erased": verified.erased,
        "pending": verified.pending,
        "lock_database": verified.memory,
    }
