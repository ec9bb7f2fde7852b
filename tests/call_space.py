"""Calls drawn at random from the vocabulary's own schema, typed and ill-typed.

A field that is added to the vocabulary is drawn from then on without anybody's help.
"""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from pydantic import ValidationError

from policyguard.catalog.catalog import Catalog
from policyguard.vocabulary.call import ModelCall

WORDS: Final = (
    "DE", "FR", "US", "CN", "RU", "IR", "CH", "GB", "IN", "HK",
    "US-TX", "US-CA", "CN-BJ",
    "2026-06-12T21:21:00Z", "2026-07-10T12:00:00Z", "2024-01-01T00:00:00Z",
    "2029-03-01T09:30:00.5Z", "2018-05-24T23:59:59Z",
    "EAR99", "not_technology", "published", "3E001", "4E001.a",
    "TSR", "entity-list", "sdn", "mieu", "bis-2026-06-26:A", "Built with Llama",
    "none", "Acme", "https://example.com/paper", "x", "ä", "\U0001f600", "",
)  # fmt: skip
NUMBERS: Final = (0, 1, 30, 365, 5_000, 10_000, 120_000, 700_000_000, 2**53 - 1)
ODD: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1_000, "", "DE", "999999", [], ["DE"], {}, {"DE": "DE"},
    [None], [[]],
)  # fmt: skip
_KNOWN: Final = 0.8
"""How often a fact that may be unknown is known."""


class CallSpace:
    """Draws calls about the entries of a catalog.

    Args:
        catalog: Whose models, operators and deployments are named.
        seed: What the draws depend on.
    """

    def __init__(self, catalog: Catalog, *, seed: int) -> None:
        self._random = random.Random(seed)
        self._models = {
            key: item.model for key, item in catalog.entries.deployments.items()
        }
        self._names = {
            "model": tuple(catalog.entries.models),
            "models": tuple(catalog.entries.models),
            "operator": tuple(catalog.entries.operators),
            "operators": tuple(catalog.entries.operators),
            "route": tuple(catalog.entries.deployments),
            "listed": tuple(catalog.entries.lists),
        }

    def typed(self) -> dict[str, Any]:
        """Return an input that the vocabulary accepts."""
        while True:
            drawn = self._value(_schema(), name="call")
            # A route that leads nowhere is answered by the first rule alone.
            if self._random.random() < 0.8:
                drawn["route"] = [self._random.choice(self._names["route"])]
            try:
                call = ModelCall.model_validate(drawn)
            except ValidationError:
                continue
            return dict(call.engine_input())

    def ill_typed(self) -> dict[str, Any]:
        """Return an input of which some fields are missing or of another type."""
        document: Any = copy.deepcopy(self.typed())
        for _ in range(self._random.randint(1, 3)):
            node, key = self._place(document)
            if isinstance(node, dict) and self._random.random() < 0.5:
                del node[key]
            else:
                node[key] = copy.deepcopy(self._random.choice(ODD))
        return dict(document)

    def _place(self, document: Any) -> tuple[Any, Any]:
        places = []
        stack = [document]
        while stack:
            node = stack.pop()
            keys = node if isinstance(node, dict) else range(len(node))
            for key in keys:
                places.append((node, key))
                if isinstance(node[key], (dict, list)):
                    stack.append(node[key])
        return self._random.choice(places) if places else (document, "at")

    def _value(self, schema: Mapping[str, Any], *, name: str) -> Any:
        if "$ref" in schema:
            return self._value(_definition(schema["$ref"]), name=name)
        if "anyOf" in schema:
            some = [item for item in schema["anyOf"] if item.get("type") != "null"]
            known = len(some) == len(schema["anyOf"]) or self._random.random() < _KNOWN
            return self._value(self._random.choice(some), name=name) if known else None
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._random.choice(schema["enum"])
        return getattr(self, f"_{schema['type']}")(schema, name)

    def _boolean(self, schema: Mapping[str, Any], name: str) -> bool:
        del schema, name
        return self._random.random() < 0.5

    def _integer(self, schema: Mapping[str, Any], name: str) -> int:
        del name
        low, high = schema.get("minimum", 0), schema.get("maximum", 2**53 - 1)
        return self._random.choice([n for n in NUMBERS if low <= n <= high])

    def _string(self, schema: Mapping[str, Any], name: str) -> str:
        known = self._names.get(name)
        if known and self._random.random() < 0.9:
            return self._random.choice(known)
        instant = schema.get("format") == "date-time"
        pattern = r"\d{4}-.*Z" if instant else schema.get("pattern", "")
        found = [
            word
            for word in WORDS
            if re.search(pattern, word) and len(word) >= schema.get("minLength", 0)
        ]
        return self._random.choice(found or ["x"])

    def _array(self, schema: Mapping[str, Any], name: str) -> list[Any]:
        count = self._random.randint(schema.get("minItems", 0), 3)
        items = schema.get("items") or {"type": "string"}
        return [self._value(items, name=name) for _ in range(count)]

    def _object(self, schema: Mapping[str, Any], name: str) -> dict[str, Any]:
        del name
        return {
            key: self._value(inner, name=key)
            for key, inner in schema.get("properties", {}).items()
        }


@cache
def _schema() -> dict[str, Any]:
    return ModelCall.model_json_schema()


def _definition(reference: str) -> dict[str, Any]:
    found: dict[str, Any] = _schema()["$defs"][reference.rpartition("/")[2]]
    return found
