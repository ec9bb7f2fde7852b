"""Tests of the rulebook that is built from METADATA."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from unit.bundle.small_bundle import bundle_in, rule, write

from policyguard.bundle.rulebook import (
    read_rules,
    rulebook_bytes,
    rulebook_document,
)
from policyguard.errors import BundleError

JUNE_12 = 1781299260
JUNE_30 = 1782777600
WINDOW = "#   - {{from: {0}, to: {1}, status: {2}, verified: true}}\n"


def _with_windows(*windows: tuple[str, str, str], rule_id: str = "EAR-01") -> str:
    text = rule(id=rule_id)
    start = text.index("#   - {from")
    end = text.index("findings")
    return (
        text[:start]
        + "".join(WINDOW.format(*window) for window in windows)
        + text[end:]
    )


def _document(*texts: str) -> dict:
    rules = read_rules((f"rules/x/{n}.rego", text) for n, text in enumerate(texts))
    return rulebook_document(revision="1", rules=rules)


def _refusal(*texts: str) -> str:
    with pytest.raises(BundleError) as caught:
        _document(*texts)
    return str(caught.value)


def test_the_rulebook_says_of_a_rule_what_its_metadata_says() -> None:
    assert _document(rule())["rules"] == {
        "EAR-01": {
            "title": "Technology is not exported",
            "citation": "15 CFR 734",
            "severity": "high",
            "regime": "x",
            "as_of": "2026-11-01",
            "locked": False,
            "file": "rules/x/0.rego",
            "effective": [
                {"from": JUNE_12, "to": None, "status": "in_force", "verified": True}
            ],
        }
    }


def test_statuses_change_at_the_boundaries() -> None:
    text = _with_windows(
        ("2026-06-12T21:21:00Z", "2026-06-30T00:00:00Z", "in_force"),
        ("2026-06-30T00:00:00Z", "null", "suspended"),
    )
    document = _document(text, rule(id="RES-01", since="null"))
    residency = {"RES-01": {"status": "in_force", "verified": True}}

    assert (document["boundaries"], document["intervals"]) == (
        [JUNE_12, JUNE_30],
        [
            residency,
            {"EAR-01": {"status": "in_force", "verified": True}, **residency},
            {"EAR-01": {"status": "suspended", "verified": True}, **residency},
        ],
    )


def test_a_gap_between_windows_is_an_interval_without_the_rule() -> None:
    text = _with_windows(
        ("null", "2026-06-12T21:21:00Z", "in_force"),
        ("2026-06-30T00:00:00Z", "null", "in_force"),
    )

    assert [sorted(interval) for interval in _document(text)["intervals"]] == [
        ["EAR-01"],
        [],
        ["EAR-01"],
    ]


def test_where_no_status_changes_there_is_no_boundary() -> None:
    text = _with_windows(
        ("null", "2026-06-12T21:21:00Z", "in_force"),
        ("2026-06-12T21:21:00Z", "null", "in_force"),
    )

    assert _document(text)["boundaries"] == []


def test_without_rules_there_is_one_empty_interval() -> None:
    assert _document() == {
        "revision": "1",
        "rules": {},
        "boundaries": [],
        "intervals": [{}],
    }


@pytest.mark.parametrize(
    "windows",
    [
        [("null", "null", "in_force"), ("2026-06-12T21:21:00Z", "null", "suspended")],
        [
            ("2026-06-12T21:21:00Z", "2026-06-30T00:00:00Z", "in_force"),
            ("2026-06-29T23:59:59Z", "null", "suspended"),
        ],
        [
            ("2026-06-29T00:00:00Z", "null", "suspended"),
            ("null", "2026-06-30T00:00:00Z", "in_force"),
        ],
    ],
)
def test_windows_that_overlap_are_refused(windows: list[tuple[str, str, str]]) -> None:
    assert _refusal(_with_windows(*windows)) == (
        "rules/x/0.rego:3: windows of `EAR-01` overlap: end one where the next begins"
    )


def test_a_window_that_ends_before_it_begins_is_refused() -> None:
    text = _with_windows(("2026-06-12T21:21:00Z", "2026-06-12T21:21:00Z", "in_force"))

    assert _refusal(text) == (
        "rules/x/0.rego:3: a window of `EAR-01` ends before it begins"
    )


def test_an_id_that_is_given_twice_is_refused() -> None:
    assert _refusal(rule(), rule()) == (
        "rules/x/1.rego:3: `EAR-01` is also in rules/x/0.rego: give one of them another"
        " id"
    )


@pytest.mark.parametrize("line", ["# title: ", "# related_resources:\n# - ref: "])
def test_a_rule_needs_title_and_citation(line: str) -> None:
    kept = "description: 15 CFR 734"
    text = rule().replace(f"#   {kept}\n", "")
    start = text.index(line)
    end = text.index("\n", start + len(line)) + 1

    assert _refusal(text[:start] + text[end:]) == (
        "rules/x/0.rego:3: `EAR-01` has no title or no citation: give both"
    )


def test_a_citation_of_its_own_comes_first() -> None:
    text = rule().replace("#   severity", "#   citation: 15 CFR 742\n#   severity")

    assert _document(text)["rules"]["EAR-01"]["citation"] == "15 CFR 742"


def test_a_regime_of_its_own_comes_first() -> None:
    text = rule().replace("#   severity", "#   regime: itar\n#   severity")

    assert _document(text)["rules"]["EAR-01"]["regime"] == "itar"


def test_the_bytes_do_not_depend_on_the_order_of_files(tmp_path: Path) -> None:
    first = rulebook_bytes(bundle_in(tmp_path / "a"))
    other = tmp_path / "b"
    write(other, "policyguard/rules/residency/res_01.rego", b"")
    bundle_in(other)

    assert rulebook_bytes(other) == first


def test_the_bytes_are_sorted_json_with_a_line_end(tmp_path: Path) -> None:
    data = rulebook_bytes(bundle_in(tmp_path))
    document = json.loads(data)

    assert data.decode() == (
        json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    )


def test_a_stale_rulebook_is_written_anew(tmp_path: Path) -> None:
    root = bundle_in(tmp_path)
    before = rulebook_bytes(root)
    write(root, "policyguard/rulebook/data.json", "stale")

    assert rulebook_bytes(root) == before


def test_metadata_of_tests_is_no_part_of_it(tmp_path: Path) -> None:
    root = bundle_in(tmp_path)
    before = rulebook_bytes(root)
    write(root, "policyguard/rules/ear/ear_09_test.rego", rule(id="EAR-09"))

    assert rulebook_bytes(root) == before
