"""`policyguard audit export` and `gaps`: hand a trail out, and see what never ended."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import click

from policyguard.cli.progress import ProgressBar
from policyguard.cli.terminal import output
from policyguard.cli.trail_option import log_option, trail_of, trail_option

if TYPE_CHECKING:
    from policyguard.audit.reader import Log
    from policyguard.cli.trail_reading import Found

TRUST: Final = "trust"
_Said: TypeAlias = tuple[Mapping[str, object], str]
"""What was done, for programs and for people."""
_FORMATS: Final = ("tiles", "jsonl", "opa")


@click.command(short_help="Write the trail in forms that others read and verify.")
@click.argument(
    "folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path)
)
@click.option(
    "--format",
    "form",
    type=click.Choice(_FORMATS),
    default="tiles",
    show_default=True,
    help="C2SP tlog-tiles, exact leaves as JSON lines, or events of OPA's decision log.",
)
@click.option("--to", "url", metavar="URL", help="Send OPA's events to a collector.")
@click.option(
    "--token-file",
    "token",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The collector's bearer token.",
)
@click.option(
    "--after",
    metavar="LOG:ENTRY,…",
    help="Only events behind these records, where an earlier export ended in each log.",
)
@click.option(
    "--mask",
    "masked",
    metavar="POINTER",
    multiple=True,
    help="Leave this out of events, too, as `/input/model` (RFC 6901).",
)
@click.option(
    "--unmasked", is_flag=True, help="Leave in what is left out of events by default."
)
@click.option("--json", "as_json", is_flag=True, help="Print one object a line.")
@log_option
@trail_option
def export(
    folder: Path | None,
    *,
    form: str,
    url: str | None,
    token: Path | None,
    after: str | None,
    masked: tuple[str, ...],
    unmasked: bool,
    as_json: bool,
    origin: str | None,
    directory: str | Path | None,
) -> None:
    """Write the logs to DIR, or send their decisions to a collector.

    `tiles` and `jsonl` verify themselves: a signed checkpoint and the exact records,
    without personal data. Tiles add what is new to an older export. Verify with
    `policyguard audit verify DIR --trust FILE`, or with tools that are not ours.

    `opa` has one event for each decision, with what the vault has of the question.
    Callers, what clients typed and what people wrote is left out, and named in `erased`.
    """
    from policyguard.cli.trail_reading import opened, opened_signed

    # The other forms are compared with what was signed while they are written.
    reader = (opened_signed if form == "opa" else opened)(trail_of(directory))
    logs = [reader.log(origin)] if origin else list(reader.logs)
    if form == "opa":
        mask = (*(() if unmasked else _default_mask()), *masked)
        sent = _events(
            logs, folder=folder, url=url, token=token, after=after, mask=mask
        )
        for document, said in sent:
            click.echo(json.dumps(document) if as_json else said)
        return
    if url or token or after or masked or unmasked:
        raise click.UsageError(
            "--to, --token-file, --after and masks are for `--format opa`"
        )
    if folder is None:
        raise click.UsageError("give the directory to write to")
    trust = reader.trust.format()
    with ProgressBar() as bar:
        write = _lines if form == "jsonl" else _tiles
        for document, said in write(logs, folder, bar=bar):
            click.echo(json.dumps(document) if as_json else said)
    _write_trust(folder, trust, quiet=as_json)


def _default_mask() -> tuple[str, ...]:
    from policyguard.audit.export.opa_events import DEFAULT_MASK

    return DEFAULT_MASK


def _tiles(logs: Sequence[Log], folder: Path, *, bar: ProgressBar) -> Iterator[_Said]:
    from policyguard.audit.export.tiles import export_tiles
    from policyguard.audit.layout import make_folder
    from policyguard.audit.outside.shelf import Shelf

    make_folder(folder)
    for log in logs:
        if (folder / log.slot / "records.jsonl").exists():
            raise click.UsageError(
                f"`{folder / log.slot}` has an export as lines: give each format a"
                " directory of its own"
            )
        done = export_tiles(
            log,
            folder / log.slot,
            shelf=Shelf(cabinet=log.outside),
            progress=bar.advance,
        )
        new = done.checkpoint.size - done.before
        document = {"origin": log.origin, "records": done.checkpoint.size, "new": new}
        said = f"{done.checkpoint.size} records, {new} of them new"
        yield (
            {**document, "files": done.files},
            f"{folder / log.slot}: {said}, {done.files} files written",
        )


def _lines(logs: Sequence[Log], folder: Path, *, bar: ProgressBar) -> Iterator[_Said]:
    from policyguard.cli.export_formats import write_lines

    for done in write_lines(logs, folder, bar=bar):
        document = {"where": done.where, "records": done.records}
        yield document, f"{done.where}: {done.records} records"


def _events(
    logs: Sequence[Log],
    *,
    folder: Path | None,
    url: str | None,
    token: Path | None,
    after: str | None,
    mask: Sequence[str],
) -> Iterator[_Said]:
    from policyguard.cli.export_formats import Events, send_events, write_events

    if (folder is None) == (url is None):
        raise click.UsageError("give a directory, or a collector with --to")
    with ProgressBar() as bar:
        events = Events(logs=logs, after=after, mask=mask, bar=bar)
        if folder is not None:
            done = write_events(events, folder)
            yield _said(done.where, done.records, done.after)
            return
        count = 0
        for part in send_events(events, url=url or "", token=token):
            count = part.records
            yield _said(part.where, part.records, part.after)
    if not count:
        yield _said(url or "", 0, events.cursor(0))


def _said(where: str, count: int, after: str | None) -> _Said:
    on = f"; go on with --after {after}" if after else ""
    document = {"where": where, "events": count, "after": after}
    return document, f"{where}: {count} events{on}"


def _write_trust(folder: Path, trust: str, *, quiet: bool) -> None:
    """Write the public keys beside an export, and say what they are for."""
    from policyguard.audit.layout import write_small

    write_small(folder / TRUST, trust.encode())
    if not quiet:
        click.echo(
            f"{folder / TRUST}: the public keys: hand them to an auditor by another way"
        )


@click.command(short_help="List allowed calls of which no end is recorded.")
@click.option("--json", "as_json", is_flag=True, help="Print one record a line.")
@trail_option
def gaps(*, as_json: bool, directory: str | Path | None) -> None:
    """List decisions that allowed a call and have no outcome.

    Such a call is still running, or its process was cut off before it could say how
    the call ended.
    """
    from policyguard.cli.audit_view import records_table
    from policyguard.cli.trail_reading import opened_signed, records
    from policyguard.vocabulary.record import DecisionRecord, OutcomeRecord

    allowed: dict[str, Found] = {}
    # Of what comes out even nothing is kept; clocks of two logs may differ.
    early: set[str] = set()
    reader = opened_signed(trail_of(directory))
    with ProgressBar() as bar:
        for item in records(reader, progress=bar.advance):
            if isinstance(item.record, OutcomeRecord):
                if allowed.pop(item.record.decision, None) is None:
                    early.add(item.record.decision)
            elif isinstance(item.record, DecisionRecord) and item.record.goes_ahead:
                allowed[item.record.id] = item
    left = [item for name, item in allowed.items() if name not in early]
    if as_json:
        for item in left:
            click.echo(item.entry.body.decode("utf-8"))
        return
    console = output()
    several = len(reader.logs) > 1
    shown = (
        records_table(left, width=console.width, several=several) if left else "no gaps"
    )
    console.print(shown)
