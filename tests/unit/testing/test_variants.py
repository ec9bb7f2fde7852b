"""Policies that differ in one thing: it is said which, and comparisons notice it."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from unit.testing.trials import shipped

from policyguard.engines.protocol import PolicySet
from policyguard.testing.compare import compare
from policyguard.testing.strategies import at_bounds, bundles
from policyguard.testing.trial import Trial
from policyguard.testing.variants import (
    Date,
    Name,
    Variant,
    dated,
    dates_in,
    dropped,
    names_in,
    rules_in,
    unnamed,
)

KEPT = ("ITAR-01", "LIC-04", "PROC-05")
BAAI = Name(list="bis-entity-list", section="parties", name="baai")
FEW = settings(
    max_examples=3,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@cache
def few() -> PolicySet:
    """Return the shipped policy with few of its rules, so that all are compared soon."""
    found = shipped()
    while others := [item for item in rules_in(found) if item[0] not in KEPT]:
        for rule, module in others:
            found = dropped(found, rule, module).policy
    return found


@cache
def on_trial(rule: str | None) -> Trial:
    return Trial(few(), rules=[rule] if rule else [])


def test_a_rule_that_is_dropped_is_said_and_gone() -> None:
    (module,) = [module for rule, module in rules_in(few()) if rule == "LIC-04"]
    made = dropped(few(), "LIC-04", module)

    assert made.changed == "LIC-04 is dropped"
    assert set(Trial(few()).rules) - set(Trial(made.policy).rules) == {"LIC-04"}
    assert made.policy.bundle_digest != few().bundle_digest
    book: Any = made.policy.data["policyguard"]
    assert "LIC-04" not in book["rulebook"]["rules"]


def test_a_name_that_is_taken_off_a_list_is_said_and_gone() -> None:
    made = unnamed(few(), BAAI)

    assert made.changed == "`bis-entity-list` does not name `baai` under parties"
    assert set(names_in(few())) - set(names_in(made.policy)) == {BAAI}
    assert made.policy.catalog_digest != few().catalog_digest


def test_a_date_that_is_moved_is_said_and_no_other_one_moves() -> None:
    date = Date(at=BAAI, window=0, bound="since")
    assert date in dates_in(few())

    made = dated(few(), date, days=1)

    assert made.changed == (
        "`bis-entity-list` names `baai` since 2025-03-26T00:00:00Z, not"
        " 2025-03-25T00:00:00Z"
    )
    old: Any = few().data["catalog"]
    new: Any = made.policy.data["catalog"]
    parties = new["lists"]["bis-entity-list"]["parties"]
    assert parties["baai"][0]["since"] == 1_742_860_800 + 86_400
    parties["baai"][0]["since"] -= 86_400
    assert new["lists"] == old["lists"]


def test_each_kind_of_difference_is_drawn() -> None:
    seen: list[str] = []

    @settings(FEW, max_examples=40)
    @given(bundles(few()))
    def drawn(made: Variant) -> None:
        seen.append(made.changed)

    drawn()

    for words in ("is dropped", "does not name", " until ", " since "):
        assert any(words in said for said in seen), words


def test_only_what_differs_in_no_drawn_call_is_called_equivalent() -> None:
    seen: Counter[tuple[str, str]] = Counter()
    broken: list[tuple[str, Any]] = []
    old = on_trial(None)
    calls = {
        rule: st.lists(at_bounds(on_trial(rule)), min_size=5, max_size=10)
        for rule in (rule for rule, _ in rules_in(few()))
    }
    # Where the catalog differs each rule is compared anew, which takes half a minute.
    of_rules = bundles(few()).filter(lambda made: made.rule is not None)
    drawn = of_rules.flatmap(lambda made: st.tuples(st.just(made), calls[made.rule]))

    @FEW
    @given(drawn)
    def holds(pair: tuple[Variant, list[Any]]) -> None:
        made, asked = pair
        relation = compare(few(), made.policy).relation
        new = Trial(made.policy, space=old.space)
        differing = [call for call in asked if old.answer(call) != new.answer(call)]
        seen["differing" if differing else "alike", relation] += 1

        if differing and relation == "equivalent":
            broken.append((made.changed, differing[0]))

    holds()

    assert broken == []
    assert any(known == "differing" for known, _ in seen)


def test_a_rule_from_which_others_take_something_is_not_dropped() -> None:
    known = dict(rules_in(shipped()))

    assert "EAR-01" not in known
    assert known["LIC-04"] == "policyguard/rules/licence/lic_04.rego"
