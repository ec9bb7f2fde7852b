"""`policyguard policy table`: what rules find, as decision tables for lawyers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from policyguard.cli.instants import instant_of
from policyguard.cli.policy_matrix import policy_of

if TYPE_CHECKING:
    from policyguard.engines.protocol import PolicySet


@click.command(short_help="Show what a rule finds, as a decision table for lawyers.")
@click.argument("rules", nargs=-1, metavar="[RULE]...")
@click.option(
    "--policy",
    "directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIRECTORY",
    help="A bundle, or your own rules, which are added to the bundle. Without it what"
    " settings name.",
)
@click.option("--regime", metavar="NAME", help="Every rule of one regime.")
@click.option(
    "--at",
    metavar="INSTANT",
    help="The day or instant of which the tables speak, in UTC; without it now.",
)
@click.option(
    "--always",
    is_flag=True,
    help="Speak of every instant at which rules or catalog say something else.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="FACT=VALUE",
    help="What a fact is in every call; repeatable. Makes tables shorter.",
)
@click.option(
    "--views",
    type=click.IntRange(100),
    default=60_000,
    show_default=True,
    metavar="N",
    help="The most views on which one part of a rule is asked; of more, facts are held.",
)
@click.option(
    "--picture",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Draw it, too: `*.png` or `*.svg`; needs the extra `pictures`.",
)
@click.option("--markdown", is_flag=True, help="Print it as Markdown.")
@click.option("--html", is_flag=True, help="Print it as one HTML page.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.option(
    "--config",
    metavar="FILE",
    help="A policyguard.toml, which names bundle and catalog; without it the shipped.",
)
def table(
    *,
    rules: tuple[str, ...],
    directory: Path | None,
    regime: str | None,
    at: str | None,
    always: bool,
    settings: tuple[str, ...],
    views: int,
    picture: Path | None,
    markdown: bool,
    html: bool,
    as_json: bool,
    config: str | None,
) -> None:
    """Show what rules find, as decision tables: conditions, and what follows.

    RULE is an id, as GDPR-01; without one, and without --regime, every rule is shown,
    which takes minutes. A rule is decided for every call of the declared space, and
    written as few rows: one that fits makes its finding. A rule that reads too much is
    decided with some facts held; the table names them, and says in how many calls, drawn
    with other values of them, it finds something else. Exit code 0, or 2 for a table
    that cannot be made.
    """
    from policyguard.cli.progress import ProgressBar
    from policyguard.settings import load_settings
    from policyguard.testing.decision_forms import document_of
    from policyguard.testing.decision_tables import decision_tables

    if sum((markdown, html, as_json)) > 1:
        raise click.UsageError("give one of --markdown, --html and --json")
    if at is not None and always:
        raise click.UsageError("give --at or --always, not both")
    if picture is not None:
        from policyguard.testing.pictures import require_picture

        require_picture(picture)
    policy = policy_of(directory, load_settings(config))
    asked = [rule.upper() for rule in rules] + _of_regime(policy, regime)
    with ProgressBar() as bar:
        found = decision_tables(
            policy,
            asked,
            at=None if always else _instant(at),
            settings=settings,
            views=views,
            progress=bar.advance,
        )
    document = document_of(found)
    if picture is not None:
        from policyguard.testing.table_pictures import draw_tables

        draw_tables(document, picture)
    if as_json:
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    elif markdown:
        from policyguard.testing.table_pages import markdown_of

        click.echo(markdown_of(document), nl=False)
    elif html:
        from policyguard.testing.report import report

        click.echo(report({"table": document}, title="Decision tables"), nl=False)
    else:
        from policyguard.cli.table_view import print_tables
        from policyguard.cli.terminal import output

        print_tables(output(), document)


def _of_regime(policy: PolicySet, regime: str | None) -> list[str]:
    from policyguard.bundle.rulebook import read_rules
    from policyguard.errors import ConfigurationError

    if regime is None:
        return []
    known = read_rules(policy.modules.items())
    found = [rule.id for rule in known if rule.regime == regime]
    if not found:
        names = ", ".join(sorted({rule.regime for rule in known}))
        raise ConfigurationError(f"there is no regime `{regime}`: known are {names}")
    return found


def _instant(text: str | None) -> datetime:
    if text is None:
        # One day, so that a table does not differ from one second to the next.
        now = datetime.now(UTC)
        return now.replace(hour=0, minute=0, second=0, microsecond=0)
    return instant_of(text)
