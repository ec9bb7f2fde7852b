"""`policyguard policy matrix`: verdicts over rows and columns that a person chooses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from policyguard.engines.protocol import PolicySet
    from policyguard.settings import Settings

_MOST_CELLS: Final = 20_000
_facts: Final = "FACT[=VALUE,…]"


@click.command(short_help="Show verdicts over facts that you choose, as a table.")
@click.argument(
    "directory",
    required=False,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="[DIRECTORY]",
)
@click.option(
    "--rows",
    multiple=True,
    metavar=_facts,
    help="A fact whose values are rows; repeatable, then every combination is one."
    " Without it `deployment`.",
)
@click.option(
    "--columns",
    multiple=True,
    metavar=_facts,
    help="A fact whose values are columns; repeatable. Without --rows and --columns it"
    " is `data.classes`.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="FACT=VALUE",
    help="What a fact is in every cell; repeatable.",
)
@click.option(
    "--call",
    "call",
    metavar="CALL.json",
    help="A model call whose facts all cells have, or `-` for standard input; without"
    " it a call to which no rule objects.",
)
@click.option(
    "--facts", "listing", is_flag=True, help="List the facts and their values."
)
@click.option(
    "--cells",
    type=click.IntRange(1),
    default=_MOST_CELLS,
    show_default=True,
    metavar="N",
    help="How many cells are asked about at most.",
)
@click.option(
    "--picture",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Draw a heat map, too: `*.png` or `*.svg`; needs the extra `pictures`.",
)
@click.option("--csv", "as_csv", is_flag=True, help="Print one line a cell, as CSV.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@click.option(
    "--config",
    metavar="FILE",
    help="A policyguard.toml, which names bundle and catalog; without it the shipped.",
)
def matrix(
    *,
    directory: Path | None,
    rows: tuple[str, ...],
    columns: tuple[str, ...],
    settings: tuple[str, ...],
    call: str | None,
    listing: bool,
    cells: int,
    picture: Path | None,
    as_csv: bool,
    as_json: bool,
    config: str | None,
) -> None:
    """Show what a policy says of each combination of a row and a column.

    DIRECTORY is a bundle, or your own rules, which are added to the bundle. A FACT is
    named as in `input`, as `data.classes` or `caller.location`; `deployment` is a host
    with the model it serves, and `model` each deployment of a model. Values are
    separated by commas; without them all declared ones are asked. `unknown` is a value
    of every fact, `empty` an empty list, and `pii+health` a list of both.

    Each cell is a whole evaluation. What is the same in all cells, and what is unknown,
    is said below.
    """
    from policyguard.cli.check import read_call
    from policyguard.cli.progress import ProgressBar
    from policyguard.settings import load_settings
    from policyguard.testing.matrix import matrix as ask

    if as_csv and as_json:
        raise click.UsageError("give --csv or --json, not both")
    loaded = load_settings(config)
    policy = policy_of(directory, loaded)
    if listing:
        _print_facts(policy, as_json=as_json)
        return
    if picture is not None:
        from policyguard.testing.pictures import require_picture

        require_picture(picture)
    with ProgressBar() as bar:
        found = ask(
            policy,
            rows=rows or ("deployment",),
            columns=columns or (() if rows else ("data.classes",)),
            settings=settings,
            call=None if call is None else read_call(call),
            most=cells,
            progress=bar.advance,
        )
    if picture is not None:
        from policyguard.testing.pictures import draw_matrix

        draw_matrix(found, picture)
    if as_json:
        click.echo(json.dumps(found.document(), indent=2, ensure_ascii=False))
    elif as_csv:
        click.echo(found.csv(), nl=False)
    else:
        from policyguard.cli.matrix_view import print_matrix
        from policyguard.cli.terminal import output

        print_matrix(output(), found)


def policy_of(directory: Path | None, settings: Settings) -> PolicySet:
    """Return the rules of a directory, or else those that settings name.

    Args:
        directory: What a person has given.
        settings: Name bundle and catalog.
    """
    from policyguard.testing.policies import configured_policy, policy_in

    if directory is None:
        return configured_policy(settings)
    return policy_in(directory, settings)


def _print_facts(policy: PolicySet, *, as_json: bool) -> None:
    from policyguard.cli.terminal import output, plain_table, printable
    from policyguard.testing.choosing import Ground, label_of

    ground = Ground.of(policy)
    facts = {"deployment": list(ground.deployments)} | {
        dim.name: list(dict.fromkeys(map(label_of, dim.values)))
        for dim in ground.space.dims
    }
    if as_json:
        click.echo(json.dumps(facts, indent=2, ensure_ascii=False))
        return
    table = plain_table()
    table.add_column("fact", no_wrap=True)
    table.add_column("of", justify="right")
    table.add_column("values", no_wrap=True, overflow="ellipsis")
    for name, values in facts.items():
        table.add_row(name, str(len(values)), printable(", ".join(values)))
    output().print(table)
