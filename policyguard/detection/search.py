"""Searches a text with all detectors, after undoing the simplest disguises.

A detector misses what is written in another way than people usually write it, and hits
what only looks alike. How often is measured on a labelled set: see the reference.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import groupby
from typing import Any, Final, TypeAlias

from policyguard.detection.numbers import cards, ibans, phones
from policyguard.detection.payloads import without_payloads
from policyguard.detection.words import emails, marks
from policyguard.vocabulary.found import Found, FoundCount, FoundKind

Detector: TypeAlias = Callable[[str], int]
MOST_CHARACTERS: Final = 200_000
"""A longer text is not searched: what is in it is unknown."""
MOST_WITH_MORE: Final = 20_000
"""The same with detectors that are not ours, which may be slow on a hostile text."""
MOST_MARKS: Final = 30
"""In a row, as UAX #15 (section 13) bounds it: more than any language writes. A text with
more of them is not searched."""
_INVISIBLE: Final = re.compile("[\u00ad\u200b-\u200f\u2060-\u2064\ufeff]")
_MOST_DEPTH: Final = 64
_NONE: Final[Mapping[FoundKind, Detector]] = {}
_DETECTORS: Final[Mapping[FoundKind, Detector]] = {
    "email": emails,
    "phone": phones,
    "iban": ibans,
    "card": cards,
    "itar": partial(marks, kind="itar"),
    "eccn": partial(marks, kind="eccn"),
    "ear99": partial(marks, kind="ear99"),
    "export_controlled": partial(marks, kind="export_controlled"),
}


def search(text: str, *, more: Mapping[FoundKind, Detector] = _NONE) -> Found:
    """Say what is found in a text.

    Args:
        text: At most `MOST_CHARACTERS`, and `MOST_WITH_MORE` with other detectors, of
            which at most `MOST_MARKS` in a row are marks on the letter before them; of
            another one nothing is said.
        more: Other detectors; of a kind that two of them find, the greater number counts.
    """
    most = MOST_WITH_MORE if more else MOST_CHARACTERS
    if len(text) > most or _has_many_marks(text):
        return Found(complete=False)
    plain = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    if len(plain) > most:
        return Found(complete=False)
    counts = {kind: detector(plain) for kind, detector in _DETECTORS.items()}
    for kind, detector in more.items():
        counts[kind] = max(counts.get(kind, 0), detector(plain))
    return Found(
        complete=True,
        kinds=tuple(
            FoundCount(kind=kind, count=count)
            for kind, count in counts.items()
            if count
        ),
    )


def _has_many_marks(text: str) -> bool:
    """Say whether there are more marks in a row than `MOST_MARKS`.

    Normalising sorts a row of them by insertion, and holds the interpreter's lock: work
    that grows with the square of the text, while no other thread runs.
    """
    marks = {char for char in set(text) if not char.isascii() and _is_mark(char)}
    return bool(marks) and any(
        is_mark and sum(1 for _ in row) > MOST_MARKS
        for is_mark, row in groupby(text, marks.__contains__)
    )


def _is_mark(char: str) -> bool:
    # Some, as U+0F73 and U+FF9E, are none until they are taken apart.
    return unicodedata.combining(unicodedata.normalize("NFKD", char)[0]) > 0


def texts_in(document: Any) -> Iterator[str]:
    """Yield all text of a JSON document: strings, keys and whole numbers, in order.

    What a field means is not looked at: a name in a tool's arguments or in metadata is
    sent as well. Of data URIs the text in them is yielded, and no picture. Documents nested deeper than a parser of ours lets through end there.
    """
    queue: list[tuple[Any, int]] = [(document, 0)]
    while queue:
        item, depth = queue.pop()
        if isinstance(item, str):
            yield without_payloads(item)
        elif isinstance(item, int) and not isinstance(item, bool):
            yield str(item)
        elif depth < _MOST_DEPTH and isinstance(item, Mapping):
            inner = [part for pair in item.items() for part in pair]
            queue += [(part, depth + 1) for part in reversed(inner)]
        elif depth < _MOST_DEPTH and isinstance(item, (list, tuple)):
            queue += [(part, depth + 1) for part in reversed(item)]
        elif isinstance(item, (Mapping, list, tuple)):
            raise ValueError("the document is nested too deeply to be searched")
