"""`python -m benchmarks.detection`: what the detectors miss, and what they hit wrongly.

On `detection_lines.txt`, lines that were labelled by hand. Those marked `tune` were looked
at when the detectors were written, those marked `held` were not: their numbers are the
ones to believe. The set is small and hard on purpose, so it says what kinds of faults
there are, and not how often they are in your data.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, get_args

from policyguard.detection.search import search
from policyguard.vocabulary.found import FoundKind

LINES: Final = Path(__file__).with_name("detection_lines.txt")
PARTS: Final = ("tune", "held")
KINDS: Final[tuple[FoundKind, ...]] = tuple(
    kind for kind in get_args(FoundKind) if kind != "national_id"
)
"""Those that our own detectors find."""
_ESCAPES: Final = {"\\n": "\n", "\\u200b": "\u200b"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Is a text, and the kinds that a careful reader finds in it."""

    part: str
    kinds: frozenset[str]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Counts lines of one part of the set for one kind."""

    kind: FoundKind
    part: str
    there: int
    """Lines that have it."""
    missed: int
    wrong: int
    """Lines in which it was found and is not."""
    others: int
    """Lines that have it not."""


def lines() -> tuple[Line, ...]:
    """Return the labelled lines."""
    return tuple(_read(LINES.read_text("utf-8").splitlines()))


def scores(known: Sequence[Line]) -> tuple[Score, ...]:
    """Return what was missed and hit wrongly, for each kind and part."""
    found = [(line, {item.kind for item in search(line.text).kinds}) for line in known]
    return tuple(
        _score(kind, part, [pair for pair in found if pair[0].part == part])
        for kind in KINDS
        for part in PARTS
    )


def table() -> Iterator[str]:
    """Yield the numbers as a Markdown table."""
    yield "| kind | part | lines that have it | missed | lines without | hit wrongly |"
    yield "|---|---|---|---|---|---|"
    measured = scores(lines())
    for item in measured:
        yield (
            f"| `{item.kind}` | {item.part} | {item.there} | {item.missed}"
            f" | {item.others} | {item.wrong} |"
        )
    for part in PARTS:
        own = [item for item in measured if item.part == part]
        there, missed, others, wrong = (
            sum(getattr(item, name) for item in own)
            for name in ("there", "missed", "others", "wrong")
        )
        yield f"| all | {part} | {there} | {missed} | {others} | {wrong} |"


def faults(part: str) -> Iterator[str]:
    """Yield the lines of a part that are missed or hit wrongly, as Markdown items."""
    for line in lines():
        found = {item.kind for item in search(line.text).kinds}
        if line.part != part or found == line.kinds:
            continue
        words = [f"misses `{kind}`" for kind in sorted(line.kinds - found)]
        words += [f"takes it for `{kind}`" for kind in sorted(found - line.kinds)]
        shown = line.text.encode("unicode_escape").decode("ascii")
        yield f"* `{shown.replace('`', '')}`: {', '.join(words)}"


def _read(rows: Sequence[str]) -> Iterator[Line]:
    for row in rows:
        if not row or row.startswith("#"):
            continue
        part, kinds, text = row.split(" | ", 2)
        for written, meant in _ESCAPES.items():
            text = text.replace(written, meant)
        named = frozenset() if kinds == "-" else frozenset(kinds.split(","))
        yield Line(part=part, kinds=named, text=text)


def _score(
    kind: FoundKind, part: str, found: Sequence[tuple[Line, set[FoundKind]]]
) -> Score:
    there = [(line, kinds) for line, kinds in found if kind in line.kinds]
    others = [(line, kinds) for line, kinds in found if kind not in line.kinds]
    return Score(
        kind=kind,
        part=part,
        there=len(there),
        missed=sum(kind not in kinds for _, kinds in there),
        others=len(others),
        wrong=sum(kind in kinds for _, kinds in others),
    )


if __name__ == "__main__":
    print("\n".join(table()))
    print("\nfaults in the part that was held out:")
    print("\n".join(faults("held")))
