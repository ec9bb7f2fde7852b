"""Which other deployments of the same model the same call would be allowed to use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from policyguard.catalog.catalog import Catalog
from policyguard.catalog.schema import Deployment, Price
from policyguard.vocabulary.call import ModelCall
from policyguard.vocabulary.decision import Alternative

MOST_TRIED: Final = 12
"""A denial must stay cheap: the cheapest deployments are tried first."""


def alternatives(
    call: ModelCall, *, catalog: Catalog, allows: Callable[[ModelCall], bool]
) -> tuple[Alternative, ...]:
    """Return the permitted deployments of the call's model, cheapest first.

    Args:
        call: The call that is not allowed.
        catalog: Where its model's deployments are found.
        allows: Answers a question without recording it.
    """
    if call.model is None:
        return ()
    others = [
        name for name in catalog.deployments_of(call.model) if name not in call.route
    ]
    return tuple(
        _alternative(name, catalog.deployment(name))
        for name in others[:MOST_TRIED]
        if allows(call.model_copy(update={"route": (name,)}))
    )


def _alternative(name: str, deployment: Deployment) -> Alternative:
    return Alternative(
        deployment=name,
        model=deployment.model,
        host=deployment.hosts[0] if deployment.hosts else None,
        countries=deployment.processing_countries,
        price=_price(deployment.price),
    )


def _price(price: Price | None) -> str | None:
    if price is None:
        return None
    spent, earned = price.input_microusd / 1e6, price.output_microusd / 1e6
    return f"${spent:.2f} in, ${earned:.2f} out per million tokens"
