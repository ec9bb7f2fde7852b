"""Codes of countries are a closed set, and who writes another is told what to write."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from policyguard.catalog.schema import CatalogFile
from policyguard.settings import Settings
from policyguard.vocabulary.call import ModelCall
from policyguard.vocabulary.countries import COUNTRIES, SUBDIVISIONS
from policyguard.vocabulary.decision import Decision
from policyguard.vocabulary.value import (
    COUNTRY_PATTERN,
    SUBDIVISION_PATTERN,
    Country,
    Subdivision,
)

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
COUNTRY: TypeAdapter[str] = TypeAdapter(Country)
SUBDIVISION: TypeAdapter[str] = TypeAdapter(Subdivision)


def accepted(kind: TypeAdapter[str], code: str) -> bool:
    try:
        return kind.validate_python(code, strict=True) == code
    except ValidationError:
        return False


def said(kind: TypeAdapter[str], code: str) -> str:
    with pytest.raises(ValidationError) as caught:
        kind.validate_python(code)
    return caught.value.errors()[0]["msg"].removeprefix("Value error, ")


def patterns(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        schema = list(schema.values())
    if isinstance(schema, list):
        for item in schema:
            yield from patterns(item)


def test_of_all_pairs_of_letters_those_are_taken_that_iso_assigned_and_kosovo() -> None:
    pairs = [first + second for first in LETTERS for second in LETTERS]

    taken = {code for code in pairs if accepted(COUNTRY, code)}

    assert taken == COUNTRIES
    assert len(COUNTRIES - {"XK"}) == 249
    assert {"UK", "EU", "EL", "XX", "ZZ", "AN", "SU", "XI", "FX"}.isdisjoint(taken)


@pytest.mark.parametrize(
    "code", ["de", "DEU", "D", "", "DE ", "DE\n", "\uff24\uff25", "D3"]
)
def test_what_only_looks_like_a_code_is_none(code: str) -> None:
    assert not accepted(COUNTRY, code)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("UK", "`UK` is no country's code: write `GB`"),
        ("EL", "`EL` is no country's code: write `GR`"),
        (
            "EU",
            (
                "`EU` is no country: name the member states that are meant, or leave it"
                " unknown"
            ),
        ),
        ("Alice", "is no country's code: write that of ISO 3166-1 alpha-2, as `DE`"),
    ],
)
def test_who_writes_another_code_is_told_what_to_write(code: str, message: str) -> None:
    assert said(COUNTRY, code) == message


def test_subdivisions_are_of_countries_and_known_ones_where_rules_tell_them_apart() -> (
    None
):
    given = ("UA-43", "US-TX", "FR-IDF", "GB-ENG", "IR-07", "UK-ENG", "EU-1", "UA-CR")
    more = ("RU-CR", "RU-SEV", "US-TEX", "US-", "US", "us-tx", "US-TX\n", "US-\uff34X")

    taken = [code for code in (*given, *more) if accepted(SUBDIVISION, code)]

    assert taken == ["UA-43", "US-TX", "FR-IDF", "GB-ENG", "IR-07"]
    assert {key: len(codes) for key, codes in SUBDIVISIONS.items()} == {
        "RU": 83,
        "UA": 27,
        "US": 57,
    }


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("RU-CR", "`RU-CR` is no code of ISO 3166-2: write `UA-43`"),
        ("UK-ENG", "`UK` is no country's code: write `GB`"),
        ("US-TEX", "`US` has no such subdivision (ISO 3166-2)"),
        ("Texas", "is no subdivision's code: write that of ISO 3166-2, as `UA-43`"),
    ],
)
def test_who_writes_another_subdivision_is_told_why(code: str, message: str) -> None:
    assert said(SUBDIVISION, code) == message


def test_a_schema_takes_the_same_countries() -> None:
    pairs = [first + second for first in LETTERS for second in LETTERS]
    some = ("UA-43", "FR-IDF", "UK-ENG", "EU-1", "UA-")

    assert {code for code in pairs if re.search(COUNTRY_PATTERN, code)} == COUNTRIES
    assert [code for code in some if re.search(SUBDIVISION_PATTERN, code)] == [
        "UA-43",
        "FR-IDF",
    ]


@pytest.mark.parametrize("kind", [ModelCall, Decision, CatalogFile, Settings])
def test_no_field_of_what_people_declare_takes_any_two_letters(kind: Any) -> None:
    found = set(patterns(kind.model_json_schema()))

    assert COUNTRY_PATTERN in found
    assert [
        pattern
        for pattern in found
        if re.search(pattern, "ZZ") and not re.search(pattern, "ZZZZ")
    ] == []
