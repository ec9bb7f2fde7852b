"""`policyguard policy impact`: what other policy would have done to recorded calls."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from policyguard.cli.evidence import Evidence, record_evidence, record_option
from policyguard.cli.trail_option import trail_of, trail_option

if TYPE_CHECKING:
    from policyguard.bundle.source import Bundle
    from policyguard.catalog.catalog import Catalog
    from policyguard.replay.impact import Flip, ImpactReport
    from policyguard.settings import Settings

_FLIPPED: Final = 1
_UNANSWERED: Final = 2
_MOST_SHOWN: Final = 10


@click.command(short_help="Ask another bundle or catalog about recorded calls.")
@click.option(
    "--bundle",
    "path",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The directory of the bundle that is asked; without it the one in the settings,"
    " with what the tenant adds to it.",
)
@click.option(
    "--facts",
    type=click.Choice(("recorded", "now")),
    default="recorded",
    show_default=True,
    help="Take the facts from the catalog that decided each call, or from today's.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@record_option
@click.option(
    "--config",
    metavar="FILE",
    help="A policyguard.toml, which names bundle, catalog and trail; without it the one"
    " that POLICYGUARD_CONFIG names, or else the shipped ones.",
)
@trail_option
@click.pass_context
def impact(
    ctx: click.Context,
    *,
    path: Path | None,
    facts: str,
    as_json: bool,
    recording: bool,
    config: str | None,
    directory: str | Path | None,
) -> None:
    """Show which recorded calls another bundle or catalog would have decided otherwise.

    The records are verified first. No call is made, and nothing is written but what
    `--record` keeps. Exits with 0
    if every verdict stays, with 1 if one flips or the trail was changed, and with 2 if
    no verdict flips and a call could not be asked, which is counted with the reason.
    """
    from policyguard.assembly import bundle_of, catalog_of
    from policyguard.cli.progress import ProgressBar
    from policyguard.cli.tampering import say_tampered
    from policyguard.cli.trail_reading import opened
    from policyguard.errors import TamperedError
    from policyguard.replay.impact import impact as ask
    from policyguard.settings import load_settings

    settings = load_settings(config)
    bundle = bundle_of(settings) if path is None else _asked(path, settings)
    now: Catalog | None = catalog_of(settings) if facts == "now" else None
    place = directory or (settings.trail.place() if config else trail_of(None))
    try:
        reader = opened(place)
        with ProgressBar() as bar:
            report = ask(reader, bundle=bundle, now=now, progress=bar.advance)
    except TamperedError as error:
        say_tampered(str(error), as_json=as_json)
        ctx.exit(_FLIPPED)
    if as_json:
        click.echo(json.dumps(_document(report), indent=2, ensure_ascii=False))
    else:
        _print(report)
    if recording:
        record_evidence(_evidence(report), settings=settings, place=place)
    if report.flips:
        ctx.exit(_FLIPPED)
    ctx.exit(_UNANSWERED if report.unanswered or not report.calls else 0)


def _asked(path: Path, settings: Settings) -> Bundle:
    """Return a bundle that nobody has to trust, since it decides nothing."""
    from policyguard.assembly_authority import in_force
    from policyguard.bundle.source import load_directory
    from policyguard.identity import wall_clock

    return in_force(load_directory(path), settings=settings, now=wall_clock())


def _evidence(report: ImpactReport) -> Evidence:
    from policyguard.vocabulary.decision import BundleRef, CatalogRef

    catalog = report.catalog
    return Evidence(
        examined="impact",
        tier="checked",
        counts={
            "calls": report.calls,
            "flips": len(report.flips),
            "unanswered": sum(report.unanswered.values()),
        },
        document=_document(report),
        bundle=BundleRef(revision=report.bundle[0], digest=report.bundle[1]),
        catalog=None
        if catalog is None
        else CatalogRef(version=catalog[0], digest=catalog[1]),
    )


def _print(report: ImpactReport) -> None:
    from policyguard.cli.terminal import output, plain_table, printable

    console = output()
    if report.flips:
        table = plain_table()
        for title in ("verdict", "calls"):
            table.add_column(title, justify="left" if title == "verdict" else "right")
        for name, count in report.by(_verdicts).items():
            table.add_row(name, str(count))
        console.print(table)
        table = plain_table()
        table.add_column("rule")
        table.add_column("stricter", justify="right")
        table.add_column("looser", justify="right")
        for rule, (stricter, looser) in report.by_rule().items():
            table.add_row(rule, str(stricter), str(looser))
        console.print(table)
        for title, key in (("model", _model), ("tenant", _tenant)):
            table = plain_table()
            table.add_column(title)
            table.add_column("flips", justify="right")
            for name, count in report.by(key).items():
                table.add_row(printable(name), str(count))
            console.print(table)
        for item in report.flips[:_MOST_SHOWN]:
            rules = f" by {', '.join(item.rules)}" if item.rules else ""
            console.print(
                f"{item.id} ({item.place}) {_verdicts(item)}{rules}", soft_wrap=True
            )
        if len(report.flips) > _MOST_SHOWN:
            left = len(report.flips) - _MOST_SHOWN
            console.print(f"{left} more flip: `--json` has them all")
    for reason, count in report.unanswered.items():
        console.print(
            printable(f"{count} cannot be asked: {reason}"),
            style="yellow",
            soft_wrap=True,
        )
    revision, digest = report.bundle
    facts = "each call's own" if report.catalog is None else report.catalog[0]
    console.print(
        f"{len(report.flips)} of {report.calls} recorded calls would get another verdict"
        f" from bundle {revision} ({digest[:12]}), catalog {facts}",
        style="bold red" if report.flips else "bold",
        soft_wrap=True,
    )


def _verdicts(item: Flip) -> str:
    return f"{item.before} → {item.after}"


def _model(item: Flip) -> str:
    return item.model or "unknown"


def _tenant(item: Flip) -> str:
    return item.tenant


def _document(report: ImpactReport) -> dict[str, Any]:
    catalog = report.catalog
    return {
        "intact": True,
        "bundle": {"revision": report.bundle[0], "digest": report.bundle[1]},
        "catalog": None
        if catalog is None
        else {"version": catalog[0], "digest": catalog[1]},
        "calls": report.calls,
        "same": report.same,
        "unanswered": report.unanswered,
        "by_verdict": report.by(_verdicts),
        "by_rule": {
            rule: {"stricter": stricter, "looser": looser}
            for rule, (stricter, looser) in report.by_rule().items()
        },
        "by_tenant": report.by(_tenant),
        "by_model": report.by(_model),
        "flips": [
            {
                "id": item.id,
                "place": item.place,
                "at": item.at,
                "tenant": item.tenant,
                "model": item.model,
                "before": item.before,
                "after": item.after,
                "rules": list(item.rules),
            }
            for item in report.flips
        ],
    }
