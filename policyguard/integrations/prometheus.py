"""Metrics for Prometheus, through its own client library.

    prometheus.watch(guard)

What is counted goes into a registry, which the application exposes as it does its own:
`prometheus_client.start_http_server(9000)`, or an endpoint of its web framework.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from policyguard.errors import ConfigurationError
from policyguard.guard.signals import INSTRUMENTS, PULLED, PUSHED, Instrument
from policyguard.guard.watching import Decided, Ended, Measured, readings

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

    from policyguard.guard.core import Core
    from policyguard.guard.guard import Guard

_SUFFIX: Final = "_total"


def watch(guard: Guard, *, registry: CollectorRegistry | None = None) -> None:
    """Count what a guard, and all guards bound from it, decide.

    Args:
        guard: What is watched, in place, until its process ends.
        registry: Where the metrics go; without it the client library's own.

    Raises:
        ConfigurationError: the extra is missing, or the guard or the registry has
            these metrics already.
    """
    try:
        import prometheus_client
    except ImportError as error:
        raise ConfigurationError(
            "the client of Prometheus is not installed:"
            " pip install 'policyguard-ai[prometheus]'"
        ) from error
    known = registry or prometheus_client.REGISTRY
    try:
        watcher = _Prometheus(prometheus_client, known)
        known.register(_Readings(weakref.ref(guard.core)))
    except ValueError as error:
        raise ConfigurationError(
            "the registry has metrics of a guard already: watch one guard for each"
            " registry, and bind from it"
        ) from error
    guard.core.watching.add(watcher)


class _Prometheus:
    name = "Prometheus"

    def __init__(self, client: Any, registry: Any) -> None:
        self._metrics: dict[Instrument, Any] = {
            item: _metric(client, registry, item) for item in PUSHED
        }

    def decided(self, event: Decided) -> None:
        self._count(event.measured)

    def ended(self, event: Ended) -> None:
        self._count(event.measured)

    def _count(self, measured: tuple[Measured, ...]) -> None:
        for item in measured:
            metric = self._metrics[item.instrument]
            one = metric.labels(*item.labels) if item.labels else metric
            add = one.inc if item.instrument.kind == "counter" else one.observe
            add(item.value)


class _Readings:
    """Is read by the registry when somebody scrapes it."""

    def __init__(self, core: Callable[[], Core | None]) -> None:
        self._core = core

    def describe(self) -> Iterator[Metric]:
        """Yield what there will be, so that a registry refuses a second guard."""
        for item in PULLED:
            yield _family(item)

    def collect(self) -> Iterator[Metric]:
        """Yield the values of this moment; none when the guard is gone."""
        core = self._core()
        for found in () if core is None else readings(core):
            family = _family(found.instrument)
            family.add_metric(found.labels, found.value)
            yield family


def _metric(client: Any, registry: Any, item: Instrument) -> Any:
    given = (item.prometheus.removesuffix(_SUFFIX), item.meaning, labels_of(item))
    if item.kind == "counter":
        return client.Counter(*given, registry=registry)
    return client.Histogram(*given, buckets=item.buckets, registry=registry)


def _family(item: Instrument) -> Any:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    kind = CounterMetricFamily if item.kind == "counter" else GaugeMetricFamily
    name = item.prometheus.removesuffix(_SUFFIX)
    return kind(name, item.meaning, labels=labels_of(item))


def labels_of(item: Instrument) -> tuple[str, ...]:
    """Return an instrument's labels as Prometheus writes them."""
    return tuple(name.replace(".", "_") for name in item.labels)


def names() -> tuple[str, ...]:
    """Return the name of every metric, as a scrape shows them."""
    return tuple(item.prometheus for item in INSTRUMENTS)
