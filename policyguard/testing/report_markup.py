"""Makes markup of a report: tables and words, each escaped."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from html import escape
from typing import Any, Final, Literal, TypeAlias

Document: TypeAlias = Mapping[str, Any]
State: TypeAlias = Literal["good", "bad", "open"]
MOST: Final = 50
"""Rows of a list that may be endless; the page says how many are left out."""
_FEW: Final = 3
"""Columns that fit a narrow screen; of more, each row is a list there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Is one part of the page, with its line at the top."""

    name: str
    title: str
    state: State
    headline: str
    detail: str
    body: str


class Html(str):
    """Is markup that we made ourselves; all other text is escaped."""

    __slots__ = ()


def table(
    caption: str,
    heads: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    most: int | None = MOST,
) -> str:
    """Return a table; nothing where it has no rows.

    Args:
        caption: What it shows.
        heads: The names of its columns; one with `#` is of numbers.
        rows: Its cells.
        most: How many rows are shown at most; `None`: all.
    """
    held = [tuple(row) for row in rows]
    if not held:
        return ""
    numbers = [head.startswith("#") for head in heads]
    top = "".join(
        f'<th scope="col"{_CLASS if number else ""}>{escape(head.lstrip("#"))}</th>'
        for head, number in zip(heads, numbers, strict=True)
    )
    names = [head.lstrip("#") for head in heads]
    lines = "".join(
        f"<tr>{''.join(_cells(row, names, numbers))}</tr>" for row in held[:most]
    )
    kind = "wide stack" if len(heads) > _FEW else "wide"
    left = len(held) - len(held[:most])
    note = f'<p class="note">{left:,} more are in the document.</p>' if left else ""
    return (
        f'<div class="{kind}" role="region" tabindex="0" aria-label="{escape(caption)}">'
        f"<table><caption>{escape(caption)}</caption><thead><tr>{top}</tr></thead>"
        f"<tbody>{lines}</tbody></table></div>{note}"
    )


_CLASS: Final = ' class="n"'


def _cells(
    row: Sequence[Any], names: Sequence[str], numbers: Sequence[bool]
) -> Iterator[str]:
    for index, (value, number) in enumerate(zip(row, numbers, strict=True)):
        shown = f"{value:,}" if number and isinstance(value, int) else str(value)
        text = value if isinstance(value, Html) else escape(shown)
        if index == 0:
            yield f'<th scope="row">{text}</th>'
        else:
            name = escape(names[index])
            yield f'<td{_CLASS if number else ""} data-head="{name}">{text}</td>'


def facts_of(facts: Mapping[str, Any]) -> str:
    """Return facts as a person reads them."""
    return " · ".join(f"{name} = {text_of(value)}" for name, value in facts.items())


def text_of(value: Any) -> str:
    """Return a value as JSON."""
    return json.dumps(value, ensure_ascii=False)


def space_of(document: Document) -> str:
    """Return the space of a document, as an entry of a list."""
    space = document["space"]
    facts = f" of {space['facts']} facts" if "facts" in space else ""
    calls = f"{Decimal(space['calls']):.1e} calls{facts}, unknown ones included"
    return f"<dt>space</dt><dd>{calls}; <code>{escape(space['digest'])}</code></dd>"
