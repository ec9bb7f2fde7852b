"""Says which shared library answers as `regorus`, and accepts only known ones.

Three distributions on the package index bring the import name `regorus`, built by
three people from different sources. A decision names the one that made it, so the
file is identified by its SHA-256 before the interpreter loads it.
Specification: PEP 376 and "Recording installed projects" for who owns a file.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Final

from policyguard.errors import ConfigurationError

IMPORT_NAME: Final = "regorus"
DISTRIBUTION: Final = "gordon-to-regorus"
VERSION: Final = "0.13.0"
KNOWN_DIGESTS: Final = {
    "c94868b2926b53c53565983b8b480088db3eb3d2250e5910692df1e14baf665f": (
        "manylinux_2_34_x86_64"
    ),
    "2f09333235a7f6d3e248895761c0a8f8340285740aa4efae6ba4f9b24b4762fe": (
        "manylinux_2_34_aarch64"
    ),
    "fd2a9850a6beb99fdf2f6627d759609a6a321db40726119b98f2c332a05cf954": (
        "macosx_10_12_x86_64"
    ),
    "9d186967a9a515c7b020d3ce06db3fc022ef0369c432c2b81c0bd6550e96ee6c": (
        "macosx_11_0_arm64"
    ),
    "24e5b745b125fab7ef8eb10b6ad5e392e9ea22108eb4a80091b47eff264402b8": "win_amd64",
}
"""SHA-256 of the extension module in each wheel of 0.13.0, with its platform."""

_REINSTALL: Final = f"pip install --force-reinstall {DISTRIBUTION}=={VERSION}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """Is the shared library that Python would load for `import regorus`."""

    distribution: str
    version: str
    digest: str
    """SHA-256 of the extension module, 64 hexadecimal digits."""


@functools.cache
def installed_library() -> Library:
    """Identify the library of this process, once.

    Raises:
        ConfigurationError: as `identify_library` does.
    """
    return identify_library(sys.path)


def identify_library(search_path: Sequence[str]) -> Library:
    """Find the library on a search path and check that it is one we know.

    Args:
        search_path: Directories, as in `sys.path`.

    Raises:
        ConfigurationError: no distribution or more than one brings `regorus`, it is
            another one or another version than ours, the file is not one of the
            known ones, or another project named policyguard is installed. The
            message ends with what to do.
    """
    path = [entry or "." for entry in search_path]
    _require_no_namesake(path)
    owner = _single_owner(path)
    digest = _digest(_extension_file(path))
    if digest not in KNOWN_DIGESTS:
        raise ConfigurationError(
            f"the shared library of `{DISTRIBUTION}` has the unknown digest"
            f" `{digest}`: run `{_REINSTALL}`"
        )
    return Library(distribution=DISTRIBUTION, version=owner.version, digest=digest)


def _require_no_namesake(path: list[str]) -> None:
    for found in importlib.metadata.distributions(name="policyguard", path=path):
        if _normalised(found.name) == "policyguard":
            raise ConfigurationError(
                "another project named `policyguard` is installed and hides files of"
                " this one: run `pip uninstall policyguard` and then"
                " `pip install --force-reinstall policyguard-ai`"
            )


def _single_owner(path: list[str]) -> importlib.metadata.Distribution:
    owners = {_normalised(owner.name): owner for owner in _owners(path)}
    strangers = sorted(owners.keys() - {DISTRIBUTION})
    if strangers:
        raise ConfigurationError(
            f"`{', '.join(strangers)}` also brings the import name `{IMPORT_NAME}`:"
            f" run `pip uninstall {' '.join(strangers)}` and then `{_REINSTALL}`"
        )
    if DISTRIBUTION not in owners:
        raise ConfigurationError(
            f"`{DISTRIBUTION}` is not installed: run `{_REINSTALL}`"
        )
    owner = owners[DISTRIBUTION]
    if owner.version != VERSION:
        raise ConfigurationError(
            f"`{DISTRIBUTION}` is `{owner.version}`, not `{VERSION}`:"
            f" run `{_REINSTALL}`"
        )
    return owner


def _owners(path: list[str]) -> Iterator[importlib.metadata.Distribution]:
    # Reading RECORD as text is ten times cheaper than `packages_distributions`,
    # which parses the metadata of everything that is installed.
    for candidate in importlib.metadata.distributions(path=path):
        record = candidate.read_text("RECORD")
        if record is not None:
            if f"\n{IMPORT_NAME}/" in f"\n{record}":
                yield candidate
        elif IMPORT_NAME in (candidate.read_text("top_level.txt") or "").split():
            yield candidate


def _extension_file(path: list[str]) -> Path:
    # The finder says what an import would load, without loading it: a file with a
    # more specific suffix beside the known one would win, so the name is not guessed.
    package = PathFinder.find_spec(IMPORT_NAME, path)
    inner: ModuleSpec | None = None
    if package is not None and package.submodule_search_locations:
        inner = PathFinder.find_spec(
            f"{IMPORT_NAME}.{IMPORT_NAME}", list(package.submodule_search_locations)
        )
    if inner is None or inner.origin is None:
        raise ConfigurationError(
            f"the package `{IMPORT_NAME}` has no extension module: run `{_REINSTALL}`"
        )
    return Path(inner.origin)


def _digest(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ConfigurationError(
            f"the shared library of `{DISTRIBUTION}` cannot be read:"
            f" {error.strerror}: run `{_REINSTALL}`"
        ) from error


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
