"""Times alternatives in turns, so that a noisy machine is equally unkind to each."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import quantiles

from rich.progress import track


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Is what one alternative took, in microseconds for each run."""

    name: str
    p10: float
    """What it takes where others leave the machine alone, on one that they use too."""
    p50: float
    p99: float
    runs: int


def measure(
    cases: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    warm_up: int = 20,
    burst: int = 1,
) -> tuple[Measured, ...]:
    """Run every case once a round, in a new order each, and return the quantiles.

    What runs after a sync of the disk is slower, so no case may always follow another.

    Args:
        cases: What is measured, by name.
        rounds: How often each has its turn.
        warm_up: Runs of each that do not count.
        burst: Runs in one turn, after one that does not count: what takes microseconds
            is not measured with the caches that another case has left.
    """
    order = list(cases.items())
    dice = random.Random(0)
    for case in cases.values():
        for _ in range(warm_up):
            case()
    taken: dict[str, list[float]] = {name: [] for name in cases}
    for _ in track(range(rounds), description="measuring", transient=True):
        dice.shuffle(order)
        for name, case in order:
            if burst > 1:
                case()
            for _ in range(burst):
                began = time.perf_counter_ns()
                case()
                taken[name].append((time.perf_counter_ns() - began) / 1000)
    return tuple(_measured(name, values) for name, values in taken.items())


def _measured(name: str, values: list[float]) -> Measured:
    cuts = quantiles(values, n=100)
    return Measured(
        name=name, p10=cuts[9], p50=cuts[49], p99=cuts[98], runs=len(values)
    )
