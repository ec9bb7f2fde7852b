"""Compares names of legal and natural persons, to find who may be on a list.

A name is compared by its key: the words of it that tell somebody apart, in one case,
without accents and kinds of company, in one order. The key of each name in a question is
worked out before an engine sees it, because engines do not agree on letters; the keys of
a catalog's lists are worked out when it is compiled.

INVARIANT: equal names are a *potential* match. Two companies can have one name, and one
company has many: nothing here decides that a party is listed, or that it is not.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, MutableMapping
from functools import lru_cache
from typing import Any, Final

KEY: Final = "name_key"
"""The field of `input` beside each name that is compared."""
MOST_REMEMBERED: Final = 4_096

# The tails that an entry of the Entity List carries behind a name.
_TAIL: Final = re.compile(
    r",?\s+(and any successor|a\.?k\.?a\.?|f\.?k\.?a\.?|affiliated entit|including)\b.*",
    re.IGNORECASE | re.DOTALL,
)
# Dots and strokes inside `S.p.A.`, `L.L.C.` and `A/S` part no words.
_INSIDE: Final = re.compile(r"(?<=\b\w)[./](?=\w\b)")
_WORD: Final = re.compile(r"[^\W_]+", re.UNICODE)
_POLISH: Final = re.compile(r"\bsp\.?\s*z\s*o\.?\s*o\b\.?")
# Letters that no normal form takes apart.
_LETTERS: Final = str.maketrans(
    {
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "æ": "ae",
        "œ": "oe",
        "\u0131": "i",
    }
)
# Letters of Cyrillic and Greek that are taken for Latin ones; between these they are.
_ALIKE: Final = str.maketrans(
    "АВЕКМНОРСТУХІЈЅавекмнорстухіјѕһԁԛԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧαεηικνορτυχγω",
    "ABEKMHOPCTYXIJSabekmhopctyxijshdqwABEZHIKMNOPTYXaenikvoptuxyw",
)
_LATIN: Final = re.compile("[A-Za-z]")
_UNSEEN: Final = frozenset({"Cf", "Me", "Mn"})
"""Categories of characters that stand on others, or are not seen at all."""
# An umlaut is written with an e behind it as often as not: both are the bare letter.
_UMLAUT: Final = re.compile(r"(?<=[aou])e(?=[^\W\d_aeiou])|(?<=[aou])e\b")
# Kinds of company, and words so common in names of companies that they tell nobody
# apart; "technology" and "group" are among them on purpose: this errs to a match.
_COMMON_WORDS: Final = """
    ab ag aktiengesellschaft and ao aps as beschrankter bhd bv bvba co company corp
    corporation cv de dmcc doo eood et fzc fzco fze fzllc gesellschaft gmbh group groupe
    gruppe haftung holding holdings inc incorporated international joint jsc kft kg kgaa
    kk lda liability limited limitada llc llp lp ltd ltda mbh mit nv oao ohg ojsc ooo oy
    oyj pao pbc pjsc plc private pt pte pty public pvt sa saoc sarl sas sdn se sl spa
    spzoo sprl srl sro stock tbk technologies technology the ug und y zao zrt
"""
_COMMON: Final = frozenset(_COMMON_WORDS.split())
# In Chinese the kind of company ends the word: "limited", "joint-stock", "group".
_CHINESE: Final = re.compile(r"(?:(?:股份)?有限(?:责任|責任)?公司|集团|集團|公司)+$")


@lru_cache(maxsize=MOST_REMEMBERED)
def name_key(name: str) -> str:
    """Return what is compared of a name: its telling words, sorted.

    Args:
        name: A name as a list, a catalog or a call writes it.

    Returns:
        The words in one case, without accents, kinds of company, tails and what is not
        seen, letters that look Latin among Latin ones taken for these; sorted
        and joined by spaces; all words where nothing else is left, and an empty text
        for a name without a letter or a digit.
    """
    plain = unicodedata.normalize("NFKD", _TAIL.sub("", name))
    seen = "".join(char for char in plain if unicodedata.category(char) not in _UNSEEN)
    letters = _WORD.sub(_as_it_looks, seen).casefold()
    joined = _INSIDE.sub("", _POLISH.sub("spzoo", letters.translate(_LETTERS)))
    words = [_CHINESE.sub("", word) or word for word in _WORD.findall(joined)]
    telling = [word for word in words if word not in _COMMON]
    return " ".join(sorted({_UMLAUT.sub("", word) for word in telling or words}))


def _as_it_looks(word: re.Match[str]) -> str:
    text = word.group()
    return text.translate(_ALIKE) if _LATIN.search(text) else text


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


def with_name_keys(question: dict[str, Any]) -> dict[str, Any]:
    """Return a question in which each name that is compared has its key beside it.

    Args:
        question: `input` as JSON; changed in place.
    """
    add_name_keys(question["caller"])
    add_name_keys(question["tenant"])
    return question


def without_name_keys(question: Mapping[str, Any]) -> dict[str, Any]:
    """Return a question as a call has it: without the keys of names.

    Args:
        question: `input` as JSON; it is not changed.
    """
    bare = dict(question)
    for group in ("caller", "tenant"):
        party = question[group]
        organisation = party.get("organisation") if isinstance(party, dict) else None
        if isinstance(organisation, dict):
            bare[group] = {**party, "organisation": _without_key(organisation)}
    return bare


def _without_key(organisation: Mapping[str, Any]) -> dict[str, Any]:
    bare = {name: value for name, value in organisation.items() if name != KEY}
    owners = bare.get("owners")
    if isinstance(owners, list):
        bare["owners"] = [
            {name: value for name, value in owner.items() if name != KEY}
            if isinstance(owner, dict)
            else owner
            for owner in owners
        ]
    return bare


def add_name_keys(group: MutableMapping[str, Any] | None) -> None:
    """Write the key of each organisation's and owner's name beside it.

    Args:
        group: `caller` or `tenant` of a question, as JSON; changed in place.
    """
    organisation = None if group is None else group.get("organisation")
    if organisation is None:
        return
    for named in (organisation, *(organisation["owners"] or ())):
        named[KEY] = None if named["name"] is None else name_key(named["name"])
