"""Tests of loading a bundle from a directory."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import pytest
from unit.bundle.small_bundle import MANIFEST, VECTORS, bundle_in, rule, write

from policyguard.bundle.golden import GoldenSet, GoldenVector
from policyguard.bundle.rulebook import RuleInfo, RuleWindow
from policyguard.bundle.source import load_directory
from policyguard.canonical import canonical_bytes, digest
from policyguard.errors import BundleError

RULEBOOK = "policyguard/rulebook/data.json"


def _refusal(root: Path) -> str:
    with pytest.raises(BundleError) as caught:
        load_directory(root)
    return str(caught.value)


def test_a_bundle_has_modules_tests_and_rules(tmp_path: Path) -> None:
    bundle = load_directory(bundle_in(tmp_path))

    assert (
        bundle.revision,
        list(bundle.modules),
        list(bundle.tests),
        bundle.rule_ids,
    ) == (
        "2026.11.1",
        [
            "policyguard/rules/ear/ear_01.rego",
            "policyguard/rules/residency/res_01.rego",
        ],
        ["policyguard/rules/ear/ear_01_test.rego"],
        ("EAR-01", "RES-01"),
    )


def test_a_bundle_says_what_its_metadata_says_of_a_rule(tmp_path: Path) -> None:
    bundle = load_directory(bundle_in(tmp_path))

    assert bundle.rule("EAR-01") == RuleInfo(
        id="EAR-01",
        title="Technology is not exported",
        citation="15 CFR 734",
        description="Says why.",
        regime="ear",
        severity="high",
        as_of=date(2026, 11, 1),
        locked=False,
        exceptions=bundle.rule("EAR-01").exceptions,
        windows=(
            RuleWindow(since=1781299260, until=None, status="in_force", verified=True),
        ),
        file="policyguard/rules/ear/ear_01.rego",
    )


def test_an_unknown_rule_is_a_bundle_error(tmp_path: Path) -> None:
    bundle = load_directory(bundle_in(tmp_path))

    with pytest.raises(BundleError, match="has no rule `EAR-99`"):
        bundle.rule("EAR-99")


def test_a_bundle_has_its_golden_vectors_with_sorted_rules(tmp_path: Path) -> None:
    bundle = load_directory(bundle_in(tmp_path))

    assert bundle.golden == GoldenSet(
        catalog={"models": {}},
        vectors=(
            GoldenVector(
                name="bad",
                input={"model": "bad"},
                verdict="deny",
                rules=("EAR-01", "RES-01"),
            ),
        ),
    )


def test_the_digest_is_that_of_the_digests_of_all_shipped_files(tmp_path: Path) -> None:
    root = bundle_in(tmp_path)
    shipped = [
        ".manifest",
        "golden/vectors.json",
        RULEBOOK,
        "policyguard/rules/ear/ear_01.rego",
        "policyguard/rules/residency/res_01.rego",
    ]
    expected = digest(
        canonical_bytes({path: digest((root / path).read_bytes()) for path in shipped})
    )

    assert load_directory(root).digest == expected


def test_the_digest_is_the_same_without_tests_and_catalog(tmp_path: Path) -> None:
    root = bundle_in(tmp_path)
    before = load_directory(root).digest
    (root / "policyguard/rules/ear/ear_01_test.rego").unlink()
    shutil.rmtree(root / "catalog")

    assert load_directory(root).digest == before


@pytest.mark.parametrize(
    "path", ["policyguard/rules/ear/ear_01.rego", "golden/vectors.json", ".manifest"]
)
def test_one_more_space_in_a_shipped_file_changes_the_digest(
    tmp_path: Path, path: str
) -> None:
    root = bundle_in(tmp_path)
    before = load_directory(root).digest
    with (root / path).open("ab") as stream:
        stream.write(b" ")

    assert load_directory(root).digest != before


def test_the_name_of_a_file_is_in_the_digest(tmp_path: Path) -> None:
    root = bundle_in(tmp_path)
    write(root, "policyguard/facts/a.rego", "package policyguard.facts\n")
    before = load_directory(root).digest
    (root / "policyguard/facts/a.rego").rename(root / "policyguard/facts/b.rego")

    assert load_directory(root).digest != before


def test_a_rulebook_of_another_revision_is_refused(tmp_path: Path) -> None:
    root = bundle_in(tmp_path)
    write(root, ".manifest", {**MANIFEST, "revision": "2026.11.2"})

    assert _refusal(root) == (
        f"{RULEBOOK}: `revision` is not what manifest and METADATA say: generate it"
        " with `make fmt`"
    )


def test_a_rulebook_that_differs_from_the_metadata_is_refused(tmp_path: Path) -> None:
    root = bundle_in(tmp_path)
    write(root, "policyguard/rules/ear/ear_01.rego", rule(status="suspended"))

    assert _refusal(root) == (
        f"{RULEBOOK}: `intervals, rules` is not what manifest and METADATA say: generate"
        " it with `make fmt`"
    )


def test_a_one_for_a_true_in_the_rulebook_is_refused(tmp_path: Path) -> None:
    root = bundle_in(tmp_path)
    text = (root / RULEBOOK).read_text("utf-8").replace("true", "1")
    write(root, RULEBOOK, text)

    assert "`intervals, rules` is not what" in _refusal(root)


@pytest.mark.parametrize("content", ["[]", "", "{", '{"a":1,"a":1}', b"\xff"])
def test_a_rulebook_that_is_no_rulebook_is_refused(
    tmp_path: Path, content: str | bytes
) -> None:
    root = bundle_in(tmp_path)
    write(root, RULEBOOK, content)

    assert _refusal(root).startswith(f"{RULEBOOK}: ")


def test_a_missing_rulebook_is_refused(tmp_path: Path) -> None:
    root = bundle_in(tmp_path)
    (root / RULEBOOK).unlink()

    assert _refusal(root) == f"{RULEBOOK}: is missing: generate it with `make fmt`"


def test_a_bundle_without_golden_vectors_is_refused(tmp_path: Path) -> None:
    root = bundle_in(tmp_path)
    (root / "golden/vectors.json").unlink()

    assert "a bundle promises its answers" in _refusal(root)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "golden/vectors.json: not JSON"),
        ([], "golden/vectors.json: `the top`: "),
        ({"catalog": {}}, "golden/vectors.json: `vectors`: "),
        ({**VECTORS, "more": 1}, "golden/vectors.json: `more`: "),
        (
            {**VECTORS, "vectors": [{**VECTORS["vectors"][0], "verdict": "maybe"}]},
            "golden/vectors.json: `vectors.0.verdict`: ",
        ),
        (
            {**VECTORS, "vectors": VECTORS["vectors"] * 2},
            "golden/vectors.json: the name `bad` is given twice: rename one",
        ),
    ],
)
def test_malformed_golden_vectors_are_refused_with_their_place(
    tmp_path: Path, content: object, message: str
) -> None:
    root = bundle_in(tmp_path)
    write(root, "golden/vectors.json", content)

    assert _refusal(root).startswith(message)


def test_a_module_outside_the_roots_is_refused(tmp_path: Path) -> None:
    root = bundle_in(tmp_path)
    write(root, "other/a.rego", "package other.rules\n")

    assert _refusal(root) == (
        "other/a.rego: package `other.rules` is outside the bundle's roots `policyguard`"
    )


@pytest.mark.parametrize(
    "data", [b"package policyguard\n\xff", b"\xef\xbb\xbfpackage a", b"package a\0"]
)
def test_a_module_that_is_not_plain_text_is_refused(
    tmp_path: Path, data: bytes
) -> None:
    root = bundle_in(tmp_path)
    write(root, "policyguard/odd.rego", data)

    assert _refusal(root).startswith("policyguard/odd.rego: ")


def test_a_bundle_cannot_be_changed(tmp_path: Path) -> None:
    bundle = load_directory(bundle_in(tmp_path))

    with pytest.raises(TypeError):
        bundle.modules["a.rego"] = "package a"


def test_the_rulebook_is_plain_json(tmp_path: Path) -> None:
    root = bundle_in(tmp_path)

    assert load_directory(root).rulebook == json.loads((root / RULEBOOK).read_bytes())
