"""`policyguard audit export` and `gaps`: hand a trail out, and see what never ended."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from policyguard.cli.progress import ProgressBar
from policyguard.cli.terminal import output
from policyguard.cli.trail_option import log_option, trail_of, trail_option

TRUST: Final = "trust"


@click.command(
    short_help="Write the logs as C2SP tiles, for anyone to serve and verify."
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@log_option
@trail_option
def export(folder: Path, *, origin: str | None, directory: Path | None) -> None:
    """Write the logs to DIR as tiles, and what is new when DIR has an older export.

    Each log is a folder of C2SP tlog-tiles: a signed checkpoint, hash tiles and the
    records themselves. No personal data is in them; the vault stays where it is. Verify
    with `policyguard audit verify DIR --trust FILE`, or with tools that are
    not ours.
    """
    from policyguard.audit.export.tiles import export_tiles
    from policyguard.audit.layout import make_folder, write_small
    from policyguard.cli.trail_reading import opened

    reader = opened(trail_of(directory))
    logs = [reader.log(origin)] if origin else list(reader.logs)
    make_folder(folder)
    with ProgressBar() as bar:
        for log in logs:
            done = export_tiles(log, folder / log.slot, progress=bar.advance)
            new = done.checkpoint.size - done.before
            click.echo(
                f"{folder / log.slot}: {done.checkpoint.size} records, {new} of them"
                f" new, {done.files} files written"
            )
    write_small(folder / TRUST, reader.source.trust().format().encode())
    click.echo(
        f"{folder / TRUST}: the public keys: hand them to an auditor by another way"
    )


@click.command(short_help="List allowed calls of which no end is recorded.")
@click.option("--json", "as_json", is_flag=True, help="Print one record a line.")
@trail_option
def gaps(*, as_json: bool, directory: Path | None) -> None:
    """List decisions that allowed a call and have no outcome.

    Such a call is still running, or its process was cut off before it could say how
    the call ended.
    """
    from policyguard.cli.audit_view import records_table
    from policyguard.cli.trail_reading import opened, records
    from policyguard.vocabulary.record import DecisionRecord, OutcomeRecord

    allowed = {}
    ended = set()
    for item in records(opened(trail_of(directory))):
        if isinstance(item.record, OutcomeRecord):
            ended.add(item.record.decision)
        elif (
            isinstance(item.record, DecisionRecord)
            and item.record.kind == "decision"
            and item.record.verdict == "allow"
        ):
            allowed[item.record.id] = item
    left = [item for name, item in allowed.items() if name not in ended]
    if as_json:
        for item in left:
            click.echo(item.entry.body.decode("utf-8"))
        return
    console = output()
    shown = records_table(left, width=console.width) if left else "no gaps"
    console.print(shown)
