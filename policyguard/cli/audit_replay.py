"""`policyguard audit replay`: recorded decisions, computed once more."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from policyguard.cli.evidence import Evidence, record_evidence, record_option
from policyguard.cli.trail_option import log_option, trail_of, trail_option

if TYPE_CHECKING:
    from policyguard.replay.replay import ReplayReport

_DIFFERENT: Final = 1
_UNANSWERED: Final = 2
_MOST_SHOWN: Final = 20


@click.command(short_help="Compute recorded decisions once more, and compare.")
@click.argument("decision", required=False)
@click.option("--all", "whole", is_flag=True, help="Every decision of the trail.")
@click.option(
    "--any-engine",
    is_flag=True,
    help="Compute what another engine or version decided with this one, too.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@record_option
@log_option
@trail_option
@click.pass_context
def replay(
    ctx: click.Context,
    *,
    decision: str | None,
    whole: bool,
    any_engine: bool,
    as_json: bool,
    recording: bool,
    origin: str | None,
    directory: str | Path | None,
) -> None:
    """Compute recorded decisions from the recorded bundle, catalog and input.

    DECISION is an id or the beginning of one, or the entry that `audit list` shows. The
    records are verified first. Exits with 0 if each answer is the recorded one, with 1
    if one differs or something was changed, and with 2 if one cannot be computed:
    its content is gone from the vault, its bundle or catalog is gone, the rules gave no answer, or
    another engine decided.
    """
    if (decision is None) == (not whole):
        raise click.UsageError("give a DECISION, or --all")
    from policyguard.cli.progress import ProgressBar
    from policyguard.cli.trail_reading import find_record, opened_signed
    from policyguard.errors import FormatError, NewerRecordError, TamperedError
    from policyguard.replay.replay import replay as compute

    reader = opened_signed(trail_of(directory))
    if whole and origin is not None:
        reader = replace(reader, logs=(reader.log(origin),))
    try:
        only = (
            None
            if decision is None
            else {find_record(reader, decision, origin=origin).record.id}
        )
        with ProgressBar() as bar:
            report = compute(
                reader, only=only, any_engine=any_engine, progress=bar.advance
            )
    except NewerRecordError:
        raise
    except FormatError as error:
        raise TamperedError(str(error)) from error
    if as_json:
        click.echo(json.dumps(_document(report), indent=2, ensure_ascii=False))
    else:
        _print(report)
    if recording:
        from policyguard.settings import load_settings

        record_evidence(_evidence(report), settings=load_settings(), place=directory)
    if report.differences:
        ctx.exit(_DIFFERENT)
    ctx.exit(_UNANSWERED if report.unanswered or not report.decisions else 0)


def _evidence(report: ReplayReport) -> Evidence:
    return Evidence(
        examined="replay",
        tier="violated" if report.differences else "checked",
        counts={
            "decisions": report.decisions,
            "equal": report.equal,
            "different": len(report.differences),
            "unanswered": len(report.unanswered),
        },
        document=_document(report),
    )


def _print(report: ReplayReport) -> None:
    from policyguard.cli.terminal import output, printable

    console = output()
    for item in report.differences[:_MOST_SHOWN]:
        console.print(f"{item.id} ({item.place}) differs", style="bold red")
        for change in item.changes:
            was, now = (
                printable(json.dumps(value, ensure_ascii=False))
                for value in (change.recorded, change.replayed)
            )
            console.print(f"  {change.what}: recorded {was}, now {now}", soft_wrap=True)
    if len(report.differences) > _MOST_SHOWN:
        left = len(report.differences) - _MOST_SHOWN
        console.print(f"{left} more differ: `--json` has them all")
    for reason, count in report.reasons().items():
        console.print(
            printable(f"{count} cannot be computed: {reason}"),
            style="yellow",
            soft_wrap=True,
        )
    style = "bold red" if report.differences else "bold"
    console.print(
        f"{report.equal} of {report.decisions} decisions come out as recorded",
        style=style,
    )


def _document(report: ReplayReport) -> dict[str, Any]:
    return {
        "intact": True,
        "decisions": report.decisions,
        "equal": report.equal,
        "differences": [
            {
                "id": item.id,
                "place": item.place,
                "changes": [
                    {
                        "what": change.what,
                        "recorded": change.recorded,
                        "replayed": change.replayed,
                    }
                    for change in item.changes
                ],
            }
            for item in report.differences
        ],
        "unanswered": [
            {"id": item.id, "place": item.place, "reason": item.reason}
            for item in report.unanswered
        ],
        "reasons": report.reasons(),
    }
