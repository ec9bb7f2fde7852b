"""What a change opens and closes: counted, with the smallest call, or sampled."""

from __future__ import annotations

import copy
import subprocess
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from policyguard.engines.protocol import PolicySet
from policyguard.errors import ConfigurationError
from policyguard.settings import Settings
from policyguard.testing.claims import Effort
from policyguard.testing.compare import Diff, compare
from policyguard.testing.policies import configured_policy, policy_at, policy_in

LICENCE = "policyguard/rules/licence/lic_04.rego"
MODELS = "policyguard/rules/facts/fact_01.rego"
OWN = """package policyguard.tenant

findings contains {
	"id": "ACME-01",
	"effect": "deny",
	"msg": "no training",
	"facts": {},
	"missing": [],
	"remedy": "none",
} if {
	input.purpose.kind in {"train", "embed"}
}
"""


@cache
def shipped() -> PolicySet:
    return configured_policy(Settings())


def changed(path: str, old: str, new: str) -> PolicySet:
    assert old in shipped().modules[path]
    text = shipped().modules[path].replace(old, new)
    return replace(shipped(), modules={**shipped().modules, path: text})


def relations(diff: Diff) -> dict[str, str]:
    return {item.rule: item.relation for item in diff.rules}


def test_a_policy_is_equivalent_to_itself_and_comments_change_nothing() -> None:
    diff = compare(shipped(), changed(LICENCE, "\nfindings", "\n# more\nfindings"))

    assert [(item.rule, item.relation, item.tier) for item in diff.rules] == [
        ("LIC-04", "equivalent", "PROVED")
    ]


def test_other_data_of_a_bundle_is_compared_though_no_text_differs() -> None:
    text = OWN.replace('{"train", "embed"}', "data.acme.kinds")

    def with_kinds(*kinds: str) -> PolicySet:
        return replace(
            shipped(),
            modules={**shipped().modules, "tenant/own.rego": text},
            data={**shipped().data, "acme": {"kinds": list(kinds)}},
        )

    fewer = compare(
        with_kinds("train", "embed"), with_kinds("train"), rules=["ACME-01"]
    )
    same = compare(with_kinds("train"), with_kinds("train"))

    assert relations(fewer) == {"ACME-01": "looser"}
    assert fewer.relation == "looser"
    assert same.rules == ()


def test_a_milder_effect_is_looser_and_back_is_stricter() -> None:
    milder = changed(LICENCE, '"effect": "deny"', '"effect": "require_approval"')

    (there,) = compare(shipped(), milder).rules
    (back,) = compare(milder, shipped()).rules

    assert (there.relation, there.tier, there.looser) == ("looser", "PROVED", 1_696)
    assert (back.relation, back.tier, back.stricter) == ("stricter", "PROVED", 1_696)
    assert (there.flips[0].before, there.flips[0].after) == (
        ("LIC-04 deny",),
        ("LIC-04 require_approval",),
    )
    assert not there.flips[0].access


def test_new_access_is_found_where_other_rules_object_at_first(tmp_path: Path) -> None:
    # Other rules ask more of genetic data where the call says nothing else.
    own = tmp_path / "own.rego"
    both = []
    for classes in ('{"none", "omic"}', '{"none"}'):
        condition = f"some class in input.data.classes\n\tclass in {classes}"
        own.write_text(
            OWN.replace('input.purpose.kind in {"train", "embed"}', condition)
        )
        both.append(policy_in(tmp_path, Settings()))

    (flip,) = compare(*both).access

    assert flip.after == ()
    assert flip.facts["data.classes"] == ["omic"]


def test_new_access_is_shown_by_a_call_to_which_nothing_objects_now() -> None:
    opened = changed(MODELS, "} if {", "} if {\n\tinput.data.employment == true")

    diff = compare(shipped(), opened)

    assert diff.relation == "looser"
    (flip,) = diff.access
    assert (dict(flip.facts), flip.before, flip.after) == (
        {"model": None},
        ("FACT-01 indeterminate",),
        (),
    )


def test_what_is_too_much_to_compare_is_sampled() -> None:
    milder = changed(LICENCE, '"effect": "deny"', '"effect": "require_approval"')

    (item,) = compare(shipped(), milder, effort=Effort(views=10, samples=50)).rules

    assert (item.tier, item.cases) == ("SAMPLED", 50)
    assert item.why.startswith("one of its conditions: more than 10 views")


FACTS = "policyguard/facts/facts.rego"


@pytest.mark.parametrize("which", ["old", "new"])
def test_a_policy_that_answers_no_call_is_compared_with_nothing(which: str) -> None:
    failing = changed(FACTS, '"groups": _groups,', '"groups": to_number("none"),')
    both = {"old": shipped(), "new": shipped(), which: failing}

    with pytest.raises(ConfigurationError) as caught:
        compare(both["old"], both["new"], rules=["LIC-04"])

    said = str(caught.value)
    assert said.startswith(f"the {which} policy answers none of the ")
    assert "policyguard/facts/facts.rego" in said


def test_a_policy_that_has_no_view_of_any_call_is_compared_with_nothing() -> None:
    silent = changed(FACTS, "_now := floor(", "_now := input.nothing + floor(")

    with pytest.raises(ConfigurationError, match="the one of a policy without rules"):
        compare(shipped(), silent, rules=["LIC-04"])


def test_calls_that_only_one_policy_answers_are_no_equivalence() -> None:
    often = changed(
        FACTS,
        '"groups": _groups,',
        '"groups": object.union(_groups, {"none": {to_number("none") |'
        " input.tenant.product.users_at_release != null}}),",
    )

    diff = compare(shipped(), often, rules=["LIC-04"], effort=Effort(views=10))

    (item,) = diff.rules
    assert (item.relation, item.tier, item.looser) == ("incomparable", "SAMPLED", 0)
    assert item.stricter > 0


def test_a_rule_that_is_in_force_otherwise_is_named() -> None:
    data: Any = copy.deepcopy(dict(shipped().data))
    for standings in data["policyguard"]["rulebook"]["intervals"]:
        standings["LIC-04"]["status"] = "suspended"

    diff = compare(shipped(), replace(shipped(), data=data))

    assert (diff.windows, diff.relation) == (("LIC-04",), "incomparable")


def test_a_directory_is_compared_with_a_revision_of_git(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", "-C", str(tmp_path), *who, *words], check=True)

    own = tmp_path / "own"
    own.mkdir()
    (own / "own.rego").write_text(OWN, encoding="utf-8")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "one")
    (own / "own.rego").write_text(OWN.replace(', "embed"', ""), encoding="utf-8")

    settings = Settings()
    diff = compare(policy_at(own, "HEAD", settings), policy_in(own, settings))

    assert relations(diff) == {"ACME-01": "looser"}
    assert dict(diff.access[0].facts) == {"purpose.kind": "embed"}
    with pytest.raises(ConfigurationError, match="no such revision"):
        policy_at(own, "nowhere", settings)
