"""A report shows what the documents say, and nothing that they could smuggle in."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from integration.program import HOSTILE, run
from unit.testing.test_compare import shipped

from policyguard.cli.policy_compare import _document as compared
from policyguard.cli.policy_prove import _document as proved
from policyguard.errors import ConfigurationError
from policyguard.testing.claims import Claim, Counterexample, Proof
from policyguard.testing.compare import Diff, RuleDiff
from policyguard.testing.flips import Flip
from policyguard.testing.matrix import matrix
from policyguard.testing.report import report
from policyguard.testing.report_markup import table

EVIL = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
VOID = frozenset({"meta", "br", "img", "input"})


class Page(HTMLParser):
    """Reads a page as a browser would, and notes what does not fit."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.faults: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.ids: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text += data


def impact(name: str) -> dict[str, Any]:
    return {
        "intact": True, "bundle": {"revision": name, "digest": "b" * 64},
        "catalog": None, "calls": 3, "same": 1, "unanswered": {name: 1},
        "by_verdict": {"deny → allow": 1},
        "by_rule": {name: {"stricter": 0, "looser": 1}},
        "by_tenant": {name: 1}, "by_model": {name: 1},
        "flips": [
            {"id": name, "place": name, "at": name, "tenant": name, "model": name,
             "before": "deny", "after": "allow", "rules": [name]}
        ],
    }  # fmt: skip


@pytest.fixture(scope="module")
def documents() -> dict[str, Any]:
    call = {"at": "2026-07-10T12:00:00Z"}
    lost = Counterexample(
        call=call, facts={"model": EVIL}, changed="model", before=("FACT-01 deny",)
    )
    proof = Proof(
        claims=(
            Claim(
                property="fail_closed",
                rule="FACT-01",
                tier="VIOLATED",
                cases=7,
                broken=2,
                counterexample=lost,
            ),
            Claim(property="reachable", rule="LIC-04", tier="PROVED", cases=72),
        ),
        bundle_digest=shipped().bundle_digest,
        catalog_digest=shipped().catalog_digest,
        space_digest="c" * 64,
        calls=10**118,
        dims=131,
        evaluations=9,
        crosschecks=20,
        seconds=1.0,
    )
    flip = Flip(
        call=call,
        facts={"model": None},
        before=("FACT-01 deny",),
        after=(),
        access=True,
    )
    diff = Diff(
        rules=(
            RuleDiff(
                rule="FACT-01",
                relation="looser",
                tier="PROVED",
                cases=7,
                looser=2,
                flips=(flip,),
            ),
        ),
        same=56,
        old_digest="o" * 64,
        new_digest=shipped().bundle_digest,
        old_catalog=shipped().catalog_digest,
        new_catalog=shipped().catalog_digest,
        space_digest="c" * 64,
        calls=10**118,
        windows=("LIC-04",),
        seconds=1.0,
    )
    tested = {"name": EVIL, "file": EVIL, "line": 1, "state": "failed", "why": EVIL}
    return {
        "compare": compared(diff),
        "impact": impact(EVIL),
        "prove": proved(proof),
        "test": {
            "tests": [tested],
            "coverage": {
                "lines": 0.5, "rules": 0.25, "missed": {EVIL: [1, 2, 3, 9]},
                "missed_rules": [],
            },
        },
        "matrix": matrix(shipped(), rows=["deployment"], columns=["data.classes"]).document(),
    }  # fmt: skip


def test_a_page_is_well_formed_and_asks_for_nothing(documents: dict[str, Any]) -> None:
    page = Page(report(documents, title=EVIL))

    assert (page.faults, page.open) == ([], [])
    assert not {"script", "img", "link", "iframe", "object", "form"} & {*page.tags}
    assert not {"src", "onerror", "style"} & {name for name, _ in page.attributes}
    links = [value for name, value in page.attributes if name == "href" and value]
    assert all(link.removeprefix("#") in page.ids for link in links)
    assert page.text.count(EVIL) > 5


def test_a_page_says_what_its_documents_say(documents: dict[str, Any]) -> None:
    page = Page(report(documents))

    assert "1 of 3 flip" in page.text
    assert "new access" in page.text
    assert "1–3, 9" in page.text  # noqa: RUF001 -- a range is written so
    counts = documents["matrix"]["counts"]
    assert f"allowed: {counts['allow']:,}" in page.text
    assert page.tags.count("h1") == 1
    assert page.tags.count("table") == page.tags.count("caption")


@pytest.mark.parametrize(
    ("tests", "coverage", "says"),
    [
        ([], None, "No test was run."),
        (
            ["passed"],
            None,
            "Every test holds. Which lines they reach was not measured.",
        ),
        (["passed"], {}, "Every test holds, and every line is reached."),
    ],
)
def test_no_more_is_said_of_tests_than_was_measured(
    tests: list[str], coverage: dict[str, Any] | None, says: str
) -> None:
    whole = {"lines": 1.0, "rules": 1.0, "missed": {}, "missed_rules": []}
    page = Page(
        report(
            {
                "test": {
                    "tests": [{"state": state} for state in tests],
                    "coverage": None if coverage is None else whole,
                }
            }
        )
    )

    assert says in page.text


def test_a_hole_of_a_matrix_is_marked_counted_and_no_good_news() -> None:
    found = matrix(
        shipped(), rows=["caller.location=DE,IR"], columns=["data.classes=none,pii"]
    )
    holes = Page(report({"matrix": found.document()}))
    none = Page(report({"matrix": replace(found, unlooked=frozenset()).document()}))

    kinds = [value or "" for name, value in holes.attributes if name == "class"]
    assert kinds.count("allow hole") == 2  # the cell, and the legend
    assert "allowed, and no rule looked: 1" in holes.text
    assert ("open" in kinds, "1 at which no rule looked" in holes.text) == (True, True)
    assert "no rule looked" not in none.text


def test_each_cell_names_its_column_where_rows_are_lists() -> None:
    page = table("a", ["#n", 'b"', "c", "d"], [(1, 2, "x", "")])

    assert 'class="wide stack"' in page
    assert '<td data-head="b&quot;">2</td>' in page
    assert "stack" not in table("a", ["b", "c"], [(1, 2)])


def test_documents_about_two_policies_are_shown_with_a_warning(
    documents: dict[str, Any],
) -> None:
    kept = {name: documents[name] for name in ("prove", "matrix")}

    assert "Not about one policy" not in report(kept)
    assert "Not about one policy" in report({**kept, "impact": impact("x")})


def test_the_same_documents_are_the_same_page(documents: dict[str, Any]) -> None:
    assert report(documents) == report(json.loads(json.dumps(documents)))


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"matrix": {"cells": []}},
        {"impact": {**impact("x"), "flips": [7]}},
        {"prove": {"claims": [{}], "bundle": "", "catalog": "", "space": {}}},
    ],
)
def test_what_no_command_prints_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"needs a document|is not what"):
        report(wrong)


def test_the_command_writes_one_file_and_refuses_others_in_one_line(
    tmp_path: Any,
) -> None:
    good, bad = tmp_path / "impact.json", tmp_path / "bad.json"
    good.write_text(json.dumps(impact(HOSTILE)), encoding="utf-8")
    bad.write_text("[1]", encoding="utf-8")
    page = tmp_path / "page.html"

    done = run("policy", "report", page, "--impact", good)

    assert (done.exit_code, page.read_text("utf-8").count("<html")) == (0, 1)
    for words in (("--impact", bad), ("--matrix", good), ()):
        wrong = run("policy", "report", tmp_path / "other.html", *words)
        assert (wrong.exit_code, wrong.stderr.count("\n")) == (2, 1)
    assert not (tmp_path / "other.html").exists()
