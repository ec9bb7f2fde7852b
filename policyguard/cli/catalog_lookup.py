"""`policyguard catalog list` and `show`: what is known, of whom, and by which source."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import click

from policyguard.errors import ConfigurationError

if TYPE_CHECKING:
    from policyguard.catalog.catalog import Catalog

# As `catalog.lookup.KINDS`; help texts are shown without the catalog being imported.
_SECTIONS: Final = {
    "models": "model",
    "deployments": "deployment",
    "developers": "developer",
    "operators": "operator",
    "weights": "weights",
    "lists": "list",
}
_CONFIG: Final = click.option(
    "--config",
    metavar="FILE",
    help="A policyguard.toml, which names the overlays; without it the one that"
    " POLICYGUARD_CONFIG names, or else the shipped catalog alone.",
)
_JSON: Final = click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")


@click.command(name="list", short_help="List models, hosts, makers or lists.")
@click.argument(
    "section",
    metavar="[SECTION]",
    required=False,
    default="models",
    type=click.Choice(list(_SECTIONS)),
)
@_JSON
@_CONFIG
def list_(*, section: str, as_json: bool, config: str | None) -> None:
    """List the entries of a section of the catalog; without one its models.

    SECTION is models, deployments, developers, operators, weights or lists. A `?` is what no source says. `policyguard catalog show ID` shows all of one.
    """
    from policyguard.catalog.lookup import KINDS, entries_of

    known = _catalog(config)
    kind = next(key for key in KINDS if KINDS[key] == section)
    entries = entries_of(known, kind=kind)
    if as_json:
        document = {
            key: entry.model_dump(mode="json") for key, entry in entries.items()
        }
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    from policyguard.cli.catalog_entries import print_entries
    from policyguard.cli.terminal import output

    print_entries(output(), known, kind=kind)


@click.command(short_help="Show all that is known of a model, a host or a maker.")
@click.argument("name", metavar="NAME")
@_JSON
@_CONFIG
def show(*, name: str, as_json: bool, config: str | None) -> None:
    """Show all that is known of NAME, with the source and day of what is said.

    NAME is an id, a name by which a model, its developer or an operator is known, or
    the host of a deployment. Exit code 2: nothing goes by that name.
    """
    from policyguard.catalog.lookup import find_entries, names_like

    known = _catalog(config)
    found = find_entries(known, name=name)
    if not found:
        near = names_like(known, name=name)
        hint = (
            f"did you mean {', '.join(f'`{item}`' for item in near)}?"
            if near
            else "see `policyguard catalog list`"
        )
        raise ConfigurationError(f"nothing in the catalog is called `{name}`: {hint}")
    if as_json:
        document = [
            {
                "kind": item.kind,
                "id": item.id,
                "by": item.by,
                "entry": item.entry.model_dump(mode="json"),
            }
            for item in found
        ]
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    from policyguard.cli.catalog_entries import print_entry
    from policyguard.cli.terminal import output

    for item in found:
        print_entry(output(), known, found=item)


def _catalog(config: str | None) -> Catalog:
    from policyguard.assembly import catalog_of
    from policyguard.settings import load_settings

    return catalog_of(load_settings(config))
