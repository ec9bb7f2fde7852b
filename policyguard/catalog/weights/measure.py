"""Measures a directory of weights: each file's digest, and what could run on loading.

INVARIANT: what is not plainly harmless is named. A pickle is known by its bytes, not by
its name alone; so is code, and a configuration that asks a loader for code. Of a file whose
name says nothing that is known here, nobody can tell what loads it: it is named, too.
"""

from __future__ import annotations

import hashlib
import os
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from policyguard.canonical import canonical_bytes, digest, parse_json
from policyguard.catalog.schema import WeightsFile
from policyguard.catalog.weights.safetensors import Tensors, read_tensors
from policyguard.errors import CatalogError, FormatError

Format: TypeAlias = Literal["safetensors", "gguf", "pickle"]
Progress: TypeAlias = Callable[[str, int, int], None]

_CHUNK: Final = 1 << 20
_HEAD: Final = 4096
_MAX_FILES: Final = 100_000
_MAX_JSON: Final = 64 << 20
_LEFT_OUT: Final = frozenset({".git", ".cache"})
_PICKLES: Final = (".bin", ".ckpt", ".joblib", ".npy", ".pickle", ".pkl", ".pt", ".pth")
# The opcode PROTO, of protocols 2 to 5.
_PROTO: Final = re.compile(rb"\x80[\x02-\x05]")
_CODE: Final = (".dll", ".dylib", ".exe", ".jar", ".ps1", ".py", ".pyc", ".sh", ".so")
_HARMLESS: Final = (
    ".gguf",
    ".gif",
    ".jinja",
    ".jpeg",
    ".jpg",
    ".json",
    ".jsonl",
    ".md",
    ".model",
    ".pdf",
    ".pem",
    ".png",
    ".pub",
    ".rst",
    ".safetensors",
    ".sha256",
    ".sig",
    ".svg",
    ".tiktoken",
    ".txt",
    ".vocab",
    ".webp",
    ".yaml",
    ".yml",
)
"""Endings of what loaders read as data: tensors, vocabularies, words and pictures."""
_NAMES: Final = frozenset(
    {
        ".gitattributes",
        ".gitignore",
        "copying",
        "licence",
        "license",
        "notice",
        "readme",
    }
)
_ARCHIVES: Final = (
    b"PK\x03\x04",
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ",
    b"\x89HDF\r\n\x1a\n",
)
_TAR: Final = slice(257, 262)
_OWN_MODULES: Final = "sentence_transformers."
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_METADATA: Final = ".cache/huggingface/download"


@dataclass(frozen=True, slots=True, kw_only=True)
class Danger:
    """Is a file that runs code when it is loaded, or may."""

    path: str
    kind: Literal["pickle", "code", "malformed", "unknown"]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Is what lies in a directory of weights."""

    files: tuple[WeightsFile, ...]
    """Each file by its path from the top, sorted; `.git` and `.cache` are left out."""
    digest: str
    """SHA-256 of the RFC 8785 bytes of the list of files."""
    format: Format | None
    """The least harmless format of what holds weights; `None`: none was found."""
    tensors: tuple[Tensors, ...]
    """One for each safetensors file."""
    dangers: tuple[Danger, ...]
    revision: str | None
    """The commit that the place itself names, in 40 hexadecimal digits."""

    @property
    def parameters(self) -> int:
        """Return how many elements all safetensors files hold."""
        return sum(item.parameters for item in self.tensors)

    @property
    def remote_code(self) -> bool:
        """Say whether loading runs code that came with the weights, or may."""
        return any(danger.kind in {"code", "unknown"} for danger in self.dangers)


def files_digest(files: tuple[WeightsFile, ...]) -> str:
    """Return the digest of a list of files, in whatever order they come."""
    ordered = sorted(files, key=lambda file: file.path)
    return digest(canonical_bytes([file.model_dump(mode="json") for file in ordered]))


def measure(path: Path, *, progress: Progress | None = None) -> Measured:
    """Read every file of a directory of weights, or one file.

    Args:
        path: A directory, or a single file.
        progress: Told of `("weights", bytes done, bytes in all)`.

    Raises:
        CatalogError: it is not there, holds nothing, or a link leads out of it.
    """
    found = list(_files(path))
    if not found:
        raise CatalogError(
            f"`{path}` holds no files: name the directory of the weights"
        )
    total = sum(file.stat().st_size for _, file in found)
    done = 0
    files: list[WeightsFile] = []
    dangers: list[Danger] = []
    tensors: list[Tensors] = []
    formats: set[Format] = set()
    for name, file in found:
        files.append(WeightsFile(path=name, sha256=_sha256(file)))
        kind, danger, counted = _looked_at(name, file)
        formats |= {kind} if kind else set()
        dangers += danger
        tensors += counted
        done += file.stat().st_size
        if progress is not None:
            progress("weights", done, total)
    ordered = tuple(sorted(files, key=lambda item: item.path))
    return Measured(
        files=ordered,
        digest=files_digest(ordered),
        format=next(
            (kind for kind in ("pickle", "gguf", "safetensors") if kind in formats),
            None,
        ),
        tensors=tuple(tensors),
        dangers=tuple(sorted(dangers, key=lambda item: item.path)),
        revision=_revision(path),
    )


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    if path.is_file():
        yield path.name, path
        return
    if not path.is_dir():
        raise CatalogError(
            f"`{path}` is no file or directory: name where the weights are"
        )
    count = 0
    # Links to files are followed, as caches of downloads are made of them; a link to a
    # directory is not, because it could lead anywhere and back.
    for folder, folders, names in os.walk(path, followlinks=False):
        here = Path(folder)
        for name in folders:
            if (here / name).is_symlink():
                raise CatalogError(
                    f"`{here / name}` links to a directory: copy it here"
                )
        folders[:] = sorted(set(folders) - _LEFT_OUT)
        for name in sorted(names):
            file = here / name
            if not file.is_file():
                raise CatalogError(f"`{file}` is no regular file: remove it")
            count += 1
            if count > _MAX_FILES:
                raise CatalogError(f"`{path}` holds more than {_MAX_FILES} files")
            yield file.relative_to(path).as_posix(), file


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _looked_at(
    name: str, file: Path
) -> tuple[Format | None, list[Danger], list[Tensors]]:
    """Return which weights a file holds, what is dangerous in it, and its tensors."""
    with file.open("rb") as opened:
        head = opened.read(_HEAD)
    lower = name.lower()
    if why := _pickle(lower, head, file):
        return "pickle", [Danger(path=name, kind="pickle", why=why)], []
    if lower.endswith(".safetensors"):
        try:
            return "safetensors", [], [read_tensors(file)]
        except FormatError as error:
            return "safetensors", [_malformed(name, error)], []
    kind: Format | None = "gguf" if head.startswith(b"GGUF") else None
    return kind, _programs(lower, head, file, name=name), []


def _programs(lower: str, head: bytes, file: Path, *, name: str) -> list[Danger]:
    if lower.endswith(_CODE) or head.startswith((b"\x7fELF", b"MZ", b"#!")):
        return [Danger(path=name, kind="code", why="it is a program")]
    if head.startswith(_ARCHIVES) or head[_TAR] == b"ustar":
        why = "it is an archive, and what unpacks it may run what is in it"
        return [Danger(path=name, kind="unknown", why=why)]
    if not lower.endswith(_HARMLESS) and lower.rpartition("/")[2] not in _NAMES:
        why = "its name does not say what loads it"
        return [Danger(path=name, kind="unknown", why=why)]
    return _configured(name, file) if lower.endswith(".json") else []


def _pickle(name: str, head: bytes, file: Path) -> str | None:
    if _PROTO.match(head):
        return "it begins as a pickle, which runs code when it is loaded"
    if head.startswith(b"PK") and zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            names = [item.lower() for item in archive.namelist()]
            if any(item.endswith(_PICKLES) for item in names):
                return "it is an archive with a pickle in it"
    if name.endswith(_PICKLES):
        return "files with this ending are loaded as pickles"
    return None


def _configured(name: str, file: Path) -> list[Danger]:
    """Find a configuration that asks for code, or that cannot be read."""
    try:
        value = parse_json(file.read_bytes(), max_bytes=_MAX_JSON)
    except FormatError as error:
        return [_malformed(name, error)]
    asked = _asked_for(value, name=name)
    if asked is None:
        return []
    why = f"its `{asked}` names code that a loader would run"
    return [Danger(path=name, kind="code", why=why)]


def _asked_for(value: object, *, name: str) -> str | None:
    """Return the member of a configuration that asks for code; `None`: there is none."""
    if isinstance(value, dict):
        # Of Transformers: classes of its own, and pipelines of any repository.
        named = (key for key in ("auto_map", "custom_pipelines") if value.get(key))
        return next(named, None)
    if isinstance(value, list) and name.rpartition("/")[2] == "modules.json":
        # Of Sentence Transformers: the classes of its modules, by their dotted names.
        kinds = (item.get("type") for item in value if isinstance(item, dict))
        foreign = any(not str(kind).startswith(_OWN_MODULES) for kind in kinds)
        return "type" if foreign else None
    return None


def _malformed(name: str, error: FormatError) -> Danger:
    return Danger(path=name, kind="malformed", why=str(error))


def _revision(path: Path) -> str | None:
    """Return the commit that a cache of Hugging Face names, if all of it is of one."""
    resolved = path.resolve()
    if resolved.parent.name == "snapshots" and _COMMIT.fullmatch(resolved.name):
        return resolved.name
    said: set[str] = set()
    for file in (path / _METADATA).rglob("*.metadata") if path.is_dir() else ():
        said.update(file.read_text("utf-8", "replace").splitlines()[:1])
    only = said.pop() if len(said) == 1 else ""
    return only if _COMMIT.fullmatch(only) else None
