"""Writes decision tables for people: what they say of themselves, and Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from policyguard.testing.fact_names import name_of
from policyguard.testing.report_markup import Document

EFFECT_WORDS: Final[Mapping[str, str]] = {
    "deny": "denied",
    "unavailable": "switched off by the vendor",
    "require_approval": "a person has to approve",
    "indeterminate": "a fact is missing: approval, or denied for a strict tenant",
    "oblige": "allowed, and something has to be done",
    "advise": "allowed, and something is worth knowing",
    "unanswered": "the call cannot be looked at, which the guard denies",
}
HOW_TO_READ: Final = (
    "Every row that fits makes its finding; what a row does not name may be anything;"
    " where no row fits, the rule finds nothing."
)
_STATUSES: Final[Mapping[str, str]] = {
    "in_force": "in force",
    "contractual": "contractual",
    "customer_policy": "our own policy",
    "contested": "contested: what it denies, a person may approve",
    "suspended": "suspended: it decides nothing",
    "proposed": "proposed: it decides nothing yet",
    "not in force": "not in force: it decides nothing",
}


def status_of(table: Document, at: str | None) -> str:
    """Return when a table holds, and what its rule counts for then.

    Args:
        table: One of a document's tables.
        at: The document's instant.
    """
    if at is None:
        return "at every instant, whatever its status is then"
    day = at.removesuffix("T00:00:00Z")
    status = str(table["status"])
    return f"on {day}: {_STATUSES.get(status, status)}"


def held_of(table: Document, at: str | None) -> dict[str, str]:
    """Return what every call of a table has, by the names that people use.

    Args:
        table: One of a document's tables.
        at: The document's instant, which is said elsewhere.
    """
    return {
        name_of(fact): words
        for fact, words in table["held"].items()
        if not (fact == "at" and at is not None)
    }


def silence_of(table: Document, at: str | None) -> str:
    """Return of which calls a table without a row says that nothing is found.

    Args:
        table: One of a document's tables.
        at: The document's instant.
    """
    if held_of(table, at):
        return (
            "It finds nothing in these calls, and perhaps in others: `--set` holds other"
            " values."
        )
    return "It finds nothing, whatever the call is."


def sureness_of(table: Document) -> str:
    """Return how sure a table is, and of how many calls it speaks.

    Args:
        table: One of a document's tables.
    """
    calls = f"{int(table['calls']):,} calls that the rule can tell apart"
    if table["tier"] == "PROVED":
        return f"proved for {calls}; {table['crosschecks']:,} whole evaluations agree"
    return (
        f"proved for {calls} in which what is named above is as it says, and no more: of"
        f" {table['drawn']:,} calls drawn in which that is otherwise, the rule finds"
        f" something else in {table['differing']:,}"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Is the rows of a table that have one outcome."""

    effect: str
    words: str
    """The outcome."""
    remedies: tuple[str, ...]
    common: Mapping[str, str]
    """What all of its rows name alike, by the names that people use."""
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    """What they name differently; none where that is nothing."""


def groups_of(table: Document) -> Iterator[Group]:
    """Yield the rows of a table by their outcome, the strictest first.

    Args:
        table: One of a document's tables.
    """
    for effect, group in groupby(table["rows"], key=lambda row: row["effect"]):
        rows = list(group)
        told = [row["conditions"] for row in rows]
        facts = [fact for fact in table["facts"] if any(fact in row for row in told)]
        alike = [f for f in facts if len({row.get(f) for row in told}) == 1]
        rest = [fact for fact in facts if fact not in alike]
        remedies = dict.fromkeys(word for row in rows for word in row["remedies"])
        yield Group(
            effect=effect,
            words=EFFECT_WORDS.get(effect, effect),
            remedies=tuple(remedies),
            common={name_of(fact): told[0][fact] for fact in alike},
            heads=tuple(name_of(fact) for fact in rest),
            rows=tuple(tuple(row.get(f, "") for f in rest) for row in told if rest),
        )


def helps(group: Group) -> str:
    """Return what would help, in one sentence; nothing where nobody says it.

    Args:
        group: Rows of one outcome.
    """
    return f"Would help: {'; or '.join(group.remedies)}." if group.remedies else ""


def markdown_of(document: Document) -> str:
    """Return a document of decision tables as Markdown.

    Args:
        document: What `policyguard policy table --json` prints.
    """
    parts = [f"# Decision tables\n\n{HOW_TO_READ}\n"]
    parts += [_markdown(table, document["at"]) for table in document["tables"]]
    named = f"bundle `{document['bundle']}`, catalog `{document['catalog']}`"
    parts.append(f"---\n\n{named}, space `{document['space']}`\n")
    return "\n".join(parts)


def _markdown(table: Document, at: str | None) -> str:
    lines = [f"## {_escaped(table['rule'])}: {_escaped(table['title'])}", ""]
    if table["citation"]:
        lines += [_escaped(table["citation"]), ""]
    lines += [f"*{status_of(table, at)}*", ""]
    held = held_of(table, at)
    if held:
        lines += ["In every call of this table:", ""]
        lines += [f"- {_escaped(n)}: {_escaped(words)}" for n, words in held.items()]
        lines.append("")
    for group in groups_of(table):
        lines += [f"### {_escaped(group.words)}", ""]
        lines += [f"- {_escaped(n)}: {_escaped(w)}" for n, w in group.common.items()]
        if group.common:
            lines.append("")
        if group.rows:
            heads = ("", *group.heads)
            lines += [_line(heads), _line(["---"] * len(heads))]
            numbered = enumerate(group.rows, start=1)
            lines += [_line((str(n), *cells)) for n, cells in numbered]
            lines.append("")
        lines += [_escaped(helps(group)), ""] if group.remedies else []
    if not table["rows"]:
        lines.append(_escaped(silence_of(table, at)))
    lines += ["", f"{sureness_of(table)}.", ""]
    return "\n".join(lines)


def _line(cells: Sequence[Any]) -> str:
    return f"| {' | '.join(_escaped(str(cell)) for cell in cells)} |"


def _escaped(text: str) -> str:
    """Return text that Markdown takes for nothing else."""
    flat = " ".join(text.split())
    for mark in ("\\", "`", "*", "_", "|", "<", "[", "#"):
        flat = flat.replace(mark, f"\\{mark}")
    return flat
