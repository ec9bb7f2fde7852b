"""Reads what an author has: modules, tests beside them, and data, from a directory.

A bundle's root is read as OPA reads it: each `data.json` lies at the path of its
directory. A directory without a manifest is read in the same way, so that ten lines of
Rego need nothing around them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from policyguard.bundle.documents import DATA, is_data, read_documents
from policyguard.bundle.files import MANIFEST, MAX_FILE_BYTES, is_test
from policyguard.bundle.manifest import Manifest, parse_manifest
from policyguard.canonical import Json, parse_json
from policyguard.engines.native import compile_modules, syntax_tree
from policyguard.engines.syntax import require_parsable
from policyguard.engines.tree import PolicyTree, read_tree
from policyguard.errors import BundleError

MAX_FILES: Final = 2_000
_SKIPPED: Final = frozenset({"node_modules", "__pycache__"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySource:
    """Is the Rego of one directory, tests included."""

    modules: Mapping[str, str] = field(repr=False)
    """Module text by path below the directory, tests left out."""
    tests: Mapping[str, str] = field(repr=False)
    """Text of `*_test.rego` by path."""
    data: Mapping[str, Json] = field(repr=False)
    """The base document."""

    @property
    def texts(self) -> Mapping[str, str]:
        """Return modules and tests together."""
        return {**self.modules, **self.tests}

    def tree(self) -> PolicyTree:
        """Return what modules and tests define.

        Raises:
            EngineLoadError: a module does not parse, or would hurt the parser.
        """
        require_parsable(self.texts)
        return read_tree(syntax_tree(compile_modules(self.texts)))

    def replaced(self, path: str, text: str) -> PolicySource:
        """Return the same policy with another text of one module."""
        return PolicySource(
            modules=MappingProxyType({**self.modules, path: text}),
            tests=self.tests,
            data=self.data,
        )

    def with_tests(
        self, tests: Mapping[str, str], data: Mapping[str, Json]
    ) -> PolicySource:
        """Return the same modules with other tests, and with more data."""
        return PolicySource(
            modules=self.modules,
            tests=MappingProxyType(dict(tests)),
            data={**self.data, **data},
        )


def read_policy(directory: Path | str) -> PolicySource:
    """Read every module, test and data document below a directory.

    Args:
        directory: A bundle's root, or any directory with `*.rego` in it.

    Raises:
        BundleError: it cannot be read, holds no Rego, or a data document is none.
    """
    root = Path(directory)
    files = _files(root)
    texts = {path: _text(path, data) for path, data in files.items() if _is_rego(path)}
    if not texts:
        raise BundleError(f"`{root}` holds no `*.rego`: give the directory of a policy")
    manifest = (
        parse_manifest(files[MANIFEST]) if MANIFEST in files else _owning_all(files)
    )
    return PolicySource(
        modules=MappingProxyType({n: t for n, t in texts.items() if not is_test(n)}),
        tests=MappingProxyType({n: t for n, t in texts.items() if is_test(n)}),
        data=read_documents(files, manifest=manifest),
    )


def _owning_all(files: Mapping[str, bytes]) -> Manifest:
    """Return a manifest under which any data may lie where it lies."""
    roots = {path.partition("/")[0] for path in filter(is_data, files)} - {DATA}
    if DATA in files:
        whole = parse_json(files[DATA], max_bytes=MAX_FILE_BYTES)
        roots |= set(whole) if isinstance(whole, dict) else set()
    return Manifest(revision="", roots=tuple(sorted(roots)))


def _is_rego(path: str) -> bool:
    return path.endswith(".rego")


def _files(root: Path) -> Mapping[str, bytes]:
    found: dict[str, bytes] = {}
    try:
        for folder, directories, names in os.walk(root, onerror=_raise):
            directories[:] = sorted(
                name
                for name in directories
                if not name.startswith(".") and name not in _SKIPPED
            )
            for name in sorted(names):
                path = (Path(folder) / name).relative_to(root).as_posix()
                if not (_is_rego(path) or is_data(path) or path == MANIFEST):
                    continue
                if len(found) >= MAX_FILES:
                    raise BundleError(f"`{root}`: more than {MAX_FILES} files")
                data = (Path(folder) / name).read_bytes()
                if len(data) > MAX_FILE_BYTES:
                    raise BundleError(f"{path}: larger than {MAX_FILE_BYTES} bytes")
                found[path] = data
    except OSError as error:
        raise BundleError(
            f"`{error.filename or root}` cannot be read: {error.strerror or error}"
        ) from error
    return found


def _raise(error: OSError) -> None:
    raise error


def _text(path: str, data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BundleError(f"{path}: is not UTF-8: save it as UTF-8") from error
