"""What is drawn is what the vocabulary, the catalog and the bounds of the policy name."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, find, given, settings
from unit.testing.trials import own, space, trial

from policyguard.testing.answers import UNANSWERED, VERDICTS
from policyguard.testing.strategies import around, calls, ill_typed, inputs, times
from policyguard.testing.trial import Trial
from policyguard.vocabulary.call import ModelCall
from policyguard.vocabulary.names import without_name_keys

FEW = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
FEW_MORE = settings(FEW, max_examples=2_000)


@FEW
@given(call=calls(trial("PROC-05", "LIC-04")))
def test_a_drawn_call_is_one_that_a_guard_takes(call: ModelCall) -> None:
    known = trial().policy.data["catalog"]["models"]  # type: ignore[index,call-overload]

    assert call.model is None or call.model in known


@FEW
@given(call=inputs(trial("PROC-05", "LIC-04"), missing=False))
def test_without_missing_facts_what_is_drawn_is_known(call: dict[str, Any]) -> None:
    assert call["model"] is not None


@FEW
@given(at=times(trial()))
def test_instants_are_bounds_and_the_seconds_beside_them(at: datetime) -> None:
    second = int(at.timestamp())

    assert any(second + step in trial().boundaries for step in (-1, 0, 1))


@FEW
@given(at=around({"at": "2020-01-01T00:00:00Z", "x": "2026-01-01T00:00:00Z"}))
def test_the_bounds_of_a_call_are_its_own_instants_and_their_ends(at: datetime) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    end = start.timestamp() + 365 * 86_400 + 1

    assert {abs(at.timestamp() - start.timestamp()), abs(at.timestamp() - end)} & {0, 1}


@FEW
@given(call=ill_typed(trial("PROC-05")))
def test_an_ill_typed_input_is_answered_or_has_no_answer_and_never_crashes(
    call: Any,
) -> None:
    assert trial().answer(call).verdict in {*VERDICTS, UNANSWERED}


def test_of_an_ill_typed_input_one_fact_that_is_missing_remains() -> None:
    calm = trial().space.call({})

    lacking = find(
        ill_typed(trial("PROC-05")),
        lambda call: set(call) < set(calm),
        settings=FEW_MORE,
    )

    assert {**calm, **lacking} == calm
    assert len(lacking) == len(calm) - 1


def test_a_call_shrinks_to_the_one_fact_that_matters() -> None:
    of = trial("PROC-05")

    small = find(
        inputs(of), lambda call: "PROC-05" in of.found(call), settings=FEW_MORE
    )

    calm = of.space.call({})
    differing = [group for group in small if small[group] != calm[group]]
    assert differing == ["context"]
    assert {
        name
        for name in small["context"]
        if small["context"][name] != calm["context"][name]
    } == {"dod_contract"}


def test_lists_are_longer_than_those_of_a_space() -> None:
    drawn = inputs(
        trial("PROC-05"), facts=["data.classes", "route", "tenant.contracts"]
    )

    call = find(
        drawn,
        lambda call: (
            len(call["data"]["classes"] or ()) == 3 and len(call["route"]) == 2
        ),
        settings=FEW_MORE,
    )

    assert call["data"]["classes"] == sorted(
        set(call["data"]["classes"]), key=call["data"]["classes"].index
    )


@FEW
@given(
    call=inputs(trial("PROC-05"), facts=["route", "tenant.contracts"], missing=False)
)
def test_no_two_contracts_are_with_one_operator(call: dict[str, Any]) -> None:
    operators = [item["operator"] for item in call["tenant"]["contracts"]]

    assert len(operators) == len(set(operators))
    # The first is with the one who runs the first hop.
    first = trial().space.recipients.get(call["route"][0], "nobody")
    assert operators[:1] in ([], [first])


def test_contracts_of_several_operators_are_drawn() -> None:
    drawn = inputs(trial("PROC-05"), facts=["route", "tenant.contracts"])

    call = find(
        drawn,
        lambda call: len(call["tenant"]["contracts"] or ()) == 3,
        settings=FEW_MORE,
    )

    assert ModelCall.model_validate(
        without_name_keys({**call, "caller": {**call["caller"], "id": "x"}})
    ).tenant.contracts


def test_the_day_on_which_a_limit_of_terms_begins_is_a_bound() -> None:
    # The terms of Anthropic limit who may own its customers since then.
    limit = int(datetime(2025, 9, 5, tzinfo=UTC).timestamp())

    assert limit in trial().boundaries


def test_a_policy_whose_rules_read_nothing_has_one_call() -> None:
    text = 'package policyguard.tenant\n\nfindings contains {"id": "ACME-02", "effect": "deny", "msg": "never", "facts": {}, "missing": [], "remedy": "none"}\n'

    assert find(inputs(own(text)), lambda _: True) == space().call({})


@pytest.mark.parametrize(
    "name", ["tenant.licences.expires", "caller.organisation.country"]
)
def test_a_fact_in_an_object_brings_the_object(name: str) -> None:
    of = Trial(trial().policy, space=space(), rules=["PROC-05"])
    value = of.space.dim(name).values[-1]

    call = find(
        inputs(of, facts=[name]),
        lambda call: str(value) in json.dumps(call),
        settings=FEW_MORE,
    )

    assert call != space().call({})
