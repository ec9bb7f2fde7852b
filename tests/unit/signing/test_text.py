"""The strict text forms: one spelling per value, only our errors."""

from __future__ import annotations

import base64
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policyguard.errors import FormatError
from policyguard.signing.text import (
    decode_base64,
    decode_decimal,
    decode_text,
    encode_base64,
    excerpt,
    refuse_controls,
    validate_key_name,
)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_base64_is_the_standard_one_and_decodes_to_the_same_bytes(data: bytes) -> None:
    encoded = encode_base64(data)

    assert encoded == base64.b64encode(data).decode()
    assert decode_base64(encoded, what="it", length=len(data)) == data


@pytest.mark.parametrize(
    "text",
    ["YQ", "YQ=", "YR==", "YQ==\n", " YQ==", "Y Q==", "YQ==YQ==", "-_8=", "YQ==é", "="],
    ids=str,
)
def test_base64_of_another_spelling_is_refused(text: str) -> None:
    with pytest.raises(FormatError, match="base64"):
        decode_base64(text, what="the hash")


def test_base64_of_another_length_names_both_lengths() -> None:
    with pytest.raises(FormatError) as caught:
        decode_base64("YQ==", what="the root hash", length=32)

    assert str(caught.value) == "the root hash has 1 bytes, not 32"


@pytest.mark.parametrize("number", [0, 1, 10, 2**63 - 1])
def test_a_decimal_below_two_to_the_63_is_read(number: int) -> None:
    assert decode_decimal(str(number), what="the size") == number


@pytest.mark.parametrize(
    "text",
    ["", "00", "01", "+1", "-1", "1 ", " 1", "1\n", "1_0", "0x1", "1.0", "\u0661", "\u00b2",
     str(2**63), "9" * 19, "9" * 5000],
    ids=lambda text: ascii(text[:20]),
)  # fmt: skip
def test_any_other_decimal_is_refused(text: str) -> None:
    with pytest.raises(FormatError, match="not a decimal"):
        decode_decimal(text, what="the size")


@pytest.mark.parametrize(
    "name",
    ["", "a b", "a+b", "a\tb", "a\nb", "a\x00b", "a\u00a0b", "a\u2003b", "a\u2028b",
     "a\x85b", "a\ud800b", "a" * 1025],
    ids=lambda name: ascii(name[:12]),
)  # fmt: skip
def test_a_key_name_that_cannot_stand_in_a_signature_line_is_refused(
    name: str,
) -> None:
    with pytest.raises(FormatError, match="key name"):
        validate_key_name(name)


@pytest.mark.parametrize(
    "name", ["a", "acme.example/policyguard/web-1", "é—日本", "a\u200bb"]
)
def test_other_key_names_are_accepted(name: str) -> None:
    validate_key_name(name)


def test_text_that_is_not_utf8_or_too_long_is_refused() -> None:
    for wrong in (b"\xff", b"\xed\xa0\x80", b"\xc0\x80", "\ud800", b"12345", "12345"):
        with pytest.raises(FormatError):
            decode_text(wrong, what="it", limit=4)
    assert decode_text("é".encode(), what="it", limit=2) == "é"
    with pytest.raises(FormatError, match="longer than 1 bytes"):
        decode_text("é", what="it", limit=1)


def test_control_characters_are_refused_but_the_line_feed() -> None:
    refuse_controls("a\nb\x7f", what="the note")
    for code in set(range(0x20)) - {0x0A}:
        with pytest.raises(FormatError, match=f"U\\+{code:04X}"):
            refuse_controls(f"a{chr(code)}", what="the note")


@settings(deadline=None)
@given(st.text(st.characters(), max_size=100))
def test_an_excerpt_is_printable_and_short(text: str) -> None:
    shown = excerpt(text)

    assert shown.isprintable()
    assert len(shown) <= 60 * len("\\U0010ffff") + 1


@settings(deadline=None)
@given(st.text(st.characters(), max_size=40) | st.from_regex(r"[0-9A-Za-z+/=]{0,20}"))
def test_decoders_raise_only_errors_of_the_project(text: str) -> None:
    with suppress(FormatError):
        assert encode_base64(decode_base64(text, what="it")) == text
    with suppress(FormatError):
        assert str(decode_decimal(text, what="it")) == text
