"""Turns each document into its part of a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Final

from policyguard.testing.matrix import UNLOOKED
from policyguard.testing.report_markup import (
    Document,
    Html,
    Section,
    State,
    facts_of,
    space_of,
    table,
    text_of,
)
from policyguard.testing.report_tables import decision_tables

MARKS: Final = {
    "allow": ("✓", "allowed"),
    "require_approval": ("?", "a person has to approve"),
    "unavailable": ("○", "switched off by the vendor"),
    "deny": ("✗", "denied"),
    "unanswered": ("!", "no answer, which the guard denies"),
}
_TIERS: Final = ("PROVED", "CHECKED", "SAMPLED", "VIOLATED")
_FEW: Final = 10
"""Rows up to which a list is open from the start."""


def _compare(document: Document) -> Section:
    rules = document["rules"]
    access = [
        (item["rule"], flip)
        for item in rules
        for flip in item["flips"]
        if flip["new_access"]
    ]
    looser = [item for item in rules if item["looser"]]
    sampled = [
        item
        for item in rules
        if item["tier"] == "SAMPLED" and item["relation"] == "equivalent"
    ]
    changed = [item for item in rules if item["relation"] != "equivalent"]
    differ = table(
        "Rules that differ, and rules of which it is not decided",
        ("rule", "is", "how sure", "#stricter", "#looser", "#otherwise", "#of", "why"),
        [
            (
                item["rule"], item["relation"], item["tier"].lower(), item["stricter"],
                item["looser"], item["otherwise"], item["cases"], item["why"],
            )
            for item in (*changed, *sampled)
        ],
    )  # fmt: skip
    flips = table(
        "The smallest calls that show a difference",
        ("rule", "when", "was", "becomes", ""),
        [
            (
                item["rule"],
                facts_of(flip["facts"]) or "nothing is said",
                ", ".join(flip["before"]) or "nothing",
                ", ".join(flip["after"]) or "nothing",
                Html('<span class="tag hot">new access</span>')
                if flip["new_access"]
                else "",
            )
            for item in changed
            for flip in item["flips"]
        ],
    )
    windows = "".join(
        f"<p><strong>{escape(rule)}</strong> is in force at other times, or otherwise.</p>"
        for rule in document["windows"]
    )
    digests = "".join(
        f"<dt>{what}</dt><dd><code>{escape(document[what]['old'])}</code> →"
        f" <code>{escape(document[what]['new'])}</code></dd>"
        for what in ("bundle", "catalog")
    )
    state: State = (
        "bad" if looser or document["windows"] else "open" if sampled else "good"
    )
    return Section(
        name="compare",
        title="What the change opens and closes",
        state=state,
        headline=str(document["relation"]),
        detail=f"new access shown: {len(access)}, rules looser: {len(looser)}"
        + (f", undecided: {len(sampled)}" if sampled else ""),
        body=(
            f"<p>Compared: {len(rules):,} rules. The same text on the same catalog:"
            f" {document['same']:,}.</p>"
            f"{windows}{differ}{flips}<dl>{digests}{space_of(document)}</dl>"
        ),
    )


def _impact(document: Document) -> Section:
    flips = document["flips"]
    unanswered = sum(document["unanswered"].values())
    counts = [
        table("By verdict", ("verdict", "#calls"), document["by_verdict"].items()),
        table(
            "By rule",
            ("rule", "#to stricter", "#to looser"),
            [(r, n["stricter"], n["looser"]) for r, n in document["by_rule"].items()],
        ),
        table("By model", ("model", "#flips"), document["by_model"].items()),
        table("By tenant", ("tenant", "#flips"), document["by_tenant"].items()),
    ]
    parts = [
        f'<div class="side">{"".join(counts)}</div>' if flips else "",
        table(
            "Calls that get another verdict",
            ("when", "model", "was", "becomes", "rules", "record"),
            [
                (
                    item["at"], item["model"] or "unknown", item["before"],
                    item["after"], ", ".join(item["rules"]), item["id"],
                )
                for item in flips
            ],
        ),
        table(
            "Calls that could not be asked", ("reason", "#calls"),
            document["unanswered"].items(),
        ),
    ]  # fmt: skip
    return Section(
        name="impact",
        title="What it would have done to recorded calls",
        state="bad" if flips else "open" if unanswered else "good",
        headline=f"{len(flips):,} of {document['calls']:,} flip",
        detail=f"{unanswered:,} could not be asked",
        body="".join(parts) or "<p>Every recorded call keeps its verdict.</p>",
    )


def _prove(document: Document) -> Section:
    claims = document["claims"]
    counts = {tier: sum(claim["tier"] == tier for claim in claims) for tier in _TIERS}
    names = sorted({claim["property"] for claim in claims})
    summary = table(
        "Claims by property",
        ("property", *(f"#{tier.lower()}" for tier in _TIERS)),
        [
            (
                name,
                *(
                    sum(c["property"] == name and c["tier"] == tier for c in claims)
                    for tier in _TIERS
                ),
            )
            for name in names
        ],
    )
    weak = sorted(
        (claim for claim in claims if claim["tier"] != "PROVED"),
        key=lambda claim: (-_TIERS.index(claim["tier"]), claim["rule"]),
    )
    body = summary + _claims("What is not proved", weak, most=None)
    proved = [claim for claim in claims if claim["tier"] == "PROVED"]
    if proved:
        listed = _claims(f"{len(proved):,} proved claims", proved, most=None)
        body += f"<details><summary>What is proved</summary>{listed}</details>"
    undecided = counts["CHECKED"] + counts["SAMPLED"]
    return Section(
        name="prove",
        title="What is claimed of the rules",
        state="bad" if counts["VIOLATED"] else "open" if undecided else "good",
        headline=f"{counts['PROVED']:,} of {len(claims):,} proved",
        detail=f"{counts['VIOLATED']:,} violated, {undecided:,} undecided",
        body=f"{body}<dl>{space_of(document)}</dl>",
    )


def _claims(caption: str, claims: Sequence[Document], *, most: int | None) -> str:
    def why(claim: Document) -> str:
        found = claim["counterexample"]
        if found is None:
            return str(claim["why"])
        facts = facts_of(found["facts"]) or "nothing is said"
        change = (
            f"; and {found['changed']} becomes {text_of(found['value'])}"
            if found["changed"]
            else ""
        )
        return f"{facts}{change}" + (f" ({claim['why']})" if claim["why"] else "")

    return table(
        caption,
        ("rule", "property", "how sure", "#cases", "#broken", "why, or the smallest call"),
        [
            (
                claim["rule"], claim["property"], claim["tier"].lower(),
                claim["cases"], claim["broken"], why(claim),
            )
            for claim in claims
        ],
        most=most,
    )  # fmt: skip


def _test(document: Document) -> Section:
    tests = document["tests"]
    failed = [item for item in tests if item["state"] in {"failed", "error"}]
    coverage = document["coverage"]
    parts = [
        table(
            "Tests that do not hold",
            ("test", "file", "#line", "why"),
            [(t["name"], t["file"], t["line"], t["why"] or "") for t in failed],
        )
    ]
    detail = "coverage was not measured"
    if coverage is not None:
        detail = f"{coverage['lines']:.1%} of lines, {coverage['rules']:.1%} of rules"
        missed = [(file, _ranges(n)) for file, n in coverage["missed"].items()]
        found = table(
            "Lines that no test reaches", ("file", "lines"), missed, most=None
        )
        summary = f"Lines that no test reaches, in {len(missed):,} files"
        parts.append(
            f"<details><summary>{summary}</summary>{found}</details>"
            if len(missed) > _FEW
            else found
        )
    return Section(
        name="test",
        title="Tests and coverage",
        state="bad" if failed or not tests else "good",
        headline=f"{len(tests) - len(failed):,} of {len(tests):,} hold",
        detail=detail,
        body="".join(parts) or f"<p>{_all_well(tests, coverage)}</p>",
    )


def _all_well(tests: Sequence[Document], coverage: Document | None) -> str:
    if not tests:
        return "No test was run."
    if coverage is None:
        return "Every test holds. Which lines they reach was not measured."
    return "Every test holds, and every line is reached."


def _ranges(lines: Sequence[int]) -> str:
    """Return line numbers with those that follow one another as one."""
    found: list[list[int]] = []
    for line in sorted(lines):
        if found and line == found[-1][1] + 1:
            found[-1][1] = line
        else:
            found.append([line, line])
    return ", ".join(f"{a}\N{EN DASH}{b}" if b > a else str(a) for a, b in found)


def _mutate(document: Document) -> Section:
    survivors = document["survivors"]
    return Section(
        name="mutate",
        title="Faults that tests notice",
        state="open" if survivors else "good",
        headline=f"{document['score']:.1%} noticed",
        detail=f"{len(survivors):,} not, {document['equivalent']:,} are no fault",
        body=table(
            "By kind of fault",
            ("fault", "#noticed", "#of"),
            [(n, k["killed"], k["of"]) for n, k in document["operators"].items()],
        )
        + table(
            "Faults that no test notices",
            ("file", "#line", "fault", "is", "was made"),
            [
                (s["file"], s["line"], s["operator"], s["before"], s["after"])
                for s in survivors
            ],
        ),
    )


def _matrix(document: Document) -> Section:
    rows, columns = document["rows"], document["columns"]
    cells = iter(document["cells"])
    heads = "".join(
        f'<th scope="col">{escape(text)}</th>' for text in columns["labels"]
    )
    lines = "".join(
        f'<tr><th scope="row">{escape(text)}</th>'
        + "".join(_cell(next(cells)) for _ in columns["labels"])
        + "</tr>"
        for text in rows["labels"]
    )
    counts = document["counts"]
    key = "".join(
        f'<li><span class="{name}" aria-hidden="true">{MARKS[name][0]}</span>'
        f"{MARKS[name][1]}: {counts[name]:,}</li>"
        for name in MARKS
        if name in counts
    )
    holes = document.get("unlooked", 0)
    if holes:
        key += (
            '<li><span class="allow hole" aria-hidden="true">∅</span>'
            f"{UNLOOKED}: {holes:,}</li>"
        )
    follows = (
        "<p>Contracts are with who runs each deployment.</p>"
        if document["contracts_follow_deployment"]
        else ""
    )
    caption = " · ".join(rows["facts"])
    if columns["facts"]:
        caption += f" by {' · '.join(columns['facts'])}"
    grid = (
        f'<div class="wide" role="region" tabindex="0" aria-label="{escape(caption)}">'
        f'<table class="grid"><caption>{escape(caption)}</caption><thead><tr>'
        f"<td></td>{heads}</tr></thead><tbody>{lines}</tbody></table></div>"
    )
    shared = (
        "<details><summary>The same in every cell</summary><dl>"
        + "".join(
            f"<dt>{escape(name)}</dt><dd><code>{escape(text_of(value))}</code></dd>"
            for name, value in document["fixed"].items()
        )
        + "</dl></details><details><summary>Unknown in every cell</summary>"
        f"<p>{escape(', '.join(document['unknown']))}</p></details>"
    )
    allowed = counts.get("allow", 0)
    total = len(document["cells"])
    return Section(
        name="matrix",
        title="Verdicts, by what is asked",
        state="open" if holes else "good",
        headline=f"{allowed:,} of {total:,} allowed",
        detail=f"{caption}; {holes:,} at which no rule looked" if holes else caption,
        body=f'<ul class="key">{key}</ul>{grid}{follows}{shared}'
        f'<p class="note">matrix <code>{escape(document["digest"])}</code></p>',
    )


def _cell(cell: Document) -> str:
    verdict = cell["verdict"]
    mark, meaning = MARKS[verdict]
    rules = list(dict.fromkeys(rule for rule, _ in cell["objecting"]))
    more = f" +{len(rules) - 1}" if len(rules) > 1 else ""
    shown = f" {escape(rules[0])}{more}" if rules else ""
    kind = verdict
    if cell.get("unlooked"):
        mark, meaning, kind = "∅", UNLOOKED, f"{verdict} hole"
    duty = (
        ' +<span class="hidden"> with obligations</span>'
        if cell["obligations"] and verdict == "allow"
        else ""
    )
    return (
        f'<td class="{kind}" title="{escape(", ".join(rules) or meaning)}">'
        f'<span aria-hidden="true">{mark}</span><span class="hidden">{meaning}</span>'
        f"{shown}{duty}</td>"
    )


SECTIONS: Final[Mapping[str, Callable[[Document], Section]]] = {
    "compare": _compare,
    "impact": _impact,
    "prove": _prove,
    "test": _test,
    "mutate": _mutate,
    "matrix": _matrix,
    "table": decision_tables,
}
