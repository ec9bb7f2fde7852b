"""Reads LiteLLM's price map: prices and the signals of residency in its keys.

Format: an object of entries by the name that LiteLLM's callers use, each with
`litellm_provider`, `mode` and US dollars for one token. The map states no address, so
only what runs on the clouds whose keys carry a place is read: Amazon Bedrock (a region
or the prefix of an inference profile), Azure OpenAI (`eu`, `us`, `global`) and Vertex AI
(`supported_regions`). A prefix that stands for several countries leaves them unknown.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from policyguard.canonical import digest
from policyguard.catalog.catalog import Catalog
from policyguard.catalog.importers.overlay import (
    Imported,
    Row,
    Tally,
    id_of,
    mapping_of,
    parse_source,
    price_of,
    text_of,
    unique_model,
)
from policyguard.catalog.regions import (
    REGIONS,
    Processing,
    bedrock_processing,
    gcp_processing,
)
from policyguard.catalog.schema import CatalogFile, Deployment, Model
from policyguard.errors import CatalogError

WHAT: Final = "LiteLLM's price map"
_FILE: Final = "model_prices_and_context_window_backup.json"
_MODES: Final = frozenset({"chat", "completion", "embedding", "responses"})
_OPERATORS: Final = {"bedrock": "aws-bedrock", "azure": "azure", "vertex": "gcp-vertex"}
_GEOGRAPHY: Final = re.compile(r"(?:us-gov|us|eu|apac|jp|au|ca|global)\.")
_AZURE_PLACES: Final = {
    "global": Processing(
        scope="global", countries=None, why="a global SKU may run anywhere"
    ),
    "global-standard": Processing(
        scope="global", countries=None, why="a global SKU may run anywhere"
    ),
    "us-gov": Processing(scope="fixed", countries=("US",), why="Azure Government"),
    "eu": Processing(
        scope="fixed",
        countries=None,
        why="read the countries of this data zone: `eu` does not name them",
    ),
    "us": Processing(scope="fixed", countries=("US",), why="the data zone of the US"),
    "apac": Processing(
        scope="fixed",
        countries=None,
        why="read the countries of this data zone: `apac` does not name them",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """Is what one key of the map says about one deployment."""

    cloud: str
    name: str
    """The model as the service's URL names it."""
    hosts: tuple[str, ...]
    processing: Processing
    label: str
    """What tells it apart from other deployments of the model."""


def installed_price_map() -> tuple[bytes, str]:
    """Return the map inside the installed `litellm` package, and its version.

    The package is found, not imported: importing it takes seconds and opens sockets.

    Raises:
        CatalogError: `litellm` is not installed, or has no map.
    """
    spec = importlib.util.find_spec("litellm")
    if spec is None or spec.origin is None:
        raise CatalogError(
            "the package `litellm` is not installed: install `policyguard-ai[litellm]`,"
            " or name the file of a price map"
        )
    path = Path(spec.origin).parent / _FILE
    try:
        return path.read_bytes(), importlib.metadata.version("litellm")
    except OSError as error:
        raise CatalogError(
            f"the installed `litellm` has no `{_FILE}`: name the file of a price map"
        ) from error


def import_litellm_prices(
    data: bytes, *, as_of: date, catalog: Catalog, version: str | None = None
) -> Imported:
    """Return the deployments on clouds that a price map knows and a catalog does not.

    Args:
        data: The map, as LiteLLM publishes it.
        as_of: The day of the map: that of the release it came in.
        catalog: What is known already; its entries are kept and not repeated.
        version: The release of LiteLLM, for the entries' source.

    Raises:
        CatalogError: it is no price map.
    """
    tally = Tally()
    root = mapping_of(parse_source(data, what=WHAT), what=WHAT)
    source = f"LiteLLM price map{f' of release {version}' if version else ''}"
    models: dict[str, Model] = {}
    deployments: dict[str, Deployment] = {}
    named = {
        name for item in catalog.entries.deployments.values() for name in item.names
    }
    for key, value in sorted(root.items()):
        row = mapping_of(value, what=f"entry `{key}`")
        entry = _entry(key, row, tally=tally)
        if entry is None:
            continue
        if entry.name in named:
            tally.skip(
                key, f"the catalog has a deployment that is called `{entry.name}`"
            )
            continue
        model = _known_model(catalog, entry.name)
        if model is None:
            model = id_of(_GEOGRAPHY.sub("", entry.name))
            models[model] = Model(name=entry.name, source=source, as_of=as_of)
        place = id_of(model, entry.cloud, entry.label)
        if place in deployments:
            tally.skip(key, f"it is another key of `{place}`")
            continue
        deployments[place] = _deployment(
            entry,
            row,
            model=model,
            catalog=catalog,
            tally=tally,
            source=source,
            at=as_of,
        )
    for _ in models:
        tally.lacks("models.developer", "the map does not say who trained a model")
        tally.lacks("models.open_weights", "the map does not say it")
    return Imported(
        file=CatalogFile(models=models, deployments=deployments),
        source=source,
        sha256=digest(data),
        gaps=tally.gaps(),
        skipped=tally.skipped(),
    )


def _entry(key: str, row: Row, *, tally: Tally) -> _Entry | None:
    provider = text_of(row, "litellm_provider") or ""
    mode = row.get("mode")
    if key == "sample_spec":
        return None
    if mode not in _MODES:
        tally.skip(key, "it is no language model, or the map does not say what it is")
        return None
    if provider in {"bedrock", "bedrock_converse"}:
        return _bedrock(key, tally=tally)
    if provider == "azure" and key.startswith("azure/"):
        return _azure(key, tally=tally)
    if provider.startswith("vertex_ai") and key.startswith("vertex_ai/"):
        return _vertex(key, row)
    tally.skip(key, "the map states neither its address nor its place")
    return None


def _bedrock(key: str, *, tally: Tally) -> _Entry | None:
    parts = key.removeprefix("bedrock/").split("/")
    name, places = parts[-1], parts[:-1]
    region = places[0] if places and places[0] in REGIONS["aws"] else None
    if len(places) != (0 if region is None else 1):
        # A commitment, another route or a wildcard: the same endpoint at another price.
        tally.skip(key, "its key is no model id of a region")
        return None
    processing = bedrock_processing(model=name, region=region)
    suffix = ".cn" if (region or "").startswith("cn-") else ""
    hosts = (f"bedrock-runtime.{region}.amazonaws.com{suffix}",) if region else ()
    found = _GEOGRAPHY.match(name)
    label = region or (found[0].rstrip(".") if found else "any-region")
    return _Entry(
        cloud="bedrock", name=name, hosts=hosts, processing=processing, label=label
    )


def _azure(key: str, *, tally: Tally) -> _Entry | None:
    parts = key.removeprefix("azure/").split("/")
    place = parts[0] if len(parts) > 1 else None
    if len(parts) > 2 or (place is not None and place not in _AZURE_PLACES):  # noqa: PLR2004 -- place and name
        tally.skip(key, "its key is no model of a place")
        return None
    unknown = Processing(
        scope=None, countries=None, why="the key names neither region nor SKU"
    )
    return _Entry(
        cloud="azure",
        name=parts[-1],
        hosts=(),
        processing=_AZURE_PLACES[place] if place else unknown,
        label=place or "any-region",
    )


def _vertex(key: str, row: Row) -> _Entry:
    name = key.removeprefix("vertex_ai/")
    listed = row.get("supported_regions")
    regions = (
        [item for item in listed if isinstance(item, str)]
        if isinstance(listed, list)
        else []
    )
    if len(regions) == 1:
        location = regions[0]
        host = "aiplatform" if location == "global" else f"{location}-aiplatform"
        return _Entry(
            cloud="vertex",
            name=name.rsplit("/", 1)[-1],
            hosts=(f"{host}.googleapis.com",),
            processing=gcp_processing(location=location),
            label=location,
        )
    why = (
        "several regions: the one of the call decides"
        if regions
        else "no region is named"
    )
    return _Entry(
        cloud="vertex",
        name=name.rsplit("/", 1)[-1],
        hosts=(),
        processing=Processing(scope=None, countries=None, why=why),
        label="any-region",
    )


def _known_model(catalog: Catalog, name: str) -> str | None:
    plain = _GEOGRAPHY.sub("", name)
    # `anthropic.claude-fable-5` on Bedrock; what it is called by its vendor comes last.
    return unique_model(catalog, name, plain, plain.partition(".")[2])


def _deployment(  # noqa: PLR0913 -- the parts of one entry
    entry: _Entry,
    row: Row,
    *,
    model: str,
    catalog: Catalog,
    tally: Tally,
    source: str,
    at: date,
) -> Deployment:
    price = price_of(
        row.get("input_cost_per_token"), row.get("output_cost_per_token"), tokens=1
    )
    operator = _OPERATORS[entry.cloud]
    known = operator if operator in catalog.entries.operators else None
    if known is None:
        tally.lacks("deployments.operator", f"the catalog has no operator `{operator}`")
    if price is None:
        tally.lacks("deployments.price", "the map states no price by the token")
    if not entry.hosts:
        tally.lacks("deployments.hosts", "the key names no region, so no address")
    if entry.processing.countries is None:
        why = "" if entry.processing.scope == "global" else entry.processing.why
        tally.lacks(
            "deployments.processing_countries", why or "it may run anywhere: no set"
        )
    tally.lacks("deployments.storage_countries", "the map does not say it")
    tally.lacks("deployments.data_policy", "the map does not say it")
    return Deployment(
        model=model,
        mode="cloud_managed",
        operator=known,
        host_cloud=known,
        hosts=entry.hosts,
        names=(entry.name,),
        inference_profile=entry.name if _GEOGRAPHY.match(entry.name) else None,
        processing_scope=entry.processing.scope,
        processing_countries=entry.processing.countries,
        price=price,
        source=source,
        as_of=at,
    )
