"""`policyguard audit prune`: drop the oldest records of an export, after their time."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from policyguard.cli.trail_option import exported_log_option, trail_of, trail_option

if TYPE_CHECKING:
    from policyguard.audit.reader import TrailReader


@click.command(short_help="Drop the oldest records of exported tiles.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--below",
    metavar="INDEX",
    type=click.IntRange(min=0),
    required=True,
    help="Records from here on stay; rounded down to a multiple of 256.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@exported_log_option
@trail_option
def prune(
    folder: Path,
    *,
    below: int,
    as_json: bool,
    origin: str | None,
    directory: Path | None,
) -> None:
    """Drop the oldest records of one log's exported tiles in DIR.

    The hash tiles stay, so every later record is still proved. Nothing is dropped if one
    of the records is less than six months old, or has to be kept by law or by a legal
    hold. The trail itself is not touched. Publish the minimum index that is printed:
    `policyguard audit verify DIR --minimum INDEX` asks for it.
    """
    from policyguard.audit.export.pruning import prune_tiles
    from policyguard.cli.erasing import keeping_of
    from policyguard.cli.progress import ProgressBar
    from policyguard.cli.trail_reading import chosen_log, opened
    from policyguard.settings import load_settings

    reader = opened(trail_of(directory))
    with ProgressBar() as bar:
        done = prune_tiles(
            chosen_log(reader, origin or _exported(reader, folder)),
            folder,
            below=below,
            keeping=keeping_of(load_settings().trail, reader=reader),
            today=datetime.now(UTC).date(),
            progress=bar.advance,
        )
    if as_json:
        document = {"minimum": done.minimum, "bundles": done.bundles}
        click.echo(json.dumps(document, indent=2))
        return
    click.echo(
        f"{folder}: {done.bundles} bundles removed; the minimum index is {done.minimum}"
    )


def _exported(reader: TrailReader, folder: Path) -> str | None:
    """Return the log of the trail that the checkpoint of an export names, if it does."""
    from policyguard.audit.layout import read_small

    path = folder / "checkpoint"
    # Whether a key of that log has signed it is verified before anything is dropped.
    named = read_small(path).partition(b"\n")[0] if path.is_file() else b""
    return next(
        (log.origin for log in reader.logs if log.origin.encode() == named), None
    )
