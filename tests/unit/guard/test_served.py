"""What an answer says of its route, against the decision that allowed the call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from guards import SUMMER, TICKETS, guard_in

from policyguard import Guard
from policyguard.guard.describe import Described, Observed
from policyguard.guard.facts import facts_of
from policyguard.guard.recording import Ending, outcome_of
from policyguard.guard.served import Served, served
from policyguard.vocabulary.decision import Decision, Obligation


@pytest.fixture(scope="module")
def guard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guard]:
    with guard_in(tmp_path_factory.mktemp("served")) as made:
        yield made


@pytest.fixture(scope="module")
def decision(guard: Guard) -> Decision:
    """Return an allowed call of `glm-5.2` in France."""
    described = Described(model="glm-5.2", host="api.scaleway.ai", path="/v1")
    call = guard.core.question(described=described, facts=facts_of(**TICKETS))
    decision = guard.check(call)
    assert decision.allowed
    return decision


def found(guard: Guard, decision: Decision, **said: Any) -> Served:
    return served(decision, Observed(**said), catalog=guard.core.catalog)


@pytest.mark.parametrize(
    ("name", "model", "deviations"),
    [
        (None, None, ()),
        ("glm-5.2", "glm-5.2", ()),
        ("glm-5.2-2026-06-01", "glm-5.2", ()),
        ("glm-5.2@20260601", "glm-5.2", ()),
        ("glm-5.2-flash", None, ("model.unknown",)),
        ("glm-5.21", None, ("model.unknown",)),
        ("claude-fable-5", "claude-fable-5", ("model",)),
        ("canary name that nobody has", None, ("model.unknown",)),
    ],
)
def test_the_model_that_answers_is_the_asked_one_or_a_snapshot_of_it(
    guard: Guard,
    decision: Decision,
    name: str | None,
    model: str | None,
    deviations: tuple[str, ...],
) -> None:
    assert found(guard, decision, served_model=name) == Served(
        model=model,
        countries=None,
        deviations=deviations,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("region", "countries", "deviations"),
    [
        (None, None, ()),
        ("", None, ()),
        ("not_available", None, ()),
        ("France Central", ("FR",), ()),
        ("us", ("US",), ("region",)),
        ("East US", ("US",), ("region",)),
        ("global", None, ("region",)),
        ("eu", None, ("region.unknown",)),
        ("atlantis", None, ("region.unknown",)),
    ],
)
def test_the_place_that_answers_is_one_of_the_approved_ones(
    guard: Guard,
    decision: Decision,
    region: str | None,
    countries: tuple[str, ...] | None,
    deviations: tuple[str, ...],
) -> None:
    assert found(guard, decision, served_region=region) == Served(
        model=None,
        countries=countries,
        deviations=deviations,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("region", "deviations"), [("eu", ()), ("us", ("region",)), ("global", ("region",))]
)
def test_an_obliged_geography_is_the_one_that_has_to_answer(
    guard: Guard, decision: Decision, region: str, deviations: tuple[str, ...]
) -> None:
    geo = Obligation(id="X-01", type="set_inference_geo", properties={"geo": "eu"})
    obliged = decision.model_copy(update={"obligations": (geo,)})

    assert found(guard, obliged, served_region=region).deviations == deviations


def test_what_was_approved_without_a_model_or_a_place_cannot_be_deviated_from(
    guard: Guard, decision: Decision
) -> None:
    call = decision.call.model_copy(update={"model": None, "route": (None,)})
    unknown = decision.model_copy(update={"call": call})

    said = found(guard, unknown, served_model="kimi-k2", served_region="us")
    assert said.deviations == ()


@pytest.mark.parametrize("number", [-1, 2**53, 2**60, 1.5, True, "7", None])
def test_numbers_that_no_record_may_hold_do_not_keep_the_outcome_out(
    guard: Guard, decision: Decision, number: Any
) -> None:
    observed = Observed(
        served_model="claude-fable-5", input_tokens=number, output_tokens=2**53 - 1
    )

    record = outcome_of(
        decision,
        ending=Ending(outcome="complete", status=number, observed=observed),
        catalog=guard.core.catalog,
        time=SUMMER,
    )

    assert record.deviations == ("model",)
    assert (record.status, record.input_tokens) == (None, None)
    assert record.output_tokens == 2**53 - 1
