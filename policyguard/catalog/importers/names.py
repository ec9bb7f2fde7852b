"""Compares names of legal persons, to find who may be on a list.

INVARIANT: equal names are a *potential* match. Two companies can have one name, and one
company has many: nothing here decides that a party is listed, or that it is not.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final

# The tails that an entry of the Entity List carries behind a name.
_TAIL: Final = re.compile(
    r",?\s+(and any successor|a\.?k\.?a\.?|f\.?k\.?a\.?|affiliated entit|including)\b.*",
    re.IGNORECASE | re.DOTALL,
)
_WORD: Final = re.compile(r"[^\W_]+", re.UNICODE)
# Kinds of company, and words so common in names of companies that they tell nobody
# apart; "technology" and "group" are among them on purpose: this errs to a match.
_COMMON_WORDS: Final = """
    ag bv co company corp corporation gmbh group holding holdings inc incorporated
    international kg limited llc llp ltd nv oy pbc plc private pte pty public sa sarl
    sas se spa srl technologies technology the
"""
_COMMON: Final = frozenset(_COMMON_WORDS.split())


def name_key(name: str) -> str:
    """Return what is compared of a name: its telling words, sorted.

    Args:
        name: A name as a list or a catalog writes it.

    Returns:
        The words in one case, without accents, kinds of company and tails, sorted
        and joined by spaces; all words where nothing else is left, and an empty text
        for a name without a letter or a digit.
    """
    plain = unicodedata.normalize("NFKD", _TAIL.sub("", name))
    letters = "".join(char for char in plain if not unicodedata.combining(char))
    words = [word.casefold() for word in _WORD.findall(letters)]
    telling = [word for word in words if word not in _COMMON]
    return " ".join(sorted(set(telling or words)))


def keys_of(parties: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """Return the parties that go by each key, sorted.

    Args:
        parties: Names by the id of a party of the catalog.
    """
    found: dict[str, set[str]] = {}
    for party, names in parties.items():
        for name in names:
            if key := name_key(name):
                found.setdefault(key, set()).add(party)
    return {key: tuple(sorted(ids)) for key, ids in found.items()}
