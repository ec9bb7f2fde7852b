"""Writes one page of what the commands found: for people who answer for a policy.

What is shown are the documents that `policy compare`, `impact`, `prove`, `test`, `mutate`,
`matrix` and `table` print with `--json`: nothing is computed again, so that the page says
what was gated. It is one file that asks for no other, runs nothing, and prints.

INVARIANT: text of a document reaches the page through `html.escape` alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from html import escape
from typing import Final

from policyguard.errors import ConfigurationError
from policyguard.testing.report_markup import Document, Section
from policyguard.testing.report_sections import SECTIONS
from policyguard.testing.report_style import STYLE
from policyguard.version import __version__

_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "compare": ("relation", "rules", "bundle", "catalog", "space"),
    "impact": ("calls", "flips", "by_verdict", "by_rule", "unanswered"),
    "matrix": ("rows", "columns", "cells", "counts", "fixed", "unknown"),
    "prove": ("claims", "bundle", "catalog", "space"),
    "test": ("tests", "coverage"),
    "mutate": ("score", "survivors", "operators"),
    "table": ("tables", "at", "bundle", "catalog", "space"),
}
"""What each document has, by the command that prints it; in the order of the page."""


def report(documents: Mapping[str, Document], *, title: str = "Policy report") -> str:
    """Return the page.

    Args:
        documents: What commands print with `--json`, by the command: `compare`,
            `impact`, `prove`, `test`, `mutate`, `matrix`, `table`.
        title: What stands at its top.

    Raises:
        ConfigurationError: there is none, or one is not what its command prints.
    """
    if not documents:
        raise ConfigurationError("a report needs a document: give one at least")
    sections = []
    for name, needed in _NEEDED.items():
        if name not in documents:
            continue
        document = documents[name]
        lacking = [key for key in needed if key not in document]
        if lacking:
            raise ConfigurationError(
                f"this is not what `policyguard policy {name} --json` prints:"
                f" `{lacking[0]}` is missing"
            )
        try:
            sections.append(SECTIONS[name](document))
        except (
            ArithmeticError,
            AttributeError,
            LookupError,
            TypeError,
            ValueError,
        ) as error:
            raise ConfigurationError(
                f"this is not what `policyguard policy {name} --json` prints: {error!r}"
            ) from error
    return _page(sections, documents, title=title)


def _page(
    sections: Sequence[Section], documents: Mapping[str, Document], *, title: str
) -> str:
    cards = "".join(
        f'<li class="{item.state}"><a href="#{item.name}">{escape(item.title)}</a>'
        f'<span class="big">{escape(item.headline)}</span>'
        f'<span class="soft">{escape(item.detail)}</span></li>'
        for item in sections
    )
    bodies = "".join(
        f'<section aria-labelledby="{item.name}"><h2 id="{item.name}">'
        f"{escape(item.title)}</h2>{item.body}</section>"
        for item in sections
    )
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>"
        '<a class="skip" href="#content">To the content</a>'
        f"<header><h1>{escape(title)}</h1>{_about(documents)}</header>"
        f'<main id="content"><ul class="cards" aria-label="Summary">{cards}</ul>{bodies}'
        "</main><footer>"
        f'<p class="note">policyguard {escape(__version__)} · documents '
        f"<code>{_digest(documents)}</code></p>"
        '<p class="note">This page states evidence, not legality: what the configured'
        " rules find, over the space and the catalog that are named.</p>"
        "</footer></body></html>\n"
    )


def _digest(documents: Mapping[str, Document]) -> str:
    """Return what names the documents; shares are floats, which RFC 8785 has not here."""
    text = json.dumps(documents, sort_keys=True, ensure_ascii=False)
    return sha256(text.encode()).hexdigest()


def _about(documents: Mapping[str, Document]) -> str:
    """Name the policy, and warn where the documents are about several."""
    known: dict[str, dict[str, list[str]]] = {"bundle": {}, "catalog": {}}
    for name, document in documents.items():
        for what, found in known.items():
            value = document.get(what)
            digest = (
                value.get("new") or value.get("digest")
                if isinstance(value, dict)
                else value
            )
            if isinstance(digest, str):
                found.setdefault(digest, []).append(name)
    rows = "".join(
        f"<dt>{what}</dt><dd><code>{escape(digest)}</code>"
        + (f" <span class=soft>({escape(', '.join(by))})</span>" if several else "")
        + "</dd>"
        for what, found in known.items()
        for several in [len(found) > 1]
        for digest, by in found.items()
    )
    mixed = [what for what, found in known.items() if len(found) > 1]
    warning = (
        f'<p class="alert"><strong>Not about one policy.</strong> The documents name more'
        f" than one {' and more than one '.join(mixed)}: make them anew from the same.</p>"
        if mixed
        else ""
    )
    return f"{warning}<dl>{rows}</dl>" if rows else warning
