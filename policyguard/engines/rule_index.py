"""Lets findings that begin with the same condition share it, as OPA's rule index does.

The embedded interpreter evaluates each head of a set as a rule of its own, whose cost is
mostly the rule and not its conditions: with three heads for a rule of law, a quarter of a
decision went into heads whose first condition fails. So

    findings contains {K} if { C; B }

is read together with all others that begin with `C`, as

    findings contains found if { C; some each in [{{K} | B}, …]; some found in each }

which is the same set: a comprehension holds what the head would contribute, for the same
bindings. Heads of which no other one shares the beginning are put together without one.
Where `C` names a rule that says only that some conditions hold, they are read in its place:
the rule would cost more than they do, and heads of other rules may begin with them, too.

INVARIANT: a head is rewritten only if it is laid out as the formatter lays it out and its
brackets match, so that head, first condition and end are where they seem to be; every
other text stays as it is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from policyguard.engines.syntax import bracket_depth, has_text_of_lines

MOST_TOGETHER: Final = 16
"""Heads that share nothing, in one rule."""
MOST_DEPTH: Final = 8
"""Of brackets in a head that is rewritten: the parser's time doubles with each."""
_FOUND, _EACH = "pg_found__", "pg_each__"
_HEAD: Final = re.compile(
    r"^findings contains \{\n((?:[ \t#][^\n]*\n|\n)+?)\} if \{\n((?:[ \t#][^\n]*\n|\n)+?)\}\n"
    # Another rule has to follow: a second body or an `else` would belong to this one.
    r"(?=(?:[ \t]*(?:\#[^\n]*)?\n)*(?:\Z|(?!(?:else|if|with|in|as)\b)[A-Za-z_]))",
    re.MULTILINE,
)
_NAME = r"[A-Za-z_]\w*(?:\.\w+)*"
_CONDITION: Final = re.compile(
    rf"""
    (?: some [ ] [A-Za-z_]\w* [ ] in [ ] {_NAME}
      | (?:not [ ])? {_NAME}
      | {_NAME} [ ] (?:==|!=) [ ] (?: "[^"\\]*" | true | false | null )
      | (?:count|is_array|is_string) \( {_NAME} \) (?: [ ] > [ ] 0 )?
    ) \Z
    """,
    re.VERBOSE | re.ASCII,
)
_NAMED: Final = re.compile(
    r"^([A-Za-z_]\w*) if \{\n((?:\t[^\n]+\n)+?)\}\n"
    r"(?=(?:[ \t]*(?:\#[^\n]*)?\n)*(?:\Z|(?!(?:else|if|with|in|as)\b)[A-Za-z_]))",
    re.MULTILINE,
)
_ANY_HEAD: Final = re.compile(r"^(?:default[ \t]+)?([A-Za-z_]\w*)", re.MULTILINE)
_STATEMENT: Final = re.compile(r"\t(?!(?:with|in|as|else|if)\b)[A-Za-z_\"]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Is text of a file: whole lines."""

    path: str
    line: int
    """Of its beginning in the file, from 1."""
    text: str


@dataclass(frozen=True, slots=True)
class _Head:
    finding: Piece
    """What is between the braces of the head."""
    conditions: Piece
    """What is between those of the body, without the first condition if it is known."""
    first: str | None
    also: tuple[str, ...] = ()
    """Conditions that come before the others, for which a name stood."""


def conditions_by_name(pieces: Iterable[Piece]) -> dict[str, tuple[str, ...]]:
    """Return the rules of a package that say only that some conditions hold.

    Args:
        pieces: All of its text.
    """
    found: dict[str, tuple[str, ...]] = {}
    heads: Counter[str] = Counter()
    for piece in pieces:
        heads.update(_ANY_HEAD.findall(piece.text))
        if has_text_of_lines(piece.text):
            continue
        for named in _NAMED.finditer(piece.text):
            said = tuple(line.strip() for line in named[2].splitlines())
            if all(_is_plain(condition) for condition in said):
                found[named[1]] = said
    # With a second head, or a default, the name says something else.
    return {name: said for name, said in found.items() if heads[name] == 1}


def _is_plain(condition: str) -> bool:
    return bool(_CONDITION.match(condition)) and not condition.startswith("some ")


def indexed(
    pieces: Sequence[Piece], *, named: Mapping[str, tuple[str, ...]]
) -> tuple[Piece, ...]:
    """Return the text of one package, or of a part, with its findings put together.

    Args:
        pieces: Text that parses as it is, each the rules of one file.
        named: What `conditions_by_name` found in the whole package.
    """
    if any(name in piece.text for piece in pieces for name in (_FOUND, _EACH)):
        return tuple(pieces)
    rest: list[Piece] = []
    heads: list[_Head] = []
    for piece in pieces:
        if has_text_of_lines(piece.text):
            rest.append(piece)
        else:
            rest.extend(_apart(piece, heads, named))
    return (*rest, *_together(heads))


def _apart(
    piece: Piece, heads: list[_Head], named: Mapping[str, tuple[str, ...]]
) -> Iterator[Piece]:
    """Yield what is left when the heads that can be put together are taken."""
    end = 0
    for found in _HEAD.finditer(piece.text):
        finding, conditions = _part(piece, found, 1), _part(piece, found, 2)
        depths = (bracket_depth(finding.text), bracket_depth(conditions.text))
        if any(depth is None or depth > MOST_DEPTH for depth in depths):
            continue
        heads.append(_with_conditions(_head(finding, conditions), named))
        yield _between(piece, end, found.start())
        end = found.end()
    yield _between(piece, end, len(piece.text))


def _part(piece: Piece, found: re.Match[str], group: int) -> Piece:
    return _between(piece, *found.span(group))


def _between(piece: Piece, start: int, end: int) -> Piece:
    line = piece.line + piece.text.count("\n", 0, start)
    return Piece(path=piece.path, line=line, text=piece.text[start:end])


def _head(finding: Piece, conditions: Piece) -> _Head:
    lines = conditions.text.splitlines(keepends=True)
    said = [number for number, line in enumerate(lines) if _says(line)]
    first = lines[said[0]].strip() if said else ""
    goes_on = len(said) > 1 and _STATEMENT.match(lines[said[1]]) is None
    if goes_on or _CONDITION.match(first) is None:
        return _Head(finding, conditions, None)
    after = _between(
        conditions, len("".join(lines[: said[0] + 1])), len(conditions.text)
    )
    if len(said) == 1:
        after = Piece(path=after.path, line=after.line, text="\ttrue\n")
    return _Head(finding, after, first)


def _with_conditions(head: _Head, named: Mapping[str, tuple[str, ...]]) -> _Head:
    said = named.get(head.first) if head.first is not None else None
    return head if said is None else replace(head, first=said[0], also=said[1:])


def _says(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _together(heads: list[_Head]) -> Iterator[Piece]:
    by_first: dict[str | None, list[_Head]] = {}
    for head in heads:
        by_first.setdefault(head.first, []).append(head)
    single: list[_Head] = []
    for first, sharing in by_first.items():
        if first is None or len(sharing) == 1:
            single += sharing
        else:
            yield from _rule(sharing, first=first)
    for start in range(0, len(single), MOST_TOGETHER):
        yield from _rule(single[start : start + MOST_TOGETHER], first=None)


def _rule(heads: Sequence[_Head], *, first: str | None) -> Iterator[Piece]:
    """Yield one rule that contributes what the heads would."""
    at = heads[0].finding
    yield _glue(at, f"\nfindings contains {_FOUND} if {{\n")
    if first is not None:
        yield _glue(at, f"\t{first}\n")
    yield _glue(at, f"\tsome {_EACH} in [\n")
    for head in heads:
        yield _glue(head.finding, "{{\n")
        yield head.finding
        yield _glue(head.conditions, "} |\n")
        # A single head has its first condition still.
        before = (head.first,) if first is None and head.first is not None else ()
        for condition in (*before, *head.also):
            yield _glue(head.conditions, f"\t{condition}\n")
        yield head.conditions
        yield _glue(head.conditions, "},\n")
    yield _glue(at, f"\t]\n\tsome {_FOUND} in {_EACH}\n}}\n")


def _glue(beside: Piece, text: str) -> Piece:
    return Piece(path=beside.path, line=beside.line, text=text)
