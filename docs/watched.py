"""The reference of what can be watched: spans, instruments and events of the log."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from policyguard.guard.signals import ATTRIBUTES, INSTRUMENTS, SPAN, Instrument
from policyguard.integrations import structlog
from policyguard.integrations.prometheus import labels_of

PACKAGE: Final = Path(__file__).resolve().parent.parent / "policyguard"
_LEVELS: Final = frozenset({"debug", "info", "warning", "error"})


def page() -> str:
    """Return the generated part of the page."""
    return "\n".join([*_span(), *_instruments(), *_events()])


def logged() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield name, level and fields of each event that our code logs, as it is written.

    The events of `policyguard.integrations.structlog` are not among them.
    """
    found: dict[str, tuple[str, set[str]]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and _is_log(node.func) and node.args:
                name = ast.literal_eval(node.args[0])
                level = node.func.attr  # type: ignore[attr-defined]
                fields = {item.arg for item in node.keywords if item.arg}
                found.setdefault(name, (level, set()))[1].update(fields)
    for name, (level, fields) in sorted(found.items()):
        yield name, level, tuple(sorted(fields))


def _is_log(function: ast.expr) -> bool:
    return (
        isinstance(function, ast.Attribute)
        and function.attr in _LEVELS
        and isinstance(function.value, ast.Name)
        and function.value.id == "log"
    )


def _span() -> Iterator[str]:
    yield f"## The span `{SPAN}`\n"
    yield "| attribute | field of the event | is |\n|---|---|---|"
    for name, meaning in ATTRIBUTES.items():
        yield f"| `{name}` | `{structlog.FIELDS[name]}` | {meaning} |"


def _instruments() -> Iterator[str]:
    yield "\n## Metrics\n"
    yield "| OpenTelemetry | Prometheus | kind | labels | is |\n|---|---|---|---|---|"
    for item in INSTRUMENTS:
        labels = ", ".join(f"`{name}`" for name in labels_of(item)) or ""
        yield (
            f"| `{item.name}`{_unit(item)} | `{item.prometheus}` | {item.kind}"
            f" | {labels} | {item.meaning} |"
        )


def _unit(item: Instrument) -> str:
    return "" if item.unit == "1" else f" ({item.unit})"


def _events() -> Iterator[str]:
    yield "\n## Events\n"
    yield "| event | level | fields |\n|---|---|---|"
    fields = ", ".join(f"`{name}`" for name in structlog.FIELDS.values())
    yield f"| `{structlog.DECISION}` | info | {fields}, `seconds` |"
    yield (
        f"| `{structlog.OUTCOME}` | info | `decision_id`, `call_id`, `outcome`,"
        " `error` |"
    )
    for name, level, given in logged():
        yield f"| `{name}` | {level} | {', '.join(f'`{item}`' for item in given)} |"
