"""Finds e-mail addresses, and the words that mark texts as export controlled.

Specification: RFC 5321 for addresses, as far as people write them; the markings of 22
CFR 120 to 130 (ITAR), 15 CFR 730 to 774 (EAR) and the CUI registry.

INVARIANT: every repetition in a pattern is bounded, so that the work grows with the
length of the text and not faster, whatever it says.
"""

from __future__ import annotations

import re
from typing import Final

_LOCAL: Final = r"[^\W_][\w.%+'-]{0,63}"
_NAME: Final = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_AT: Final = r"(?:@| ?[(\[{] ?(?:at|ät|@) ?[)\]}] ?)"
_DOT: Final = r"(?:\.| ?[(\[{] ?(?:dot|punkt|\.) ?[)\]}] ?)"
_EMAIL: Final = re.compile(
    rf"(?<![\w.%+'@/-])(?P<local>{_LOCAL}){_AT}"
    rf"{_NAME}(?:{_DOT}{_NAME}){{0,4}}?{_DOT}(?P<top>[^\W\d_]{{2,24}})(?![\w@])",
    re.IGNORECASE,
)
_NO_TOPS: Final = frozenset(
    "png jpg jpeg gif svg webp css js ts py json yaml yml html service local".split()  # noqa: SIM905 -- a line reads better
)
"""What ends names of files and units, as `icon@2x.png`."""
_NO_LOCALS: Final = frozenset({"git"})
"""Who is no person: `git@github.com` is how repositories are fetched."""
_MARKS: Final = {
    "itar": re.compile(
        r"(?<![\w-])ITAR(?![\w])"
        r"|(?i:(?<!\w)itar[ -](?:controlled|restricted|technical|data)(?!\w))"
        r"|(?i:International Traffic in Arms Regulations?)"
        r"|(?i:Arms Export Control Act)"
        r"|(?i:USML)(?: (?i:category|cat\.?))? [IVX]{1,5}(?![\w])"
        r"|(?i:U\.?S\.? Munitions List)"
        r"|22 (?i:C\.?F\.?R\.?) (?:parts? |§{1,2} ?){0,2}12[0-9]",
    ),
    "eccn": re.compile(
        r"(?i:ECCN[ :#(-]{0,4}(?:is |no\.? |number ){0,2}[0-9][A-E][0-9]{3}(?![0-9]))"
        r"|(?i:Export Control Classification Number)[ :]{0,3}[0-9][A-E][0-9]{3}"
        r"|(?<![\w.])[0-9][A-E](?:00[1-9]|090|10[1-9]|2[0-9]{2}|61[0-9]|99[0-9])"
        r"(?:\.[a-y](?:\.[0-9]{1,2})?)?(?![\w])",
    ),
    "ear99": re.compile(r"(?<![\w])EAR[ -]?99(?![\w])", re.IGNORECASE),
    "export_controlled": re.compile(
        r"(?<!not )(?<!non-)(?i:export[ -]controlled)(?![\w])"
        r"|(?i:subject to (?:the |U\.?S\.? ){0,2}Export Administration Regulations?)"
        r"|(?i:subject to (?:the )?)EAR(?![\w])"
        r"|(?<![\w])NOFORN(?![\w])"
        r"|CUI//(?:SP-)?EXPT(?![\w])"
        r"|(?i:export of this (?:document|information|item|data) is"
        r" (?:restricted|controlled|prohibited))"
        r"|(?i:(?:unterliegt|unterliegen) der Exportkontrolle)",
    ),
}


def emails(text: str) -> int:
    """Count the e-mail addresses, also those written with `(at)` and `(dot)`."""
    return sum(
        found["top"].lower() not in _NO_TOPS
        and found["local"].lower() not in _NO_LOCALS
        for found in _EMAIL.finditer(text)
    )


def marks(text: str, kind: str) -> int:
    """Count the markings of one kind: `itar`, `eccn`, `ear99`, `export_controlled`."""
    return sum(1 for _ in _MARKS[kind].finditer(text))
