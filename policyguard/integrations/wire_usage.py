"""Compares what an answer says of its usage with what was asked for.

Only a contradiction counts: more output than the call allowed, no output where there is
some, another tier than the one that was asked for by name. What an answer does not say is
none, and neither is a sum that providers form in different ways.

INVARIANT: a limit is compared only where it bounds all that the answer counts. Tools that
the provider runs itself make several turns out of one call, and `best_of` makes answers
that nobody sees.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from policyguard.guard.describe import Observed
from policyguard.vocabulary.record import Deviation

_LIMITS: Final = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_ASKING: Final = frozenset({*_LIMITS, "inferenceConfig", "service_tier"})
"""Fields of a body that ask something of its answer."""
_OWN_TOOLS: Final = frozenset({None, "function", "custom"})
"""Types of tools that the caller runs."""
_MANY_TURNS: Final = frozenset({"best_of", "mcp_servers", "web_search_options"})
_TIERS: Final[Mapping[str, str]] = {
    "default": "default",
    "flex": "flex",
    "priority": "priority",
    "standard_only": "standard",
}
"""What an answer calls a tier that is asked for by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """Is what an answer has to keep to; `None`: nothing was asked for."""

    most_output: int | None = None
    """Tokens."""
    tier: str | None = None


NOTHING: Final = Expected()


def expected_in(document: Mapping[str, Any]) -> Expected:
    """Return what the body of a call asks of its answer."""
    if _ASKING.isdisjoint(document):
        return NOTHING
    tier = document.get("service_tier")
    return Expected(
        most_output=_most_output(document),
        tier=_TIERS.get(tier) if isinstance(tier, str) else None,
    )


def compared(observed: Observed, expected: Expected) -> Observed:
    """Return what was observed, with what in it contradicts what was asked for."""
    found: list[Deviation] = []
    output, most = observed.output_tokens, expected.most_output
    if output is not None and (
        (most is not None and output > most) or (output == 0 and observed.has_output)
    ):
        found.append("usage")
    if expected.tier and observed.tier and expected.tier != observed.tier:
        found.append("tier")
    return replace(observed, deviations=tuple(found)) if found else observed


def has_output_in(document: Mapping[str, Any]) -> bool:
    """Say whether an answer has text in it that its model wrote."""
    choices = document.get("choices")
    messages = [
        item.get("message")
        for item in (choices if isinstance(choices, list) else [])
        if isinstance(item, Mapping)
    ]
    parts = [item.get("content") for item in messages if isinstance(item, Mapping)]
    parts.append(document.get("content"))
    return any(map(_has_text, parts))


def _has_text(content: object) -> bool:
    if isinstance(content, list):
        return any(
            isinstance(item, Mapping) and _has_text(item.get("text"))
            for item in content
        )
    return isinstance(content, str) and bool(content)


def _most_output(document: Mapping[str, Any]) -> int | None:
    inference = document.get("inferenceConfig")
    limits = [_whole(document.get(name)) for name in _LIMITS]
    if isinstance(inference, Mapping):
        limits.append(_whole(inference.get("maxTokens")))
    known = [limit for limit in limits if limit is not None]
    answers = _whole(document.get("n", 1))
    if not known or answers is None or _MANY_TURNS & document.keys():
        return None
    tools = document.get("tools") or []
    own = isinstance(tools, list) and all(
        isinstance(item, Mapping) and item.get("type") in _OWN_TOOLS for item in tools
    )
    return max(known) * max(1, answers) if own else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
