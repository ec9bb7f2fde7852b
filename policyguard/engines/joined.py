"""Joins the modules of a package before the embedded engine reads them.

At each mention of `data` the interpreter walks through all modules to see which of them
lie below the path: with a file for each rule that was a fifth of a decision. Rules of one
package mean the same in one file as in many, as long as none of the files imports.

INVARIANT: what is joined was parsed file by file before, here or in the process that
validated it, so that no text can go on where another one ends.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

MOST_LINES: Final = 2_000
"""Of a joined module: parsing it is one step, which holds the interpreter's lock."""
_PACKAGE: Final = re.compile(
    r"""
    \A (?:[ \t]*(?:\#[^\n]*)?\n)*
    package [ \t]+ ([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*) [ \t]*\n
    # A rule begins next, so that nothing goes on from here.
    (?= (?:[ \t]*(?:\#[^\n]*)?\n)* [A-Za-z_] )
    """,
    re.VERBOSE | re.ASCII,
)
_IMPORT: Final = re.compile(r"^[ \t]*import\b", re.MULTILINE)
_PLACE: Final = re.compile(r"\A(.+):([0-9]+):([0-9]+)\Z")


@dataclass(frozen=True, slots=True)
class Joined:
    """Is policy text as the engine reads it, and where each line of it is from."""

    modules: Mapping[str, str]
    _origins: Mapping[str, tuple[tuple[int, str], ...]]
    """Of a joined module: the line before each part, and the path of the part."""

    def original(self, place: str) -> str:
        """Return the `path:line:column` of the files that a place was in.

        Args:
            place: As the engine names it.
        """
        found = _PLACE.match(place)
        parts = self._origins.get(found[1]) if found else None
        if found is None or parts is None:
            return place
        line = int(found[2])
        before, path = parts[bisect_right(parts, line - 1, key=_first) - 1]
        return f"{path}:{line - before}:{found[3]}"


def join_modules(modules: Mapping[str, str]) -> Joined:
    """Join modules by package, in the order of their paths.

    Args:
        modules: Module text by path; each parses alone.
    """
    together: dict[str, list[str]] = {}
    alone: dict[str, str] = {}
    for path in sorted(modules):
        package = _joinable_package(modules[path])
        if package is None:
            alone[path] = modules[path]
        else:
            together.setdefault(package, []).append(path)
    texts: dict[str, str] = dict(alone)
    origins: dict[str, tuple[tuple[int, str], ...]] = {}
    for package, paths in together.items():
        for number, group in enumerate(_groups(paths, modules)):
            name = _free_name(f"{package.replace('.', '/')}/{number}.rego", modules)
            texts[name], origins[name] = _joined(package, group, modules)
    return Joined(modules=texts, _origins=origins)


def _joinable_package(text: str) -> str | None:
    found = _PACKAGE.match(text)
    if found is None or _IMPORT.search(text) is not None:
        return None
    return found[1]


def _groups(paths: list[str], modules: Mapping[str, str]) -> Iterator[list[str]]:
    group: list[str] = []
    lines = 0
    for path in paths:
        more = modules[path].count("\n") + 1
        if group and lines + more > MOST_LINES:
            yield group
            group, lines = [], 0
        group.append(path)
        lines += more
    yield group


def _joined(
    package: str, paths: list[str], modules: Mapping[str, str]
) -> tuple[str, tuple[tuple[int, str], ...]]:
    parts = [f"package {package}\n"]
    origins: list[tuple[int, str]] = []
    before = 1
    for path in paths:
        # Without what names the package, and with as many lines.
        found = _PACKAGE.match(modules[path])
        end = found.end() if found else 0
        body = "\n" * modules[path].count("\n", 0, end) + modules[path][end:] + "\n"
        origins.append((before, path))
        parts.append(body)
        before += body.count("\n")
    return "".join(parts), tuple(origins)


def _free_name(name: str, modules: Mapping[str, str]) -> str:
    while name in modules:
        name = f"joined/{name}"
    return name


def _first(part: tuple[int, str]) -> int:
    return part[0]
