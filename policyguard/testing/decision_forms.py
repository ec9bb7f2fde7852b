"""Is what a decision table consists of, and the document that it is printed as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

import orjson

from policyguard.canonical import Json

Tier: TypeAlias = Literal["PROVED", "SAMPLED"]
EFFECTS: Final = (
    "deny",
    "unavailable",
    "require_approval",
    "indeterminate",
    "oblige",
    "advise",
)
"""From the strictest to the mildest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """Is a set of conditions, and what the rule finds where they hold."""

    effect: str
    conditions: Mapping[str, str]
    """By fact the values that it may have, in words; what is not named may have any."""
    values: Mapping[str, tuple[Json, ...]] = field(repr=False)
    """The same as values, one of each kind that the rule tells apart."""
    remedies: tuple[str, ...]
    missing: tuple[str, ...]
    """Facts that it asks for in every call of the row that was looked at."""
    calls: int
    """How many calls that the rule can tell apart have it."""
    call: Json = field(repr=False)
    """One of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionTable:
    """Is one rule as rows."""

    rule: str
    title: str
    citation: str
    regime: str
    status: str | None
    """Its status at the instant of the table; nothing where there is no one instant."""
    rows: tuple[TableRow, ...] = field(repr=False)
    facts: tuple[str, ...]
    """The facts that some row names, in the order of the space."""
    tier: Tier
    held: Mapping[str, str]
    """Facts that every call of the table has, in words: set, or held as too many."""
    too_much: tuple[str, ...]
    """Of those, the ones that were held since the rule reads too much."""
    calls: int
    """How many calls the rule can tell apart in the space of the table."""
    drawn: int
    """Calls that were drawn in which what was held is otherwise."""
    differing: int
    """Of them, those in which the rule finds something else than the table says."""
    crosschecks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionTables:
    """Is what some rules find, over one policy."""

    tables: tuple[DecisionTable, ...]
    at: str | None
    """The instant of which they speak; nothing: of every one."""
    bundle_digest: str
    catalog_digest: str
    space_digest: str


def document_of(found: DecisionTables) -> dict[str, Any]:
    """Return tables as a JSON document.

    Args:
        found: The tables.
    """
    document = {
        "at": found.at,
        "bundle": found.bundle_digest,
        "catalog": found.catalog_digest,
        "space": found.space_digest,
        "tables": [_table(table) for table in found.tables],
    }
    copied: dict[str, Any] = orjson.loads(orjson.dumps(document))
    return copied


def _table(table: DecisionTable) -> dict[str, Any]:
    return {
        "rule": table.rule,
        "title": table.title,
        "citation": table.citation,
        "regime": table.regime,
        "status": table.status,
        "tier": table.tier,
        "calls": str(table.calls),
        "crosschecks": table.crosschecks,
        "held": dict(table.held),
        "too_much": list(table.too_much),
        "drawn": table.drawn,
        "differing": table.differing,
        "facts": list(table.facts),
        "rows": [
            {
                "effect": row.effect,
                "conditions": dict(row.conditions),
                "values": {name: list(values) for name, values in row.values.items()},
                "remedies": list(row.remedies),
                "missing": list(row.missing),
                "calls": str(row.calls),
                "input": row.call,
            }
            for row in table.rows
        ],
    }
