"""Reads a CycloneDX ML-BOM: lineage, licences and digests of models and weights.

Format: CycloneDX 1.6 or later in JSON (ECMA-424): components of the type
`machine-learning-model` with `name`, `version`, `manufacturer` or `supplier`,
`licenses`, `hashes`, `pedigree.ancestors` and nested file components. A BOM is its
author's word: it proves neither training nor lineage, and a name in it finds a model of
the catalog only where it is exactly one of that model's names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
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
    text_of,
    unique_model,
)
from policyguard.catalog.schema import CatalogFile, Model, Weights, WeightsFile
from policyguard.catalog.weights.measure import files_digest
from policyguard.errors import CatalogError

WHAT: Final = "the CycloneDX BOM"
_OLDEST: Final = (1, 6)
_VERSION: Final = re.compile(r"([0-9]+)\.([0-9]+)")
_SHA256: Final = re.compile(r"[0-9a-fA-F]{64}")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_MODEL: Final = "machine-learning-model"


def import_cyclonedx(data: bytes, *, as_of: date, catalog: Catalog) -> Imported:
    """Return the models and weights that a BOM describes.

    Args:
        data: The BOM in JSON.
        as_of: The day from which the BOM is taken to speak.
        catalog: What is known already; its models are referred to, not repeated.

    Raises:
        CatalogError: it is no CycloneDX BOM of 1.6 or later, or describes no model.
    """
    tally = Tally()
    root = mapping_of(parse_source(data, what=WHAT), what=WHAT)
    _require_version(root)
    serial = text_of(root, "serialNumber") or f"sha256:{digest(data)}"
    source = f"CycloneDX BOM {serial}"
    components = [item for item in _components(root) if item.get("type") == _MODEL]
    if not components:
        raise CatalogError(f"{WHAT} describes no component of type `{_MODEL}`")
    models: dict[str, Model] = {}
    weights: dict[str, Weights] = {}
    for item in components:
        name = text_of(item, "name")
        if name is None:
            raise CatalogError(f"a model of {WHAT} has no `name`")
        key = _reference(item, catalog=catalog)
        if key in catalog.entries.models:
            tally.skip(name, f"the catalog has it: `{key}`")
        else:
            models[key] = _model(item, catalog, tally, source=source, as_of=as_of)
        found = _weights(item, key, tally, source=source, as_of=as_of)
        if found is not None:
            weights[id_of(key, text_of(item, "version") or "bom")] = found
    for ancestor in _unknown_ancestors(components, catalog):
        # What a model descends from has to be an entry, or the lineage would dangle.
        key = _reference(ancestor, catalog=catalog)
        if key not in models:
            models[key] = _model(ancestor, catalog, tally, source=source, as_of=as_of)
    return Imported(
        file=CatalogFile(models=models, weights=weights),
        source=source,
        sha256=digest(data),
        gaps=tally.gaps(),
        skipped=tally.skipped(),
    )


def _require_version(root: Row) -> None:
    if root.get("bomFormat") != "CycloneDX":
        raise CatalogError(
            f"{WHAT} has no `bomFormat` `CycloneDX`: is it the right file?"
        )
    stated = text_of(root, "specVersion") or ""
    found = _VERSION.fullmatch(stated)
    if found is None or (int(found[1]), int(found[2])) < _OLDEST:
        raise CatalogError(
            f"{WHAT} is of version `{stated}`: models are described from 1.6 on"
        )


def _components(root: Row) -> Iterator[Row]:
    """Yield all components, also those that are parts of others."""
    metadata = root.get("metadata")
    top = metadata.get("component") if isinstance(metadata, dict) else None
    queue = [*([top] if top is not None else []), *_rows(root, "components")]
    while queue:
        item = mapping_of(queue.pop(0), what="a component")
        yield item
        queue += _rows(item, "components")


def _rows(row: Row, key: str) -> list[Row]:
    value = row.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise CatalogError(f"`{key}` of {WHAT} is no list")
    return [mapping_of(item, what=f"an item of `{key}`") for item in value]


def _names(item: Row) -> tuple[str, ...]:
    """Return the names under which a component may be known, the fullest first."""
    name, group = text_of(item, "name") or "", text_of(item, "group")
    full = () if group is None else (f"{group}/{name}",)
    return (*full, name)


def _reference(item: Row, *, catalog: Catalog) -> str:
    names = _names(item)
    return unique_model(catalog, *names) or id_of(names[0])


def _unknown_ancestors(components: list[Row], catalog: Catalog) -> Iterator[Row]:
    described = {_reference(item, catalog=catalog) for item in components}
    for item in components:
        for ancestor in _ancestors(item):
            key = _reference(ancestor, catalog=catalog)
            if key not in described and key not in catalog.entries.models:
                yield ancestor


def _ancestors(item: Row) -> list[Row]:
    pedigree = item.get("pedigree")
    listed = _rows(pedigree, "ancestors") if isinstance(pedigree, dict) else []
    return [ancestor for ancestor in listed if text_of(ancestor, "name")]


def _model(
    item: Row, catalog: Catalog, tally: Tally, *, source: str, as_of: date
) -> Model:
    stated = "pedigree" in item
    bases = tuple(
        dict.fromkeys(_reference(row, catalog=catalog) for row in _ancestors(item))
    )
    if not bases:
        why = "the BOM states no ancestors" + (" in the pedigree" if stated else "")
        tally.lacks("models.base_models", f"{why}: that is not `trained from scratch`")
    licence = _licence(item)
    if licence is None:
        tally.lacks("models.weights_licence", "the BOM states none, or more than one")
    developer = _developer(item, catalog)
    if developer is None:
        tally.lacks(
            "models.developer", "no developer of the catalog has the stated name"
        )
    name, *_ = _names(item)
    return Model(
        name=name,
        version=text_of(item, "version"),
        developer=developer,
        names=(name,),
        base_models=bases or None,
        weights_licence=licence,
        source=source,
        as_of=as_of,
    )


def _developer(item: Row, catalog: Catalog) -> str | None:
    for field in ("manufacturer", "supplier"):
        party = item.get(field)
        name = text_of(party, "name") if isinstance(party, dict) else None
        if name is None:
            continue
        found = [
            key
            for key, known in catalog.entries.developers.items()
            if name in {known.name, *known.aliases, *known.legal_entities}
        ]
        return found[0] if len(found) == 1 else None
    return None


def _licence(item: Row) -> str | None:
    stated: set[str] = set()
    for row in _rows(item, "licenses"):
        licence = row.get("license")
        named = licence if isinstance(licence, dict) else {}
        text = (
            text_of(row, "expression") or text_of(named, "id") or text_of(named, "name")
        )
        if text is not None:
            stated.add(text)
    return stated.pop() if len(stated) == 1 else None


def _weights(
    item: Row, model: str, tally: Tally, *, source: str, as_of: date
) -> Weights | None:
    files = tuple(
        sorted(
            (
                WeightsFile(path=path, sha256=sha256)
                for part in _rows(item, "components")
                if part.get("type") == "file"
                and (path := text_of(part, "name"))
                and (sha256 := _sha256(part))
            ),
            key=lambda file: file.path,
        )
    )
    whole = _sha256(item)
    if not files and whole is None:
        tally.lacks("weights", "the BOM states no SHA-256 of the weights")
        return None
    if not files:
        tally.lacks("weights.digest", "a hash of the whole is no list of files")
    version = text_of(item, "version") or ""
    pinned = version if _COMMIT.fullmatch(version) else None
    if pinned is None:
        tally.lacks("weights.revision", "the version is no commit of a repository")
    return Weights(
        model=model,
        repository=_repository(item) or _names(item)[0],
        revision=pinned,
        files=files or None,
        digest=files_digest(files) if files else None,
        source=source,
        as_of=as_of,
    )


def _sha256(item: Row) -> str | None:
    for row in _rows(item, "hashes"):
        content = text_of(row, "content") or ""
        if row.get("alg") == "SHA-256" and _SHA256.fullmatch(content):
            return content.lower()
    return None


def _repository(item: Row) -> str | None:
    for row in _rows(item, "externalReferences"):
        if row.get("type") in {"distribution", "vcs"}:
            return text_of(row, "url")
    return None
