"""The order of candidates: a model's own hosts first, then price, then id."""

from __future__ import annotations

from pathlib import Path
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from policyguard.catalog.catalog import Catalog, catalog_of
from policyguard.catalog.load import load_catalog
from policyguard.catalog.schema import Deployment, Price
from policyguard.guard.messages import operator_view
from policyguard.guard.routing import (
    MOST_TRIED,
    Objection,
    candidates,
    considered,
    moved,
)
from policyguard.vocabulary.call import ModelCall, Tenant
from policyguard.vocabulary.decision import BundleRef, CatalogRef, Decision, EngineRef

POLICIES = Path(__file__).parents[3] / "policies"
SHIPPED = load_catalog(sorted((POLICIES / "catalog").glob("*.yaml")))
OWN = "glm-5.2@self-hosted"
CALL = ModelCall.model_validate(
    {"at": "2026-07-10T12:00:00Z", "tenant": Tenant(id="acme"), "model": "glm-5.2"}
)
FOUND = {
    "id": "GDPR-01",
    "effect": "deny",
    "status": "in_force",
    "verified": True,
    "msg": "no transfer tool is on file",
}
PRICES = st.one_of(
    st.none(),
    st.builds(
        Price,
        input_microusd=st.integers(0, 3),
        output_microusd=st.integers(0, 3),
    ),
)


def catalog_with(prices: dict[str, Price | None]) -> Catalog:
    """Return the shipped catalog with hosts of one model at these prices."""
    like = SHIPPED.deployment(OWN)
    deployments: dict[str, Deployment] = {
        key: like.model_copy(update={"price": price, "hosts": (f"{key}.example",)})
        for key, price in prices.items()
    }
    file = SHIPPED.entries.model_copy(update={"deployments": deployments})
    return catalog_of(file, version="test", replaced=())


@given(prices=st.dictionaries(st.sampled_from("abcdef"), PRICES), seed=st.integers())
def test_the_order_is_price_then_id_with_the_unpriced_last(
    prices: dict[str, Price | None], seed: int
) -> None:
    keys = list(prices)
    Random(seed).shuffle(keys)
    found = candidates(CALL, catalog=catalog_with({key: prices[key] for key in keys}))

    expected = sorted(
        prices,
        key=lambda key: (
            (known := prices[key]) is None,
            known.input_microusd + known.output_microusd if known else 0,
            key,
        ),
    )
    assert [item.deployment for item in found] == expected


def test_a_model_without_deployments_has_no_candidates() -> None:
    assert candidates(CALL, catalog=catalog_with({})) == ()
    assert candidates(CALL.model_copy(update={"model": None}), catalog=SHIPPED) == ()


def test_a_refusal_asks_about_the_cheapest_alone_however_many_there_are() -> None:
    priced = {
        f"host-{number:02}": Price(input_microusd=99 - number, output_microusd=0)
        for number in range(2 * MOST_TRIED)
    }
    asked: list[str | None] = []

    def objection(call: ModelCall) -> Objection | None:
        asked.append(call.route[-1])
        return Objection(verdict="deny") if len(asked) % 2 else None

    found = considered(CALL, catalog=catalog_with(dict(priced)), objection=objection)

    cheapest = sorted(priced, reverse=True)[:MOST_TRIED]
    assert asked == cheapest
    assert [item.deployment for item in found.permitted] == cheapest[1::2]
    assert [item.deployment for item in found.rejected] == cheapest[::2]


def test_a_moved_question_differs_in_where_it_goes_alone() -> None:
    (candidate, *_) = candidates(CALL, catalog=SHIPPED, models=["kimi-k2"])[-2:]

    there = moved(CALL, candidate)

    assert there.route == (candidate.deployment,)
    assert there.asked.host == candidate.host
    assert (
        there.model_copy(
            update={"model": CALL.model, "route": CALL.route, "asked": CALL.asked}
        )
        == CALL
    )


def test_a_message_says_that_a_price_is_unknown() -> None:
    catalog = catalog_with(
        {"a": None, "b": Price(input_microusd=2_000_000, output_microusd=0)}
    )
    decision = Decision.model_validate(
        {
            "id": "1",
            "call_id": "1",
            "time": "2026-07-10T12:00:00Z",
            "verdict": "deny",
            "findings": [FOUND],
            "alternatives": candidates(CALL, catalog=catalog),
            "call": CALL,
            "bundle": BundleRef(revision="1", digest="0" * 64),
            "catalog": CatalogRef(version="1", digest="0" * 64),
            "engine": EngineRef(name="none", version="1", digest="none"),
        }
    )

    assert operator_view(decision).splitlines()[-2:] == [
        "  would pass   glm-5.2 at b.example, $2.00 in, $0.00 out per million tokens",
        "               glm-5.2 at a.example, price unknown",
    ]
