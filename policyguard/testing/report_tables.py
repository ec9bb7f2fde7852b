"""Turns a document of decision tables into its part of a report."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Final

from policyguard.testing.report_markup import Document, Section, table
from policyguard.testing.table_pages import (
    HOW_TO_READ,
    Group,
    groups_of,
    held_of,
    helps,
    silence_of,
    status_of,
    sureness_of,
)

MARKED: Final[Mapping[str, str]] = {
    "deny": "deny",
    "unanswered": "deny",
    "unavailable": "unavailable",
    "require_approval": "require_approval",
    "indeterminate": "require_approval",
    "oblige": "allow",
    "advise": "allow",
}
"""How outcomes are coloured, as the verdicts that they lead to."""


def decision_tables(document: Document) -> Section:
    """Return the part of a report that shows decision tables.

    Args:
        document: What `policyguard policy table --json` prints.
    """
    tables = document["tables"]
    rows = sum(len(item["rows"]) for item in tables)
    parts = [f"<p>{escape(HOW_TO_READ)}</p>"]
    for item in tables:
        held = held_of(item, document["at"])
        parts += [
            f"<h3>{escape(item['rule'])}: {escape(item['title'])}</h3>",
            f'<p class="soft">{escape(item["citation"])}</p>',
            f"<p>{escape(status_of(item, document['at']))}</p>",
        ]
        if held:
            parts.append(f"<p>In every call of this table:</p>{_facts(held)}")
        parts += [_group(item["rule"], group) for group in groups_of(item)]
        if not item["rows"]:
            parts.append(f"<p>{escape(silence_of(item, document['at']))}</p>")
        parts.append(f'<p class="note">{escape(sureness_of(item))}.</p>')
    held_back = [item["rule"] for item in tables if item["tier"] != "PROVED"]
    return Section(
        name="table",
        title="Decision tables",
        state="open" if held_back else "good",
        headline=f"{len(tables):,} rules in {rows:,} rows",
        detail=f"{len(held_back):,} with facts held" if held_back else "complete",
        body="".join(parts),
    )


def _group(rule: str, group: Group) -> str:
    shown = MARKED.get(group.effect, "")
    rows = table(
        f"{rule}, {group.words}: any of {len(group.rows):,}",
        ("#", *group.heads),
        [(n, *cells) for n, cells in enumerate(group.rows, start=1)],
        most=None,
    )
    return (
        f'<h4><span class="outcome {shown}">{escape(group.words)}</span></h4>'
        f"{_facts(group.common)}{rows}<p>{escape(helps(group))}</p>"
    )


def _facts(facts: Mapping[str, str]) -> str:
    pairs = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(words)}</dd>"
        for name, words in facts.items()
    )
    return f"<dl>{pairs}</dl>" if pairs else ""
