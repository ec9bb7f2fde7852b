"""`policyguard catalog`: look facts up, bring others into an overlay, validate them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from policyguard.cli.catalog_lookup import list_, show
from policyguard.cli.catalog_view import show_imported
from policyguard.cli.terminal import output, plain_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from policyguard.catalog.catalog import Catalog
    from policyguard.catalog.importers.overlay import Imported

_CONFIG = click.option(
    "--config",
    metavar="FILE",
    help="A policyguard.toml, whose catalog counts as known; without it the one that"
    " POLICYGUARD_CONFIG names.",
)
_AS_OF = click.option(
    "--as-of",
    "day",
    metavar="DATE",
    type=click.DateTime(formats=["%Y-%m-%d"]),
    help="The day on which the source was fetched, as 2026-11-01; without it today.",
)
_OUT = click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write the overlay to FILE, which must not exist yet; without it the overlay"
    " goes to standard output.",
)
_JSON = click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print what was imported as JSON; with --out.",
)


@click.group(
    commands=(list_, show),
    short_help="Look up, import and validate facts of the catalog.",
)
def catalog() -> None:
    """Look up facts about models, hosts and listed parties, import and validate them."""


@catalog.group(name="import", short_help="Make an overlay of what others publish.")
def import_() -> None:
    """Make an overlay of a file that others publish.

    Nothing is fetched: a source is a file that you have. What it does not say stays
    unknown, and is counted. Entries that the catalog has already are not repeated.
    """


@import_.command(name="models-dev", short_help="models.dev: hosts and prices.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="ID",
    help="Only this model; repeatable.",
)
@click.option(
    "--provider",
    "providers",
    multiple=True,
    metavar="ID",
    help="Only this provider of models.dev; repeatable.",
)
@_AS_OF
@_OUT
@_JSON
@_CONFIG
def models_dev(
    file: Path,
    *,
    models: tuple[str, ...],
    providers: tuple[str, ...],
    day: datetime | None,
    out: Path | None,
    as_json: bool,
    config: str | None,
) -> None:
    """Import api.json of models.dev: who serves which model where, at what price.

    models.dev names no operator, region, retention or training: all that stays unknown.
    """
    from policyguard.catalog.importers.models_dev import import_models_dev

    _run(
        lambda known, as_of: import_models_dev(
            _bytes(file),
            as_of=as_of,
            catalog=known,
            models=models or None,
            providers=providers or None,
        ),
        day=day,
        out=out,
        as_json=as_json,
        config=config,
    )


@import_.command(short_help="LiteLLM's price map: prices and places on clouds.")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@_AS_OF
@_OUT
@_JSON
@_CONFIG
def litellm(
    file: Path | None,
    *,
    day: datetime | None,
    out: Path | None,
    as_json: bool,
    config: str | None,
) -> None:
    """Import LiteLLM's price map, from FILE or from the installed package.

    Only deployments on Amazon Bedrock, Azure OpenAI and Vertex AI are read: the map
    states no address of others. `eu.`, `apac.` and data zones stand for several
    countries, which stay unknown; `global` may run anywhere.
    """
    from policyguard.catalog.importers.litellm_prices import (
        import_litellm_prices,
        installed_price_map,
    )

    data, version = (_bytes(file), None) if file else installed_price_map()
    _run(
        lambda known, as_of: import_litellm_prices(
            data, as_of=as_of, catalog=known, version=version
        ),
        day=day,
        out=out,
        as_json=as_json,
        config=config,
    )


@import_.command(short_help="The Consolidated Screening List: potential matches.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--max-age",
    "max_age_days",
    type=click.IntRange(min=1, max=36_500),
    default=30,
    show_default=True,
    metavar="DAYS",
    help="After how many days the lists count as stale.",
)
@_AS_OF
@_OUT
@_JSON
@_CONFIG
def csl(
    file: Path,
    *,
    max_age_days: int,
    day: datetime | None,
    out: Path | None,
    as_json: bool,
    config: str | None,
) -> None:
    """Import the bulk JSON of the Consolidated Screening List of trade.gov.

    The names of developers and operators of the catalog are looked for. A name that
    matches is a potential match, which a person confirms or clears: nobody is listed
    or cleared by an import. The list holds neither the 1260H list nor affiliates.
    """
    from policyguard.catalog.importers.screening_list import import_screening_list

    _run(
        lambda known, as_of: import_screening_list(
            _bytes(file), as_of=as_of, catalog=known, max_age_days=max_age_days
        ),
        day=day,
        out=out,
        as_json=as_json,
        config=config,
    )


@import_.command(short_help="A CycloneDX ML-BOM: lineage, licences, digests.")
@click.argument("file", type=click.Path(path_type=Path))
@_AS_OF
@_OUT
@_JSON
@_CONFIG
def cyclonedx(
    file: Path,
    *,
    day: datetime | None,
    out: Path | None,
    as_json: bool,
    config: str | None,
) -> None:
    """Import the models and weights of a CycloneDX BOM of 1.6 or later, in JSON."""
    from policyguard.catalog.importers.cyclonedx import import_cyclonedx

    _run(
        lambda known, as_of: import_cyclonedx(_bytes(file), as_of=as_of, catalog=known),
        day=day,
        out=out,
        as_json=as_json,
        config=config,
    )


@catalog.command(short_help="Validate overlays together with the shipped catalog.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def validate(files: tuple[Path, ...]) -> None:
    """Validate overlays together with the shipped catalog, and print the digest.

    A mistake names file, line and field; the exit code is then 2.
    """
    from policyguard.assembly import catalog_of
    from policyguard.settings import CatalogSettings, Settings

    known = catalog_of(Settings(catalog=CatalogSettings(overlays=files)))
    click.echo(f"{known.version}: sha256:{known.digest}")
    for key in known.replaced:
        click.echo(f"replaces {key}")


@catalog.command(short_help="Show in which country each cloud region lies.")
@click.argument("cloud", type=click.Choice(["aws", "azure", "gcp"]))
def regions(cloud: str) -> None:
    """Show in which country each region of a cloud lies, by its name.

    A routed profile or SKU may run in none of the regions that its URL names.
    """
    from policyguard.catalog.regions import CLOUDS, REGIONS

    key = next(name for name in CLOUDS if name == cloud)
    table = plain_table()
    table.add_column("region")
    table.add_column("country")
    for region, country in sorted(REGIONS[key].items()):
        table.add_row(region, country)
    output().print(table)


def _run(
    read: Callable[[Catalog, date], Imported],
    *,
    day: datetime | None,
    out: Path | None,
    as_json: bool,
    config: str | None,
) -> None:
    from policyguard.assembly import catalog_of
    from policyguard.catalog.importers.overlay import overlay_text
    from policyguard.errors import ConfigurationError
    from policyguard.settings import load_settings

    if as_json and out is None:
        raise ConfigurationError(
            "with `--json` the overlay needs a place of its own: add `--out FILE`"
        )
    if out is not None and out.exists():
        raise ConfigurationError(f"`{out}` exists: choose another name, or remove it")
    known = catalog_of(load_settings(config))
    imported = read(known, (day or datetime.now(UTC)).date())
    text = overlay_text(imported)
    if out is None:
        click.echo(text, nl=False)
    else:
        out.write_text(text, "utf-8")
    show_imported(imported, out=out, as_json=as_json)


def _bytes(file: Path) -> bytes:
    from policyguard.catalog.importers.overlay import MAX_SOURCE_BYTES

    with file.open("rb") as source:
        return source.read(MAX_SOURCE_BYTES + 1)
