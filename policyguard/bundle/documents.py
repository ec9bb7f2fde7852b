"""Reads the data of a bundle: each `data.json` at the path of its directory, merged.

`opa build` joins all data into one `data.json` at the root; an author's tree has one
for each document. Both mean the same here.

Specification: OPA bundles, "Bundle File Format": a document goes under its directory,
and two that set one value are an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

from policyguard.bundle.files import MAX_FILE_BYTES
from policyguard.bundle.manifest import Manifest
from policyguard.canonical import Json, parse_json
from policyguard.errors import BundleError, FormatError

DATA: Final = "data.json"


def is_data(path: str) -> bool:
    """Say whether a file of a bundle is a data document."""
    return path.rpartition("/")[2] == DATA


def read_documents(
    files: Mapping[str, bytes], *, manifest: Manifest
) -> dict[str, Json]:
    """Return the data of a bundle as one document.

    Raises:
        BundleError: a document that is no JSON object, one outside the roots, or two
            that set the same value; names the file.
    """
    merged: dict[str, Json] = {}
    for path in sorted(filter(is_data, files)):
        document = _object(path, files[path])
        manifest.require_owned_data(path=path, document=document)
        _merge(merged, document, path=path, at=())
    return merged


def _object(path: str, data: bytes) -> dict[str, Json]:
    try:
        value: Json = parse_json(data, max_bytes=MAX_FILE_BYTES)
    except FormatError as error:
        raise BundleError(f"{path}: {error}") from error
    if not isinstance(value, dict):
        raise BundleError(f"{path}: is no JSON object: write one")
    for part in reversed(path.split("/")[:-1]):
        value = {part: value}
    return cast("dict[str, Json]", value)


def _merge(
    into: dict[str, Json], more: Mapping[str, Json], *, path: str, at: tuple[str, ...]
) -> None:
    for key, value in more.items():
        there = into.get(key)
        if key not in into:
            into[key] = _copied(value)
        elif isinstance(there, dict) and isinstance(value, Mapping):
            _merge(there, value, path=path, at=(*at, key))
        else:
            raise BundleError(
                f"{path}: sets `{'.'.join((*at, key))}`, which another file sets too:"
                " keep one"
            )


def _copied(value: Json) -> Json:
    if isinstance(value, Mapping):
        return {key: _copied(item) for key, item in value.items()}
    return value
