"""Reads from a JSON object that is sent which model it names.

Specification: RFC 8259, read more strictly than most servers do. What two readers
could understand differently is uncertain: twice the same key, a key that differs from
`model` only in case, a second model to fall back to or to use as a tool. What has many
calls names no model itself; `wire_batch` reads those.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from policyguard.canonical import Json
from policyguard.guard.obligations import PARAMETERS

_MODEL: Final = "model"
BATCH: Final = "requests"
"""The field that holds the calls of a batch of Anthropic's."""
_OTHER_MODELS: Final = frozenset({"models", "fallbacks", "fallback_models", BATCH})
"""Fields by which gateways are told to ask other models than `model`, or many."""


def model_in(document: Mapping[Any, Any]) -> tuple[str | None, bool]:
    """Return the model that a JSON object names, and whether that is uncertain."""
    for key in document:
        if not isinstance(key, str):
            return None, True
        known = key.casefold()
        if known in _OTHER_MODELS or (known == "model" and key != "model"):
            return None, True
    named = document.get("model")
    model = named if isinstance(named, str) else None
    if "tools" in document and not _leave(model, document["tools"]):
        return None, True
    return model, False


def calls_in(document: Mapping[Any, Any]) -> tuple[Mapping[Any, Any], ...] | None:
    """Return the calls in a batch; `None`: it is none, or not all can be read."""
    items = document.get(BATCH)
    if not isinstance(items, (list, tuple)):
        # A generator too: what is read here would not be sent.
        return None
    calls = [item.get("params") for item in items if _has_one_call(item)]
    if len(calls) != len(items) or not all(isinstance(it, Mapping) for it in calls):
        return None
    return tuple(calls)


def parameters_in(document: Mapping[str, Any]) -> dict[str, Json]:
    """Return the fields of a call that obligations ask about."""
    return {name: document[name] for name in PARAMETERS if name in document}


def folded(document: Mapping[Any, Any]) -> list[str]:
    """Return the keys of an object as a careless reader may see them."""
    return [str(key).casefold() for key in document]


def parse_object(content: bytes) -> Mapping[str, Any] | None:
    """Return the JSON object in a body, or `None` if it is not plainly one."""
    try:
        document = _STRICT.decode(content.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _has_one_call(item: object) -> bool:
    return isinstance(item, Mapping) and folded(item).count("params") == 1


def _leave(model: str | None, tools: object) -> bool:
    """Say whether the tools of a call name no other model: an image model, for one.

    An SDK also takes tools as objects of its own, and from a generator: what is read of
    that here would not be sent.
    """
    if not isinstance(tools, (list, tuple)):
        return isinstance(tools, (str, Mapping)) or not isinstance(tools, Iterable)
    return all(_model_of(item, otherwise=model) == model for item in tools)


def _model_of(tool: object, *, otherwise: str | None) -> object:
    if isinstance(tool, Mapping):
        return tool.get(_MODEL, otherwise)
    named = getattr(tool, _MODEL, None)
    return otherwise if named is None else named


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("an object has the same key twice")
    return document


def _refuse(name: str) -> Any:
    raise ValueError(f"`{name}` is not JSON")


_STRICT: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse)
