"""No threshold of the shipped rules is passed by calls that are made at once.

A guard counts what it has sent and what it may yet send. Calls that are asked together
must not each be let through because none of the others has happened yet.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import pytest
from policy.scenario_table import Scenario
from policy.test_scenarios import SETTINGS, all_scenarios, client_of

from policyguard import Guard, PolicyDenied
from policyguard.settings import TrailSettings
from policyguard.vocabulary.call import DataFacts

CALLS: Final = 5
AT_ONCE: Final = [
    pytest.param(
        "the threshold itself is not more than the threshold",
        lambda data, number: data.model_copy(
            update={"counts": data.counts.model_copy(update={"pii": number})}
        ),
        100_000,
        "DSP-02",
        id="28 CFR 202.205: more than 100 000 in twelve months",
    ),
    pytest.param(
        "the person before that",
        lambda data, number: data.model_copy(update={"persons": number}),
        99_999,
        "CN-01",
        id="CAC 2024-03-22: 100 000 since 1 January",
    ),
]


def scenario_of(it: str) -> Scenario:
    (found,) = [item for item in all_scenarios() if item.it == it]
    return found


def sender(
    guard: Guard, scenario: Scenario, sent: list[Any]
) -> Callable[[DataFacts], str | None]:
    """Return what makes one call by the real SDK, and says which rule denied it."""
    call = scenario.call
    core = dataclasses.replace(
        guard.core, tenant=call.tenant, clock=lambda: call.at, simulated=True
    )

    def send(data: DataFacts) -> str | None:
        bound = Guard.of_core(core).bind(
            caller=call.caller,
            data=data,
            purpose=call.purpose,
            exporter=call.exporter,
            context=call.context,
        )
        with client_of(scenario, sent) as client:
            try:
                bound.call(
                    client.chat.completions.create,
                    model=str(scenario.asked),
                    messages=[{"role": "user", "content": "canary"}],
                )
            except PolicyDenied as denied:
                return denied.decision.findings[0].id
        return None

    return send


@pytest.mark.parametrize(("it", "with_number", "most", "rule"), AT_ONCE)
def test_calls_at_once_never_add_up_to_more_than_the_threshold(
    it: str,
    with_number: Callable[[DataFacts, int], DataFacts],
    most: int,
    rule: str,
    tmp_path: Path,
) -> None:
    scenario, sent = scenario_of(it), list[Any]()
    share = most * 2 // CALLS
    settings = SETTINGS.model_copy(
        update={"trail": TrailSettings(directory=tmp_path / "trail")}
    )
    with Guard(settings=settings) as guard:
        send = sender(guard, scenario, sent)
        several = with_number(scenario.call.data, share)
        with ThreadPoolExecutor(CALLS) as pool:
            denied = list(pool.map(send, [several] * CALLS))
        # What is left may be sent, and not one person more.
        made = len(sent)
        rest = most - made * share
        last = [send(with_number(scenario.call.data, rest + more)) for more in (1, 0)]

    assert 1 <= made <= 2
    assert set(denied) == {None, rule}
    assert (denied.count(None), last) == (made, [rule, None])
