"""`policyguard policy report`: one page of what the other commands found."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from policyguard.errors import ConfigurationError

_SHOWN: Final = {
    "compare": "What a change opens and closes.",
    "impact": "What it would have done to recorded calls.",
    "prove": "What is claimed of the rules.",
    "test": "Tests and coverage.",
    "mutate": "Faults that tests notice.",
    "matrix": "Verdicts over facts.",
    "table": "Decision tables.",
}
_MOST_BYTES: Final = 200 << 20


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for name, text in reversed(_SHOWN.items()):
        command = click.option(
            f"--{name}",
            name,
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            metavar="FILE",
            help=f"{text} Made by `policy {name} --json`.",
        )(command)
    return command


@click.command(short_help="Write one HTML page of what the other commands found.")
@click.argument(
    "output", type=click.Path(dir_okay=False, path_type=Path), metavar="OUTPUT.html"
)
@click.option("--title", default="Policy report", show_default=True, metavar="TEXT")
@_options
def report(*, output: Path, title: str, **files: Path | None) -> None:
    """Write a page with the documents that the other commands print with `--json`.

    It is one file that asks for no other and runs nothing: to be read in a browser, sent
    on, and printed. Nothing is computed again. Documents about several bundles or
    catalogs are shown with a warning.
    """
    from policyguard.testing.report import report as page

    documents = {
        name: _document(path, name) for name, path in files.items() if path is not None
    }
    if not documents:
        raise click.UsageError(
            "a report needs a document: make one with `--json`, as `policyguard policy"
            " matrix --json > matrix.json`, and give `--matrix matrix.json`"
        )
    text = page(documents, title=title)
    output.write_text(text, encoding="utf-8")
    click.echo(f"{output}: {', '.join(documents)}, {len(text.encode()):,} bytes")


def _document(path: Path, name: str) -> dict[str, Any]:
    if path.stat().st_size > _MOST_BYTES:
        raise ConfigurationError(f"`{path}` is larger than a document of policy {name}")
    try:
        found = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"`{path}` is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise ConfigurationError(
            f"`{path}` is not what `policyguard policy {name} --json` prints"
        )
    return found
