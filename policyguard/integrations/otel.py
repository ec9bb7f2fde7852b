"""Spans and metrics for OpenTelemetry, with the names of its GenAI conventions.

    otel.watch(guard)

Only the API is needed: what becomes of spans and numbers is the application's SDK's
affair. Nothing is put into baggage, which would travel to providers.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator
from time import time_ns
from typing import TYPE_CHECKING, Any, Final

from policyguard.errors import ConfigurationError
from policyguard.guard.signals import PULLED, PUSHED, SPAN, Instrument
from policyguard.guard.watching import Decided, Ended, Measured, readings
from policyguard.version import __version__

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider, Observation
    from opentelemetry.trace import TracerProvider

    from policyguard.guard.core import Core
    from policyguard.guard.guard import Guard

SCOPE: Final = "policyguard"
"""The instrumentation scope, which tells our numbers from an SDK's own."""


def watch(
    guard: Guard,
    *,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
) -> None:
    """Give spans and metrics of a guard, and of all guards bound from it.

    Args:
        guard: What is watched, in place, until its process ends.
        tracer_provider: Makes the spans; without it the global one.
        meter_provider: Makes the instruments; without it the global one.

    Raises:
        ConfigurationError: the extra is missing, or it is watched already.
    """
    try:
        from opentelemetry import metrics, trace
    except ImportError as error:
        raise ConfigurationError(
            "OpenTelemetry is not installed: pip install 'policyguard-ai[otel]'"
        ) from error
    tracer = trace.get_tracer(SCOPE, __version__, tracer_provider)
    meter = metrics.get_meter(SCOPE, __version__, meter_provider)
    guard.core.watching.add(_OpenTelemetry(tracer, meter))
    for item in PULLED:
        _observe(meter, item, weakref.ref(guard.core))


class _OpenTelemetry:
    name = "OpenTelemetry"

    def __init__(self, tracer: Any, meter: Any) -> None:
        self._tracer = tracer
        self._tell: dict[Instrument, Callable[..., None]] = {
            item: _pushed(meter, item) for item in PUSHED
        }

    def decided(self, event: Decided) -> None:
        # The decision is made: the span is drawn behind it, under the caller's own.
        end = time_ns()
        self._tracer.start_span(
            SPAN,
            start_time=end - int(event.seconds * 1e9),
            attributes=event.attributes,
        ).end(end)
        self._count(event.measured)

    def ended(self, event: Ended) -> None:
        self._count(event.measured)

    def _count(self, measured: Iterable[Measured]) -> None:
        for item in measured:
            self._tell[item.instrument](item.value, _attributes(item))


def _attributes(item: Measured) -> dict[str, str]:
    """Return the labels of a value; one that is empty says nothing."""
    pairs = zip(item.instrument.labels, item.labels, strict=True)
    return {
        name if "." in name else f"policyguard.{name}": value
        for name, value in pairs
        if value
    }


def _pushed(meter: Any, item: Instrument) -> Callable[..., None]:
    if item.kind == "counter":
        add: Callable[..., None] = meter.create_counter(
            item.name, unit=item.unit, description=item.meaning
        ).add
        return add
    record: Callable[..., None] = meter.create_histogram(
        item.name,
        unit=item.unit,
        description=item.meaning,
        explicit_bucket_boundaries_advisory=item.buckets,
    ).record
    return record


def _observe(meter: Any, item: Instrument, core: Callable[[], Core | None]) -> None:
    from opentelemetry.metrics import Observation

    def read(_: object) -> Iterator[Observation]:
        known = core()
        for found in () if known is None else readings(known):
            if found.instrument is item:
                yield Observation(found.value, _attributes(found))

    make = (
        meter.create_observable_counter
        if item.kind == "counter"
        else meter.create_observable_gauge
    )
    make(item.name, callbacks=[read], unit=item.unit, description=item.meaning)
