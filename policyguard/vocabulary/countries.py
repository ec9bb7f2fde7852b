"""Which codes of countries and subdivisions there are, and what others are meant to say.

A code that no country has is a fact about nowhere: a rule that asks for `GB` falls silent
where somebody writes `UK`. So the codes are a closed set.

Source: ISO 3166-1 alpha-2, all codes that are officially assigned, as the tz database has
them (`iso3166.tab`, in the public domain, current as of ISO/TC 46 N1108 of 2023-04-05,
read in release 2025b). `XK` is not assigned: ISO has no code for Kosovo and leaves this
one to users, and the institutions of the EU write it. ISO 3166-2: as iso-codes 4.15.0 of
2023-04-27 has it, of the countries in which rules tell one subdivision from another, and
of Russia, which gives codes of its own to regions of Ukraine.

INVARIANT: a code is never taken away from here, whatever ISO does: what was recorded with
it is read again.
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import Final

_CODES: Final = """
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN
    BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ
    DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL
    GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM
    JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME
    MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP
    NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD
    SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO
    TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW XK
"""
COUNTRIES: Final = frozenset(_CODES.split())
"""Every code that a country may have."""

SUBDIVISIONS: Final = {
    country: frozenset(codes.split())
    for country, codes in {
        "RU": """
        AD AL ALT AMU ARK AST BA BEL BRY BU CE CHE CHU CU DA IN IRK IVA KAM KB KC KDA
        KEM KGD KGN KHA KHM KIR KK KL KLU KO KOS KR KRS KYA LEN LIP MAG ME MO MOS MOW
        MUR NEN NGR NIZ NVS OMS ORE ORL PER PNZ PRI PSK ROS RYA SA SAK SAM SAR SE SMO
        SPE STA SVE TA TAM TOM TUL TVE TY TYU UD ULY VGG VLA VLG VOR YAN YAR YEV ZAB
        """,
        "UA": """
        05 07 09 12 14 18 21 23 26 30 32 35 40 43 46 48 51 53 56 59 61 63 65 68 71 74 77
        """,
        "US": """
        AK AL AR AS AZ CA CO CT DC DE FL GA GU HI IA ID IL IN KS KY LA MA MD ME MI MN MO
        MP MS MT NC ND NE NH NJ NM NV NY OH OK OR PA PR RI SC SD TN TX UM UT VA VI VT WA
        WI WV WY
        """,
    }.items()
}
"""Every code after the hyphen, of the countries of which all are known."""

_MEANT: Final = {
    "AN": "is no country's code any more: write `BQ`, `CW` or `SX`",
    "EL": "is no country's code: write `GR`",
    "EU": "is no country: name the member states that are meant, or leave it unknown",
    "RU-CR": "is no code of ISO 3166-2: write `UA-43`",
    "RU-SEV": "is no code of ISO 3166-2: write `UA-40`",
    "UA-CR": "is no code of ISO 3166-2: write `UA-43`",
    "UK": "is no country's code: write `GB`",
    "UN": "is no country: name those that are meant, or leave it unknown",
    "XI": "is no country's code: write `GB`",
}
"""What people write, and what they should; nothing else that is refused is repeated."""
_SUBDIVISION: Final = re.compile(r"([A-Z]{2})-([A-Z0-9]{1,3})", re.ASCII)


def country(code: str) -> str:
    """Return the code of a country as it is.

    Raises:
        ValueError: no country has it; says what to write where that is known.
    """
    if code not in COUNTRIES:
        raise ValueError(
            _meant(code)
            or "is no country's code: write that of ISO 3166-1 alpha-2, as `DE`"
        )
    return code


def subdivision(code: str) -> str:
    """Return the code of a part of a country as it is.

    Raises:
        ValueError: there is no such part, as far as that is known.
    """
    parts = _SUBDIVISION.fullmatch(code)
    if parts is None:
        raise ValueError(
            "is no subdivision's code: write that of ISO 3166-2, as `UA-43`"
        )
    country(parts[1])
    if parts[2] not in SUBDIVISIONS.get(parts[1], (parts[2],)):
        raise ValueError(
            _meant(code) or f"`{parts[1]}` has no such subdivision (ISO 3166-2)"
        )
    return code


def pattern() -> str:
    """Return a regular expression of every country's code, as a JSON Schema has it."""
    grouped = groupby(sorted(COUNTRIES), key=lambda code: code[0])
    letters = (
        f"{first}[{''.join(code[1] for code in codes)}]" for first, codes in grouped
    )
    return f"({'|'.join(letters)})"


def _meant(code: str) -> str | None:
    meant = _MEANT.get(code)
    return None if meant is None else f"`{code}` {meant}"
