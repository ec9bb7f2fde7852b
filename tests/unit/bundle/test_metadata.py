"""Tests of the METADATA comments of Rego modules."""

from __future__ import annotations

import typing
from datetime import date

import pytest
from unit.bundle.small_bundle import rule

from policyguard.bundle import metadata
from policyguard.bundle.metadata import Custom, Window, parse_metadata
from policyguard.errors import BundleError
from policyguard.vocabulary import decision


def _refusal(text: str) -> str:
    with pytest.raises(BundleError) as caught:
        parse_metadata(file="a.rego", text=text)
    return str(caught.value)


def _custom(text: str) -> Custom:
    (found,) = parse_metadata(file="a.rego", text=text)
    assert found.annotations.custom is not None
    return found.annotations.custom


def test_a_document_is_read_with_its_place() -> None:
    (found,) = parse_metadata(file="a.rego", text=rule())

    assert (
        found.file,
        found.line,
        found.annotations.title,
        found.annotations.citation,
    ) == (
        "a.rego",
        3,
        "Technology is not exported",
        "15 CFR 734",
    )


def test_our_own_fields_are_read() -> None:
    assert _custom(rule(until="2026-07-01T00:00:00+02:00")) == Custom(
        id="EAR-01",
        severity="high",
        as_of=date(2026, 11, 1),
        locked=False,
        effective=(
            Window(
                **{
                    "from": "2026-06-12T21:21:00Z",
                    "to": "2026-06-30T22:00:00Z",
                    "status": "in_force",
                    "verified": True,
                }
            ),
        ),
    )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-06-12T21:21:00Z", 1781299260),
        ('"2026-06-12T21:21:00Z"', 1781299260),
        ("2026-06-12T23:21:00+02:00", 1781299260),
        ("2018-05-25", 1527206400),
        ('"2018-05-25"', 1527206400),
        ("null", None),
        ("1969-12-31T23:59:59Z", -1),
    ],
)
def test_an_instant_is_seconds_in_utc(text: str, seconds: int | None) -> None:
    assert _custom(rule(since=text)).effective[0].since == seconds


@pytest.mark.parametrize(
    "text",
    [
        "2026-06-12T21:21:00",
        "2026-06-12T21:21:00.5Z",
        "soon",
        "1781299260",
        "true",
        "2026-13-01",
    ],
)
def test_a_doubtful_instant_is_refused_with_its_line(text: str) -> None:
    message = _refusal(rule(since=text))

    assert message.startswith(
        (
            "a.rego:14: METADATA `custom.effective.0.from`: ",
            "a.rego:4: METADATA is no YAML",
        )
    )


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            "severity: high",
            "severity: grave",
            "a.rego:11: METADATA `custom.severity`: ",
        ),
        ("  id: EAR-01", "  id: ear-1", "a.rego:10: METADATA `custom.id`: "),
        ("  id: EAR-01", "  id: [", "a.rego:12: METADATA is no YAML"),
        (
            "verified: true",
            "verified: 1",
            "a.rego:14: METADATA `custom.effective.0.verif",
        ),
        ("as_of: 2026-11-01", "as_of: 3x", "a.rego:12: METADATA `custom.as_of`: "),
        ("severity: high", "serious: high", "a.rego:9: METADATA `custom.severity`: "),
        ("title: ", "headline: ", "a.rego:4: METADATA `headline`: "),
        ("title: ", "title: one\n# title: ", "a.rego:5: METADATA is no YAML: a key is"),
        (
            "title: T",
            "title: !!python/name:os.system T",
            "a.rego:4: METADATA is no YAML",
        ),
        ("title: T", "title: \0T", "a.rego:4: METADATA is no YAML"),
        (": high", ": high\n#   more: 1", "a.rego:12: METADATA `custom.more`: "),
        ("#   severity", "#  severity", "a.rego:11: METADATA is no YAML"),
    ],
)
def test_a_wrong_document_is_refused_with_its_line(
    before: str, after: str, message: str
) -> None:
    text = rule().replace(before, after, 1)

    assert _refusal(text).startswith(message)


@pytest.mark.parametrize(
    "block",
    [
        "# METADATA\n# a: &x [1]\n# b: *x\nx := 1",
        "# METADATA\n# a: &x [*x]\nx := 1",
        "# METADATA\n# a: &x {b: 1}\n# c: {<<: *x}\nx := 1",
    ],
)
def test_aliases_are_refused(block: str) -> None:
    assert "aliases are refused" in _refusal(block)


@pytest.mark.parametrize(
    "text",
    ["# METADATA\n# title: a", "# METADATA\n# title: a\n\nx := 1", "# METADATA\n"],
)
def test_a_document_above_no_statement_is_refused(text: str) -> None:
    assert _refusal(text) == (
        "a.rego:1: METADATA above no statement: put it directly above its rule or package"
    )


def test_a_document_that_is_too_long_is_refused() -> None:
    text = "# METADATA\n# title: " + "- " * 100_000 + "\nx := 1"

    assert _refusal(text) == "a.rego:1: METADATA of more than 16384 characters"


def test_a_document_with_too_many_brackets_is_refused() -> None:
    text = "# METADATA\n# a: " + "[" * 300 + "\nx := 1"

    assert _refusal(text) == "a.rego:2: METADATA has too many brackets: write blocks"


def test_other_comments_are_no_metadata() -> None:
    text = "# METADATA of what follows\n# title: [\nx := 1 # METADATA\ny := 2\n"

    assert parse_metadata(file="a.rego", text=text) == ()


def test_windows_line_ends_make_no_difference() -> None:
    assert parse_metadata(
        file="a", text=rule().replace("\n", "\r\n")
    ) == parse_metadata(file="a", text=rule())


def test_each_document_of_a_module_is_read() -> None:
    text = (
        "# METADATA\n# scope: package\n# title: a\npackage t\n"
        + rule().split("\n", 1)[1]
    )
    found = parse_metadata(file="a.rego", text=text)

    assert [(one.line, one.annotations.title) for one in found] == [
        (1, "a"),
        (6, "Technology is not exported"),
    ]


def test_statuses_are_those_of_the_vocabulary() -> None:
    assert set(typing.get_args(metadata.Status)) == set(
        typing.get_args(decision.Status)
    )
