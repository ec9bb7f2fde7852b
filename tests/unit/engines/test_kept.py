"""Tests of the program that the package keeps for its own policy."""

from __future__ import annotations

import uuid
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from policyguard.assembly import catalog_of, policy_set
from policyguard.bundle.shipped import load_shipped
from policyguard.canonical import canonical_bytes
from policyguard.engines import kept
from policyguard.engines.apart import validate_apart
from policyguard.engines.protocol import PolicySet
from policyguard.engines.regorus import COMPILED, RegorusEngine
from policyguard.errors import EngineLoadError
from policyguard.settings import Settings

SHIPPED = policy_set(bundle=load_shipped(), catalog=catalog_of(Settings()))
RULE = "policyguard/rules/gdpr/gdpr_01.rego"


def with_data(name: str, value: Any) -> PolicySet:
    return replace(SHIPPED, data={**SHIPPED.data, name: value})


def test_the_shipped_policy_is_loaded_by_the_program_that_is_kept_for_it() -> None:
    found = kept.kept_for(SHIPPED)
    assert found is not None

    loaded = RegorusEngine().load(SHIPPED)

    assert loaded.translated is found.translated
    assert loaded.info.version.endswith(COMPILED)


def test_it_answers_as_the_policy_that_is_loaded_from_its_text() -> None:
    quick, slow = (RegorusEngine(keeps=keeps).load(SHIPPED) for keeps in (True, False))
    questions = [canonical_bytes(vector.input) for vector in SHIPPED.golden]

    assert slow.translated == quick.translated
    assert list(map(quick.evaluate, questions)) == list(map(slow.evaluate, questions))


@pytest.mark.parametrize(
    "changed",
    [
        replace(
            SHIPPED, modules={**SHIPPED.modules, RULE: SHIPPED.modules[RULE] + "\n"}
        ),
        replace(SHIPPED, modules={**SHIPPED.modules, "more.rego": "package more\n"}),
        replace(SHIPPED, entrypoint="data.policyguard.facts.view"),
        replace(SHIPPED, rule_ids=SHIPPED.rule_ids - {"GDPR-01"}),
        replace(SHIPPED, golden=SHIPPED.golden[1:]),
        replace(SHIPPED, golden_catalog={}),
        replace(SHIPPED, promising=SHIPPED),
    ],
    ids=[
        "a byte",
        "a module",
        "entrypoint",
        "rules",
        "vectors",
        "catalog",
        "additions",
    ],
)
def test_nothing_is_kept_for_another_policy(changed: PolicySet) -> None:
    assert kept.kept_for(changed) is None


def test_new_facts_are_no_other_policy() -> None:
    assert kept.kept_for(with_data("catalog", {})) is not None


def test_data_that_shadows_a_rule_is_refused() -> None:
    ours: Any = SHIPPED.data["policyguard"]
    shadowing = with_data("policyguard", {**ours, "rules": {"findings": []}})

    with pytest.raises(EngineLoadError, match=r"shadows the policy"):
        RegorusEngine().load(shadowing)


def test_a_promise_that_is_not_kept_is_refused() -> None:
    ours: Any = SHIPPED.data["policyguard"]
    without_rules = {**ours, "rulebook": {**ours["rulebook"], "rules": {}}}

    with pytest.raises(EngineLoadError, match=r"golden vector"):
        RegorusEngine().load(with_data("policyguard", without_rules))


def test_data_without_a_canonical_form_is_refused() -> None:
    with pytest.raises(EngineLoadError, match=r"data cannot be loaded"):
        RegorusEngine().load(with_data("share", 0.5))


def of_others() -> PolicySet:
    """Return a policy that the package keeps no program of, and this process none yet."""
    text = SHIPPED.modules[RULE] + f"# Of {uuid.uuid4()}.\n"
    return replace(SHIPPED, modules={**SHIPPED.modules, RULE: text})


def test_what_was_loaded_once_is_remembered_for_other_facts() -> None:
    policy = of_others()
    before = kept.is_known(policy)
    first = RegorusEngine().load(policy)
    again = RegorusEngine().load(replace(policy, data={**policy.data, "more": 1}))

    assert (before, kept.is_known(policy)) == (False, True)
    assert again.translated is first.translated


def test_what_another_process_has_validated_is_remembered() -> None:
    policy = of_others()
    translated = validate_apart(policy)
    RegorusEngine().admit(policy, translated=translated)

    assert RegorusEngine().load(policy).translated is translated


def test_what_was_never_translated_is_not_remembered() -> None:
    policy = of_others()
    RegorusEngine().admit(policy)

    assert not kept.is_known(policy)


def test_what_a_tenant_adds_is_not_remembered() -> None:
    policy = replace(of_others(), promising=SHIPPED)
    RegorusEngine().load(policy)

    assert not kept.is_known(policy)


def test_a_remembered_policy_is_checked_with_its_new_facts() -> None:
    policy = of_others()
    RegorusEngine().load(policy)
    ours: Any = policy.data["policyguard"]
    shadowing = {**ours, "rules": {"findings": []}}
    without_rules = {**ours, "rulebook": {**ours["rulebook"], "rules": {}}}
    refused = {}
    for name, changed in (("shadows", shadowing), ("golden vector", without_rules)):
        with pytest.raises(EngineLoadError) as caught:
            RegorusEngine().load(
                replace(policy, data={**policy.data, "policyguard": changed})
            )
        refused[name] = name in str(caught.value)

    assert refused == {"shadows": True, "golden vector": True}


def test_few_programs_are_remembered() -> None:
    oldest = of_others()
    loaded = RegorusEngine().load(oldest)
    translated = loaded.translated
    for _ in range(kept.MOST_REMEMBERED):
        RegorusEngine().admit(of_others(), translated=translated)

    assert not kept.is_known(oldest)


@pytest.mark.parametrize(
    "data",
    [
        None,
        b"",
        b"not compressed",
        kept.FILE.read_bytes()[:-100],
        zlib.compress(b"not JSON"),
        zlib.compress(b"[]"),
        zlib.compress(b'{"key":"' + kept.key_of(SHIPPED).encode() + b'"}'),
    ],
    ids=["no file", "empty", "text", "cut off", "no JSON", "an array", "half of it"],
)
def test_a_file_that_holds_no_program_is_as_none(
    data: bytes | None, tmp_path: Path
) -> None:
    file = tmp_path / "program"
    if data is not None:
        file.write_bytes(data)

    assert kept.kept_for(SHIPPED, file=file) is None


def test_a_program_that_python_does_not_take_is_as_none(tmp_path: Path) -> None:
    policy, found = of_others(), kept.kept_for(SHIPPED)
    assert found is not None
    file = tmp_path / "program"
    broken = replace(
        found,
        key=kept.key_of(policy),
        translated=replace(found.translated, parts=("def",)),
    )
    file.write_bytes(kept.packed(broken))

    assert kept.kept_for(policy, file=file) == broken
    assert kept.require_kept(policy, file=file) is None
