"""What a tenant adds to a bundle: what may be added, and what it changes."""

from __future__ import annotations

from typing import Any, Final

import pytest

from policyguard.assembly import catalog_of, policy_set
from policyguard.bundle.additions import (
    has_additions,
    override_document,
    overrides_of,
    read_overrides,
    tenant_digest,
    tenant_modules,
    with_additions,
    without_additions,
)
from policyguard.bundle.rulebook import RuleOverride
from policyguard.bundle.shipped import load_shipped
from policyguard.bundle.source import load_files
from policyguard.canonical import Json
from policyguard.engines.regorus import RegorusEngine
from policyguard.errors import BundleError, EngineLoadError
from policyguard.settings import Settings

MANIFEST: Final = b'{"revision":"1","roots":["policyguard/tenant"],"rego_version":1}'
HEAD: Final = """package policyguard.tenant

# METADATA
# title: Nothing to this host
# custom:
#   id: ACME-01
#   severity: high
#   citation: handbook
#   as_of: 2026-11-25
#   effective: [{from: null, to: null, status: customer_policy, verified: true}]
"""
RULE: Final = (
    HEAD
    + """findings contains {
	"id": "ACME-01",
	"effect": "deny",
	"msg": "no",
	"facts": {},
	"missing": [],
	"remedy": "",
} if input.model.id == "kimi-k2"
"""
)
PATH: Final = "policyguard/tenant/acme_01.rego"
FILES: Final = {".manifest": MANIFEST, PATH: RULE.encode()}
SOFTER: Final = RuleOverride(
    id="one", rule="GDPR-01", to="advise", since=1_800_000_000, until=1_800_000_100
)


def document(override: RuleOverride = SOFTER) -> dict[str, Json]:
    return override_document(
        override=override, author="bob", reason="read", statement="note"
    )


def added(**changes: Any) -> dict[str, bytes]:
    parts: dict[str, Any] = {
        "tenant": {PATH: RULE.encode()},
        "overrides": {"one": document()},
    }
    return with_additions(load_shipped().files, **{**parts, **changes})


def test_a_rule_and_an_override_are_part_of_what_the_digest_covers() -> None:
    shipped, made = load_shipped(), load_files(added(), name="ours")

    assert made.digest != shipped.digest
    assert set(made.rule_ids) - set(shipped.rule_ids) == {"ACME-01"}
    assert made.rule("ACME-01").regime == "tenant"
    assert [item["id"] for item in overrides_of(made.data, "GDPR-01")] == ["one"]
    assert load_files(made.files, name="again").digest == made.digest


def test_an_override_is_in_the_interval_between_its_ends_and_in_no_other() -> None:
    book: Any = load_files(added(), name="ours").rulebook
    boundaries, intervals = book["boundaries"], book["intervals"]

    softened = [
        number
        for number, interval in enumerate(intervals)
        if "override" in interval.get("GDPR-01", {})
    ]

    (number,) = softened
    assert boundaries[number - 1 : number + 1] == [SOFTER.since, SOFTER.until]


def test_without_its_additions_a_bundle_is_the_one_that_it_was() -> None:
    shipped = load_shipped()
    made = load_files(without_additions(added()), name="ours")

    assert made.rulebook == shipped.rulebook
    assert made.modules == shipped.modules
    assert not has_additions(made.files)
    assert has_additions(added())


def test_an_engine_takes_additions_whose_golden_vectors_are_those_before() -> None:
    bundle = load_files(added(), name="ours")

    policy = policy_set(bundle=bundle, catalog=catalog_of(Settings()))

    snapshot = RegorusEngine().load(policy)
    assert snapshot.bundle_digest == bundle.digest


def test_a_rule_that_its_text_does_not_have_is_not_loaded() -> None:
    silent = HEAD + "nothing := true\n"
    bundle = load_files(added(tenant={PATH: silent.encode()}), name="ours")
    policy = policy_set(bundle=bundle, catalog=catalog_of(Settings()))

    with pytest.raises(EngineLoadError, match="ACME-01"):
        RegorusEngine().load(policy)


def test_a_shipped_rule_cannot_be_written_again() -> None:
    taken = RULE.replace("ACME-01", "GDPR-01").encode()

    with pytest.raises(BundleError, match="`GDPR-01` is also in"):
        added(tenant={PATH: taken})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({".manifest": MANIFEST.replace(b"/tenant", b"")}, "have the one root"),
        ({".manifest": MANIFEST.replace(b"/tenant", b"/rules")}, "have the one root"),
        ({PATH: RULE.replace(".tenant", ".rules").encode()}, "nobody reads"),
        ({PATH: RULE.replace(".tenant", ".tenant.deep").encode()}, "nobody reads"),
        ({"policyguard/rules/x.rego": RULE.encode()}, "modules below"),
        ({"policyguard/tenant/data.json": b"{}"}, "and no data"),
        ({"data.json": b"{}"}, "and no data"),
    ],
)
def test_what_could_do_more_than_object_is_refused(
    changes: dict[str, bytes], says: str
) -> None:
    with pytest.raises(BundleError, match=says):
        tenant_modules({**FILES, **changes}, name="rules")


def test_rules_without_a_rule_are_refused() -> None:
    with pytest.raises(BundleError, match="has no rule"):
        tenant_modules({".manifest": MANIFEST}, name="rules")


def test_the_digest_of_rules_covers_all_but_their_tests() -> None:
    tested = {**FILES, PATH.replace(".rego", "_test.rego"): b"package x\n"}

    assert tenant_digest(tested) == tenant_digest(FILES)
    assert tenant_digest({**FILES, PATH: b"package x\n"}) != tenant_digest(FILES)


def test_additions_are_made_once() -> None:
    with pytest.raises(BundleError, match="already"):
        with_additions(added(), tenant={}, overrides={})


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"one": {**document(), "to": "allow"}}, r"`one\.to`"),
        ({"one": {**document(), "until": 3}}, r"`one\.until`"),
        ({"one": {**document(), "rule": "NONE-01"}}, "no rule of the bundle"),
        ({"one": document(), "two": document()}, "overlap"),
    ],
)
def test_an_override_that_fits_no_bundle_is_refused(
    overrides: dict[str, Json], says: str
) -> None:
    with pytest.raises(BundleError, match=says):
        added(overrides=overrides)


def test_a_locked_rule_is_softened_by_no_bundle_either() -> None:
    shipped = load_shipped()
    file = shipped.rule("GDPR-01").file
    text = shipped.modules[file].replace("locked: false", "locked: true").encode()
    files = {**shipped.files, file: text}

    with pytest.raises(BundleError, match="is locked"):
        with_additions(files, tenant={}, overrides={"one": document()})


def test_data_that_is_no_list_of_overrides_is_refused() -> None:
    with pytest.raises(BundleError, match="no object of overrides"):
        read_overrides({"policyguard": {"overrides": [1]}})
