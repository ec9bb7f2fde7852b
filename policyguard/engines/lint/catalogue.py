"""The lint rules by name, and what one of them found at a line.

Each says when it is asked: `load` is refused by every process that loads the policy, `ci`
is refused by `policyguard policy lint` alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

Stage: TypeAlias = Literal["load", "ci"]

_PLACE: Final = re.compile(r"\A([^\s:]+\.rego):([0-9]+)(?::[0-9]+)?: (.+)\Z", re.DOTALL)
_FILE: Final = re.compile(r"\A([^\s:]+\.(?:rego|json)): (.+)\Z", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class LintRule:
    """Is one thing that the lint looks for."""

    name: str
    stage: Stage
    exemptable: bool
    """Whether a comment with a reason may exempt a line."""
    why: str
    remedy: str
    """What to do where the finding itself says nothing better."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class LintFinding:
    """Is what one lint rule found."""

    file: str
    line: int
    """From 1; 0 where the whole file is meant."""
    rule: str
    message: str
    remedy: str

    def text(self) -> str:
        """Return it as one line."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.rule}: {self.message}: {self.remedy}"


def _rule(
    name: str, stage: Stage, why: str, remedy: str, *, exemptable: bool = False
) -> LintRule:
    return LintRule(
        name=name, stage=stage, exemptable=exemptable, why=why, remedy=remedy
    )


LINT_RULES: Final[Mapping[str, LintRule]] = MappingProxyType(
    {
        rule.name: rule
        for rule in (
            _rule(
                "syntax",
                "load",
                "text that does not parse, or would hurt the parser, decides nothing",
                "correct the text",
            ),
            _rule(
                "call",
                "load",
                "a rule that calls what an engine lacks is silent there",
                "call what every engine has",
            ),
            _rule(
                "negation",
                "load",
                "`not f(x)` with x undefined holds on the embedded engine and not on OPA",
                "bind it first: `x := …` on a line of its own, then `not f(x)`",
                exemptable=True,
            ),
            _rule(
                "vanishing",
                "load",
                "a finding that mentions an undefined value is not made, and nobody sees it",
                "bind it in the body, or give it a default",
                exemptable=True,
            ),
            _rule(
                "order",
                "load",
                "null is less than every number and text is more",
                "ask `is_number` first",
                exemptable=True,
            ),
            _rule(
                "literal-id",
                "load",
                "an id that is computed is found by no search and fires unlisted",
                'write `findings contains {"id": "EAR-01", …}`',
            ),
            _rule(
                "metadata",
                "load",
                "a rule without its source and dates has no status and no citation",
                "complete the METADATA",
            ),
            _rule(
                "ids",
                "load",
                "a rule that is listed and fires nowhere, or fires unlisted",
                "give the METADATA the id of the finding below it",
            ),
            _rule(
                "windows",
                "load",
                "in two windows at once a rule would have two statuses",
                "end one window where the next begins",
            ),
            _rule(
                "rulebook",
                "load",
                "rules read their status from a rulebook that the METADATA does not give",
                "generate it anew",
            ),
            _rule(
                "shadow",
                "load",
                "data at the path of a rule answers in its place",
                "rename the data or the rule",
            ),
            _rule(
                "duplicate-test",
                "ci",
                "of two tests with one name one can fail and the other hide it",
                "rename one of them",
                exemptable=True,
            ),
            _rule(
                "exemption",
                "ci",
                "an exemption that exempts nothing, or says no reason, misleads",
                "remove it, or write `# policyguard ignore:RULE -- the reason`",
            ),
        )
    }
)
"""Every lint rule by its name."""


def finding_of(
    rule: str, *, file: str, line: int, message: str, remedy: str = ""
) -> LintFinding:
    """Return a finding, with the lint rule's own remedy where none is given."""
    return LintFinding(
        file=file,
        line=line,
        rule=rule,
        message=message,
        remedy=remedy or LINT_RULES[rule].remedy,
    )


def finding_in(rule: str, error: Exception, *, file: str = "") -> LintFinding:
    """Return what an error says that names its place and what to do about it.

    Args:
        rule: The lint rule that it breaks.
        error: What was raised.
        file: The place, where the message names none.
    """
    text, line = str(error), 0
    if found := _PLACE.match(text):
        file, line, text = found[1], int(found[2]), found[3]
    elif found := _FILE.match(text):
        file, text = found[1], found[2]
    message, _, remedy = text.rpartition(": ")
    if not message:
        message, remedy = remedy, ""
    return finding_of(rule, file=file, line=line, message=message, remedy=remedy)
