"""Finds account, card and telephone numbers: by form, by length, by check digits.

Specification: ISO 13616 with ISO 7064 (MOD 97-10) for IBANs, ISO/IEC 7812 with the Luhn
formula for cards, ITU-T E.164 and the North American Numbering Plan for telephones.

INVARIANT: from each place of a text at most `_REACH` characters are looked at, so the
work grows with the length of the text and not faster, whatever it says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_REACH: Final = 80
_IBAN_START: Final = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}")
_DIGIT_START: Final = re.compile(r"(?<![0-9A-Za-z_])[0-9]")
_BETWEEN: Final = " .-\u2010\u2011\u2013"
_IBAN_LENGTHS: Final = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22,
    "BH": 22, "BR": 29, "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22,
    "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FO": 18, "FR": 27,
    "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28,
    "IE": 22, "IL": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28,
    "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27, "MD": 24, "ME": 22, "MK": 19,
    "MR": 27, "MT": 31, "MU": 30, "NL": 18, "NO": 15, "PK": 24, "PL": 28, "PS": 29,
    "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24, "SE": 24, "SI": 19, "SK": 24,
    "SM": 27, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
}  # fmt: skip
_SHORTEST_CARD: Final = 13
_CARDS: Final = (
    (re.compile(r"4"), {13, 16, 19}),
    (re.compile(r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720"), {16}),
    (re.compile(r"3[47]"), {15}),
    (re.compile(r"30[0-5]|3[689]"), {14}),
    (re.compile(r"6011|64[4-9]|65"), {16, 19}),
    (re.compile(r"35(?:2[89]|[3-8])"), {16, 19}),
    (re.compile(r"62"), {16, 17, 18, 19}),
)
_CARD_LENGTHS: Final = (16, 15, 14, 19, 18, 17, 13)
_AREA: Final = r"(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[-. ])"
_PHONES: Final = (
    # With the prefix for abroad.
    re.compile(
        r"(?<![0-9A-Za-z+.])(?<![0-9A-Z][ .-])(?:\+|00)[1-9][0-9]{0,3}(?:[ ./()-]{0,2}[0-9]){6,12}(?![0-9])"
    ),
    # North America.
    re.compile(
        rf"(?<![0-9A-Za-z+.(-])(?:1[-. ])?{_AREA}[2-9][0-9]{{2}}[-. ][0-9]{{4}}(?![0-9-])"
    ),
    # With an area code that a stroke sets apart.
    re.compile(
        r"(?<![0-9A-Za-z+./-])0[1-9][0-9]{1,4} ?[/-] ?[0-9](?:[ -]?[0-9]){4,8}(?![0-9])"
    ),
    # After a word that says what it is.
    re.compile(
        r"(?<![^\W_])(?:tel|phone|telephone|telefon|téléphone|tél|teléfono|mobile|mobil"
        r"|handy|cell|fax|call|whatsapp|sms|durchwahl)[.:]{0,2} {0,2}"
        r"(?:(?:me|us|him|her|is|at|on|number|no|nr|unter|an|au)[.:]? ){0,2}"
        r"\(?[0-9](?:[ ./()-]{0,3}[0-9]){5,13}(?![0-9])",
        re.IGNORECASE,
    ),
)
_DATE: Final = re.compile(r"(?:19|20)[0-9]{2}[-/. ][01]?[0-9][-/. ][0-3]?[0-9]")


def ibans(text: str) -> int:
    """Count the account numbers whose length and check digits are right."""
    return sum(_is_iban(text, found.start()) for found in _IBAN_START.finditer(text))


def cards(text: str) -> int:
    """Count the card numbers of known issuers whose check digit is right."""
    return sum(1 for _ in _cards(text))


def phones(text: str) -> int:
    """Count what is written as a telephone number."""
    taken: set[int] = set()
    for pattern in _PHONES:
        for found in pattern.finditer(text):
            if not _DATE.search(found[0]):
                taken.add(found.end())
    return len(taken)


def _is_iban(text: str, start: int) -> bool:
    length = _IBAN_LENGTHS.get(text[start : start + 2].upper())
    if length is None:
        return False
    known: list[str] = []
    after_gap = True
    window = text[start : start + _REACH]
    for place, char in enumerate(window):
        if len(known) == length:
            return not char.isalnum() and _mod_97("".join(known))
        if char.isascii() and char.isalnum():
            known.append(char.upper())
            after_gap = False
        elif char in _BETWEEN and not after_gap:
            after_gap = True
        else:
            return False
        if place == len(window) - 1 and len(known) == length:
            return _mod_97("".join(known))
    return False


def _mod_97(iban: str) -> bool:
    moved = iban[4:] + iban[:4]
    return int("".join(str(int(char, 36)) for char in moved)) % 97 == 1


def _cards(text: str) -> Iterator[int]:
    ends = 0
    for found in _DIGIT_START.finditer(text):
        start = found.start()
        if start < ends or text[max(0, start - 1) : start] in {"+", "."}:
            continue
        size = _card_at(text, start)
        if size:
            ends = start + size
            yield start


def _card_at(text: str, start: int) -> int:
    """Return how many characters a card number at a place takes, or 0."""
    digits: list[str] = []
    ends: dict[int, int] = {}
    after_gap = True
    window = text[start : start + _REACH // 2]
    for place, char in enumerate(window):
        if char.isascii() and char.isdigit():
            digits.append(char)
            after_gap = False
        elif char in _BETWEEN and not after_gap:
            ends[len(digits)] = place
            after_gap = True
        else:
            if not (char.isalnum() or char == "_"):
                ends[len(digits)] = place
            break
    else:
        ends[len(digits)] = len(window)
    for length in _CARD_LENGTHS:
        if length in ends and _is_card("".join(digits[:length])):
            return ends[length]
    return 0


def _is_card(number: str) -> bool:
    known = any(
        prefix.match(number) and len(number) in lengths for prefix, lengths in _CARDS
    )
    return known and len(set(number)) > 1 and _luhn(number)


def _luhn(number: str) -> bool:
    total = 0
    for place, char in enumerate(reversed(number)):
        digit = int(char) * (1 + place % 2)
        total += digit - 9 if digit > 9 else digit  # noqa: PLR2004 -- the formula's own
    return total % 10 == 0
