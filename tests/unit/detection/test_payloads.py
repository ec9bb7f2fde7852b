"""Data URIs: text in them is searched, pictures are not."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyguard.detection.payloads import without_payloads
from policyguard.guard.detecting import look
from policyguard.vocabulary.call import DataFacts
from policyguard.vocabulary.found import Found

PICTURE = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)) * 40


def uri(content: bytes, head: str = "image/png;base64") -> str:
    return f"data:{head},{base64.b64encode(content).decode()}"


def found_in(*texts: str) -> Found:
    parts = [{"type": "image_url", "image_url": {"url": text}} for text in texts]
    content = json.dumps({"messages": [{"role": "user", "content": parts}]}).encode()
    return look(content, declared=DataFacts(classes=("none",)))


def kinds(found: Found) -> set[str]:
    return {item.kind for item in found.kinds}


def test_a_picture_is_left_out() -> None:
    assert without_payloads(f"see {uri(PICTURE)} there") == (
        "see data:image/png;base64, there"
    )


def test_a_picture_of_two_megabytes_leaves_the_text_beside_it_searchable() -> None:
    found = found_in(uri(PICTURE * 200), "write to jane@example.org")

    assert (found.complete, kinds(found)) == (True, {"email"})


@pytest.mark.parametrize(
    "head",
    [
        "text/plain;base64",
        "text/plain;charset=utf-8;base64",
        "image/png;base64",
        "application/octet-stream;BASE64",
        ";base64",
    ],
)
def test_a_payload_that_is_text_is_searched_whatever_it_is_called(head: str) -> None:
    assert kinds(found_in(uri(b"write to jane@example.org", head))) == {"email"}


def test_the_alphabet_of_urls_and_a_missing_end_are_read_too() -> None:
    text = base64.urlsafe_b64encode("jane@example.org ÿÿÿ???".encode()).decode()
    assert {"-", "_"} & set(text)

    assert kinds(found_in(f"data:text/plain;base64,{text.rstrip('=')}")) == {"email"}


@pytest.mark.parametrize(
    "text",
    [
        "data:text/plain,write%20to%20jane%40example.org",
        "data:,jane@example.org",
        "DATA:text/plain,jane@example.org",
        "data: jane@example.org, and so on",
        "data:image/png;base64,!jane@example.org",
        f"{uri(PICTURE)} jane@example.org",
        f"{uri(PICTURE)},{uri(b'jane@example.org', 'text/plain;base64')}",
    ],
)
def test_text_beside_and_in_other_forms_is_searched(text: str) -> None:
    assert kinds(found_in(text)) == {"email"}


@given(st.binary(max_size=200), st.text(max_size=50), st.text(max_size=50))
def test_what_stands_around_a_payload_stays(
    content: bytes, before: str, after: str
) -> None:
    kept = without_payloads(f"{before} {uri(content)} {after}")

    if "data:" not in f"{before}{after}".casefold():
        assert kept.startswith(f"{before} data:image/png;base64,")
        assert kept.endswith(f" {after}")


@given(st.text(max_size=300))
def test_a_text_without_data_uris_is_the_same(text: str) -> None:
    assert "data:" in text.casefold() or without_payloads(text) == text
