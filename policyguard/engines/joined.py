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
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from policyguard.engines.rule_index import Piece, conditions_by_name, indexed

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
    _origins: Mapping[str, tuple[tuple[int, Piece], ...]]
    """Of a joined module: the first line of each piece, and the piece."""

    def original(self, place: str) -> str:
        """Return the `path:line:column` of the files that a place was in.

        Args:
            place: As the engine names it.
        """
        found = _PLACE.match(place)
        pieces = self._origins.get(found[1]) if found else None
        if found is None or pieces is None:
            return place
        line = int(found[2])
        first, piece = pieces[max(0, bisect_right(pieces, line, key=_first) - 1)]
        return f"{piece.path}:{piece.line + line - first}:{found[3]}"


def join_modules(modules: Mapping[str, str]) -> Joined:
    """Join modules by package, in the order of their paths.

    Args:
        modules: Module text by path; each parses alone.
    """
    together: dict[str, list[Piece]] = {}
    texts: dict[str, str] = {}
    for path in sorted(modules):
        package = _joinable_package(modules[path])
        if package is None:
            texts[path] = modules[path]
        else:
            together.setdefault(package, []).append(_body(path, modules[path]))
    origins: dict[str, tuple[tuple[int, Piece], ...]] = {}
    for package, bodies in together.items():
        named = conditions_by_name(bodies)
        for number, group in enumerate(_groups(bodies)):
            name = _free_name(f"{package.replace('.', '/')}/{number}.rego", modules)
            texts[name], origins[name] = _joined(package, indexed(group, named=named))
    return Joined(modules=texts, _origins=origins)


def _joinable_package(text: str) -> str | None:
    found = _PACKAGE.match(text)
    if found is None or _IMPORT.search(text) is not None:
        return None
    return found[1]


def _body(path: str, text: str) -> Piece:
    """Return a module without what names its package."""
    found = _PACKAGE.match(text)
    end = found.end() if found else 0
    return Piece(path=path, line=1 + text.count("\n", 0, end), text=f"{text[end:]}\n")


def _groups(bodies: Iterable[Piece]) -> Iterator[list[Piece]]:
    group: list[Piece] = []
    lines = 0
    for body in bodies:
        more = body.text.count("\n")
        if group and lines + more > MOST_LINES:
            yield group
            group, lines = [], 0
        group.append(body)
        lines += more
    yield group


def _joined(
    package: str, pieces: Iterable[Piece]
) -> tuple[str, tuple[tuple[int, Piece], ...]]:
    parts = [f"package {package}\n"]
    origins: list[tuple[int, Piece]] = []
    line = 2
    for piece in pieces:
        origins.append((line, piece))
        parts.append(piece.text)
        line += piece.text.count("\n")
    return "".join(parts), tuple(origins)


def _free_name(name: str, modules: Mapping[str, str]) -> str:
    while name in modules:
        name = f"joined/{name}"
    return name


def _first(origin: tuple[int, Piece]) -> int:
    return origin[0]
