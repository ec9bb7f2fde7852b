"""`policyguard demo`: the main job on real input, on loopback."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from policyguard.cli.terminal import output


@click.command(short_help="See the main job on real input, on loopback.")
@click.option(
    "--dir",
    "directory",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where to put the trail, as DIR/trail; without it a new temporary directory.",
)
@click.pass_context
def demo(context: click.Context, directory: Path | None) -> None:
    """Guard a real client: deny with a reason, allow, and prove it afterwards.

    Needs the extra `demo`. Nothing leaves the machine. Exits with 0 if everything
    came out as announced, and with 1 if not.
    """
    from policyguard.cli.demo_run import run_demo
    from policyguard.demo.client import require_sdk

    require_sdk()
    place = directory or Path(tempfile.mkdtemp(prefix="policyguard-demo-"))
    context.exit(0 if run_demo(place, console=output()) else 1)
