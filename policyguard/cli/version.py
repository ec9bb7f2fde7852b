"""`policyguard version`: which program, bundle, catalog and engine this is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from policyguard.settings import Settings


@click.command(short_help="Name program, bundle, catalog and engine.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def version(*, as_json: bool) -> None:
    """Print the version, and what decides: bundle, catalog and engine with digests."""
    from policyguard.settings import load_settings

    known = _known(load_settings())
    if as_json:
        click.echo(json.dumps(known, indent=2))
        return
    bundle, catalog, engine = known["bundle"], known["catalog"], known["engine"]
    click.echo(f"policyguard {known['version']}")
    click.echo(f"bundle      {bundle['revision']}  sha256:{bundle['digest']}")
    click.echo(f"catalog     {catalog['version']}  sha256:{catalog['digest']}")
    click.echo(f"engine      {engine['name']} {engine['version']}  {engine['digest']}")


def _known(settings: Settings) -> dict[str, Any]:
    from policyguard.assembly import bundle_of, catalog_of
    from policyguard.assembly_engine import engine_of
    from policyguard.version import __version__

    bundle = bundle_of(settings)
    catalog = catalog_of(settings)
    engine = engine_of(settings).info
    return {
        "version": __version__,
        "bundle": {"revision": bundle.revision, "digest": bundle.digest},
        "catalog": {"version": catalog.version, "digest": catalog.digest},
        "engine": {
            "name": engine.name,
            "version": engine.version,
            "distribution": engine.distribution,
            "digest": engine.digest,
        },
    }
