"""Reads the comments that exempt a line from a lint rule, and holds them to their word.

`# policyguard ignore:order -- the count is a number by its schema` exempts the line that
it stands on, or the next line of code if it stands alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from policyguard.engines.lint.catalogue import LINT_RULES, LintFinding, finding_of

_COMMENT: Final = re.compile(r"#\s*policyguard\s+ignore\b(?P<rest>[^\n]*)")
_REST: Final = re.compile(r":(?P<rule>[a-z-]+)\s+--\s+(?P<reason>\S.*)")
_LEAST_WORDS: Final = 3
_STRING: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"|`[^`\n]*`')


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemption:
    """Is one comment that exempts one line from one lint rule."""

    file: str
    line: int
    """Where the comment stands."""
    covers: int
    """The line that is exempt."""
    rule: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemptions:
    """Are the exemptions of some modules, and those that cannot count."""

    valid: tuple[Exemption, ...]
    malformed: tuple[LintFinding, ...]


def read_exemptions(texts: Mapping[str, str]) -> Exemptions:
    """Return the exemptions in some modules.

    Args:
        texts: Module text by path.
    """
    valid: list[Exemption] = []
    malformed: list[LintFinding] = []
    for file, text in texts.items():
        if "policyguard" not in text or "ignore" not in text:
            continue
        for found in _in_module(file, text.split("\n")):
            if isinstance(found, Exemption):
                valid.append(found)
            else:
                malformed.append(found)
    return Exemptions(valid=tuple(valid), malformed=tuple(malformed))


def apply_exemptions(
    findings: Iterable[LintFinding], exemptions: Iterable[Exemption]
) -> tuple[list[LintFinding], list[Exemption]]:
    """Return what is left of some findings, and the exemptions that exempted none."""
    by_place: dict[tuple[str, int, str], list[Exemption]] = {}
    for item in exemptions:
        by_place.setdefault((item.file, item.covers, item.rule), []).append(item)
    used: set[Exemption] = set()
    left = []
    for finding in findings:
        covering = by_place.get((finding.file, finding.line, finding.rule))
        if covering is None:
            left.append(finding)
        else:
            used.update(covering)
    unused = [item for items in by_place.values() for item in items if item not in used]
    return left, unused


def unused_finding(item: Exemption) -> LintFinding:
    """Return what to say of an exemption that exempts nothing."""
    return finding_of(
        "exemption",
        file=item.file,
        line=item.line,
        message=f"nothing on line {item.covers} breaks `{item.rule}`",
        remedy="remove the exemption",
    )


def _in_module(file: str, lines: list[str]) -> Iterator[Exemption | LintFinding]:
    for number, line in enumerate(lines, start=1):
        found = _COMMENT.search(_STRING.sub(_blanks, line))
        if found is None:
            continue
        rest = line[found.start("rest") :]
        read = _REST.fullmatch(rest.rstrip())
        alone = not line[: found.start()].strip()
        if read is None or len(read["reason"].split()) < _LEAST_WORDS:
            yield _malformed(file, number, "names no lint rule, or no reason in words")
        elif read["rule"] not in LINT_RULES:
            known = ", ".join(sorted(LINT_RULES))
            yield _malformed(
                file,
                number,
                f"names `{read['rule']}`, which is no lint rule",
                f"name one of {known}",
            )
        elif not LINT_RULES[read["rule"]].exemptable:
            yield _malformed(
                file,
                number,
                f"`{read['rule']}` has no exemptions",
                LINT_RULES[read["rule"]].remedy,
            )
        else:
            yield Exemption(
                file=file,
                line=number,
                covers=_next_code(lines, number) if alone else number,
                rule=read["rule"],
                reason=read["reason"],
            )


def _blanks(found: re.Match[str]) -> str:
    return " " * len(found[0])


def _next_code(lines: list[str], number: int) -> int:
    for later in range(number, len(lines)):
        text = lines[later].strip()
        if text and not text.startswith("#"):
            return later + 1
    return number


def _malformed(file: str, line: int, message: str, remedy: str = "") -> LintFinding:
    return finding_of("exemption", file=file, line=line, message=message, remedy=remedy)
