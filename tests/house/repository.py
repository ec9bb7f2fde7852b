"""What the house tests look at: the files of the repository, and marks in pages."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "policyguard"
DOCS = ROOT / "docs"
# Not of the repository: made by tools, or by running the project.
_MADE = frozenset({"_build", "build", "dist", "node_modules", "__pycache__"})
_MARK = re.compile(
    r"<!-- test: (?P<name>[a-z0-9-]+) -->\s*\n```(?P<language>\w+)[^\n]*\n"
    r"(?P<text>.*?)\n```",
    re.DOTALL,
)


def files(*suffixes: str, under: Path = ROOT) -> list[Path]:
    """List the repository's own files with these suffixes; all without one."""
    return [
        path
        for path in _walk(under)
        if not suffixes or path.suffix in suffixes or path.name in suffixes
    ]


def name_of(path: Path) -> str:
    """Return a path as a reader of the repository knows it."""
    return path.relative_to(ROOT).as_posix()


@functools.cache
def tree_of(path: Path) -> ast.Module:
    """Return the syntax tree of a Python file."""
    return ast.parse(path.read_text("utf-8"), filename=name_of(path))


def marked_blocks(path: Path) -> dict[str, str]:
    """Return the code blocks that stand under `<!-- test: name -->`, by name."""
    found = {
        match["name"]: match["text"]
        for match in _MARK.finditer(path.read_text("utf-8"))
    }
    marks = re.findall(r"<!-- test: ", path.read_text("utf-8"))
    assert len(found) == len(marks), f"a mark without its block in {name_of(path)}"
    return found


def _walk(directory: Path) -> Iterator[Path]:
    for path in sorted(directory.iterdir()):
        # Of the hidden ones, only those that we wrote; caches and .venv are not.
        hidden = path.name.startswith(".") and path.name not in {".ci", ".manifest"}
        if hidden or path.name in _MADE or path.is_symlink():
            continue
        if path.is_dir():
            yield from _walk(path)
        elif path.suffix != ".pyc":
            yield path
