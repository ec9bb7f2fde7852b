"""Properties as tests: they hold of good rules, and bugs that are put in are found."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings as hypothesis_settings
from unit.testing.trials import FIRST_ONLY, OWN, changed, own, space, trial

from policyguard.errors import ConfigurationError
from policyguard.testing import laws
from policyguard.testing.answers import UNANSWERED, Answer
from policyguard.testing.breaches import breach_of
from policyguard.testing.changes import changed as changes_of
from policyguard.testing.moves import widened
from policyguard.testing.properties import PROPERTIES, property_named
from policyguard.testing.trial import Trial

PROC_05 = "policyguard/rules/procurement/proc_05.rego"
FACTS = "policyguard/facts/facts.rego"
MAIN = "policyguard/main/main.rego"
OPINIONS = frozenset({"monotone_time", "ill_typed_never_allows"})
"""Are asked on their own: a suspension ends, and each fact of another type is a decision."""
FOR_EACH_CALL = sorted(
    name
    for name, p in PROPERTIES.items()
    if p.form != "policy" and name not in OPINIONS
)


def failing(name: str, of: Trial, *facts: str, examples: int = 40) -> str:
    """Return what a law says that does not hold."""
    with pytest.raises(AssertionError) as caught:
        laws.law(name, of, facts=facts, examples=examples)()
    return str(caught.value)


@pytest.mark.parametrize("name", FOR_EACH_CALL)
def test_shipped_rules_keep_the_laws_on_drawn_calls(name: str) -> None:
    facts = ["tenant.licences.id", "asked.host"] if name == "irrelevant" else []
    examples = {"deterministic": 3, "allow_iff_nothing_objects": 8}.get(name, 15)

    law = laws.law(name, trial("PROC-05", "RBI-01"), facts=facts, examples=examples)

    assert law() is None


def test_shipped_rules_have_a_call_each_and_no_dead_condition() -> None:
    assert laws.reachable(trial("PROC-05", "RBI-01"))() is None
    assert laws.no_dead_condition(trial("PROC-05"))() is None


def test_a_hole_for_an_unknown_fact_is_found_and_shrunk() -> None:
    holed = changed(
        PROC_05,
        "input.context.dod_contract == null",
        'input.context.dod_tier == "none"',
    )

    said = failing("fail_closed", Trial(holed, space=space(), rules=["PROC-05"]))

    assert said.splitlines()[1:] == [
        "  when context.dod_contract = null: PROC-05 require_approval → nothing",
        "  call: context.dod_contract = true",
    ]


def test_a_rule_that_looks_at_the_first_class_alone_depends_on_order() -> None:
    said = failing("order_independent", own(FIRST_ONLY))

    assert 'when data.classes = ["' in said
    assert "ACME-02 deny" in said
    assert "purpose.publishes = true" in said


def test_a_fact_that_decides_is_not_irrelevant() -> None:
    assert "purpose.publishes" in failing("irrelevant", own(OWN), "purpose.publishes")


def test_a_rule_that_compares_instants_as_texts_depends_on_the_offset() -> None:
    text = OWN.replace(
        "input.purpose.publishes == true",
        'some licence in input.tenant.licences\n\tlicence.expires < "2199-01-01T06:00:00Z"',
    )

    assert "tenant.licences.expires" in failing("same_instant", own(text))


def test_a_bound_that_counts_a_second_late_is_found() -> None:
    late = changed(
        FACTS,
        "some edge in dated.boundaries; edge <= _now",
        "some edge in dated.boundaries; edge < _now",
    )

    of = Trial(late, space=space(), rules=["VEND-01"])
    said = failing("boundary_exact", of, examples=150)

    assert "VEND-01 unavailable" in said


def test_a_call_that_is_allowed_although_a_rule_objects_is_found() -> None:
    deaf = changed(MAIN, '"deny" in effects', '"denied" in effects')

    said = failing(
        "allow_iff_nothing_objects",
        Trial(deaf, space=space(), rules=["RBI-01"]),
        examples=400,
    )

    assert "allowed, although" in said


def test_a_rule_that_finds_nothing_and_a_condition_that_decides_nothing_are_named() -> (
    None
):
    silent = own(OWN.replace("== true", '== "yes"'))
    idle = own(
        OWN.replace("\tinput.purpose", "\tis_array(input.hops)\n\tinput.purpose")
    )

    assert "ACME-02: no call" in failing("reachable", silent)
    assert "own.rego:11: `is_array(input.hops)` decides nothing" in failing(
        "no_dead_condition", idle
    )


def test_a_condition_that_is_there_for_the_reader_is_passed_over_by_its_text() -> None:
    idle = own(
        OWN.replace("\tinput.purpose", "\tis_array(input.hops)\n\tinput.purpose")
    )

    assert laws.no_dead_condition(idle, but=["is_array(input.hops)"])() is None


def test_a_class_that_no_rule_looks_at_is_named() -> None:
    said = failing("no_uncovered", trial("RBI-01"), examples=10)

    assert 'data.classes = ["public"]: no rule looks at it' in said
    assert "financial" not in said


@pytest.mark.parametrize(
    "name",
    [
        "fail_closed",
        "monotone_classes",
        "monotone_lists",
        "order_independent",
    ],
)
def test_what_a_test_changes_of_a_call_is_what_a_proof_changes(name: str) -> None:
    prop = property_named(name)
    wide = widened(space(), name)
    of = Trial(trial().policy, space=wide, rules=["RBI-01"])
    base = {dim.path: dim.default for dim in wide.dims}
    classes = wide.dim("data.classes")
    start = {**base, classes.path: classes.values.index(["pii", "health"])}
    moved = {
        (dim.name, str(dim.values[to]))
        for dim in wide.dims
        for to, allowed in prop.moves_of(dim)
        if allowed(start[dim.path])
        and wide.call({**start, dim.path: to}) != wide.call(start)
    }

    made = {
        (item.fact, str(item.value)) for item in changes_of(prop, of, wide.call(start))
    }

    # A space knows no more than pairs, and the first of each list.
    assert {fact for fact, _ in moved} <= {fact for fact, _ in made}
    assert moved - made == set()


def test_an_unknown_property_and_an_unknown_rule_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="no property `never`"):
        laws.law("never")
    with pytest.raises(ConfigurationError, match="no rule `NONE-01`"):
        Trial(trial().policy, space=space(), rules=["NONE-01"])


def test_a_call_without_an_instant_has_no_answer_and_breaks_nothing() -> None:
    call = trial().space.call({})
    del call["at"]

    assert breach_of(property_named("allow_iff_nothing_objects"), trial(), call) is None
    assert trial().answer(call) == Answer(verdict=UNANSWERED)


def test_each_law_is_one_line() -> None:
    assert {name for name in PROPERTIES if not callable(getattr(laws, name))} == set()


def test_a_rule_that_is_silent_of_another_type_is_found() -> None:
    unasked = changed(MAIN, "data.policyguard.facts.whole\n", "")
    modules = {**unasked.modules, "tenant/own.rego": OWN}
    policy = replace(unasked, modules=modules)

    said = failing(
        "ill_typed_never_allows", Trial(policy, space=space(), rules=["ACME-02"])
    )

    assert "  when data.classes = {}: ACME-02 deny → nothing" in said


def test_what_is_no_whole_question_allows_nothing_whatever_rules_say() -> None:
    assert laws.ill_typed_never_allows(own(OWN))() is None
    shipped = trial("PROC-05", "RBI-01", "GDPR-01", "EAR-04")
    assert laws.ill_typed_never_allows(shipped, examples=15)() is None


def test_a_rule_that_ends_is_found_and_is_asked_for_by_name() -> None:
    said = failing("monotone_time", trial("VEND-01"), examples=100)

    assert "VEND-01 unavailable → nothing" in said
    assert laws.monotone_time(own(OWN))() is None
    with pytest.raises(ConfigurationError, match="name the `rules` that never ease"):
        laws.monotone_time()


def test_a_rule_behind_another_one_is_named_unless_that_is_meant() -> None:
    behind = OWN + OWN.partition("package policyguard.tenant")[2].replace(
        "ACME-02", "ACME-03"
    ).replace('"source_code" in input.data.classes', "true")
    shadow = own(behind)

    said = failing("no_shadowed_rule", shadow)

    assert "ACME-02: ACME-03 objects as strictly in each of " in said
    assert laws.no_shadowed_rule(shadow, but=["ACME-02"])() is None
    assert laws.no_shadowed_rule(own(OWN))() is None


def test_at_night_laws_are_tried_on_other_calls_and_more_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usual = laws._effort(7)
    monkeypatch.setattr(hypothesis_settings, "_current_profile", laws.NIGHTLY)
    night = laws._effort(7)

    assert (usual.max_examples, usual.derandomize, usual.database) == (7, True, None)
    assert (night.max_examples, night.derandomize) == (140, False)
