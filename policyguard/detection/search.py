"""Searches a text with all detectors, after undoing the simplest disguises.

A detector misses what is written in another way than people usually write it, and hits
what only looks alike. How often is measured on a labelled set: see the reference.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from functools import partial
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
        text: At most `MOST_CHARACTERS`, and `MOST_WITH_MORE` with other detectors; of a
            longer one nothing is said.
        more: Other detectors; of a kind that two of them find, the greater number counts.
    """
    most = MOST_WITH_MORE if more else MOST_CHARACTERS
    if len(text) > most:
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
