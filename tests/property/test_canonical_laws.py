from __future__ import annotations

import json

import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from policyguard.canonical import MAX_INTEGER, canonical_bytes, parse_json
from policyguard.errors import FormatError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
KEYS = st.text(st.characters(max_codepoint=127), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | TEXT,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4)
    ),
    max_leaves=20,
)


@given(JSON)
def test_canonical_bytes_are_those_of_rfc_8785(value: object) -> None:
    assert canonical_bytes(value) == rfc8785.dumps(value)  # type: ignore[arg-type]


@given(JSON)
def test_parsing_canonical_bytes_gives_the_value_back(value: object) -> None:
    assert parse_json(canonical_bytes(value)) == value


@given(st.binary(max_size=200))
def test_the_parser_raises_only_our_error_for_any_bytes(data: bytes) -> None:
    try:
        value = parse_json(data)
    except FormatError:
        return

    assert value == json.loads(data)
