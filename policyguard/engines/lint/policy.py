"""Lints a policy: every lint rule over its text, its tree, its tests and its data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from policyguard.bundle.additions import read_overrides
from policyguard.bundle.files import RULEBOOK
from policyguard.bundle.rulebook import read_rules, rulebook_document
from policyguard.engines.lint.catalogue import LintFinding, finding_in, finding_of
from policyguard.engines.lint.described import (
    described_findings,
    duplicate_tests,
    shadowing,
)
from policyguard.engines.lint.exemptions import (
    Exemption,
    apply_exemptions,
    read_exemptions,
    unused_finding,
)
from policyguard.engines.lint.shapes import Shapes
from policyguard.engines.lint.undefined import undefined_findings
from policyguard.engines.native import compile_modules, syntax_tree
from policyguard.engines.syntax import require_parsable
from policyguard.engines.tree import PolicyTree, read_tree
from policyguard.errors import EngineLoadError, PolicyGuardError


@dataclass(frozen=True, slots=True, kw_only=True)
class LintReport:
    """Is what the lint found in one policy."""

    findings: tuple[LintFinding, ...]
    exemptions: tuple[Exemption, ...]
    """Those that count and were used."""
    modules: int
    """Tests are counted, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LintedPolicy:
    """Is what is linted."""

    modules: Mapping[str, str] = field(repr=False)
    """Module text by path, tests left out."""
    tests: Mapping[str, str] = field(repr=False)
    data: Mapping[str, Any] = field(repr=False)
    shapes: Shapes = field(default_factory=Shapes)
    """Which facts are always there."""


def lint_policy(policy: LintedPolicy) -> LintReport:
    """Return every finding, sorted by place.

    Args:
        policy: What to look at; it need not parse.
    """
    texts = {**policy.modules, **policy.tests}
    broken = list(_broken(texts))
    skipped = {finding.file for finding in broken}
    modules = _without(policy.modules, skipped)
    tests = _without(policy.tests, skipped)
    findings = [*broken, *_on_trees(policy, modules, tests)]
    exemptions = read_exemptions(texts)
    left, unused = apply_exemptions(findings, exemptions.valid)
    # What did not parse was not asked, so nobody can say what is unused in it.
    stale = [item for item in unused if item.file not in skipped]
    said = [*left, *exemptions.malformed, *map(unused_finding, stale)]
    return LintReport(
        findings=tuple(sorted(set(said))),
        exemptions=tuple(item for item in exemptions.valid if item not in unused),
        modules=len(texts),
    )


def require_defined(
    tree: PolicyTree,
    *,
    modules: Mapping[str, str],
    data: Mapping[str, Any],
    shapes: Shapes,
) -> None:
    """Check what only the syntax tree of a policy that loads can tell.

    Args:
        tree: The policy.
        modules: The text of its modules by path.
        data: The base document.
        shapes: Which facts are always there.

    Raises:
        EngineLoadError: `not` stands over what may be undefined, a finding mentions it,
            or what may be no number is put in order, and no exemption says why; names
            module and line.
    """
    findings = undefined_findings(tree, texts=modules, data=data, shapes=shapes)
    left, _ = apply_exemptions(findings, read_exemptions(modules).valid)
    for finding in sorted(left):
        raise EngineLoadError(finding.text())


def _without(texts: Mapping[str, str], skipped: set[str]) -> dict[str, str]:
    return {path: text for path, text in texts.items() if path not in skipped}


def _broken(texts: Mapping[str, str]) -> Iterator[LintFinding]:
    for path, text in sorted(texts.items()):
        try:
            require_parsable({path: text})
            compile_modules({path: text})
        except EngineLoadError as error:
            yield finding_in("syntax", error, file=path)


def _on_trees(
    policy: LintedPolicy, modules: Mapping[str, str], tests: Mapping[str, str]
) -> Iterator[LintFinding]:
    tree = _tree(modules)
    whole = _tree({**modules, **tests})
    yield from _calls(tree, whole)
    yield from described_findings(tree, modules)
    yield from duplicate_tests(whole)
    yield from shadowing(tree, policy.data)
    yield from undefined_findings(
        tree, texts=modules, data=policy.data, shapes=policy.shapes
    )
    yield from _stale_rulebook(policy.data, modules)


def _calls(tree: PolicyTree, whole: PolicyTree) -> Iterator[LintFinding]:
    # A bound on names is of what decides; tests may have more of them.
    for fault in tree.faults():
        found = finding_in("call", fault)
        if not found.file:
            yield found
    for fault in whole.faults():
        found = finding_in("call", fault)
        if found.file:
            yield found


def _tree(texts: Mapping[str, str]) -> PolicyTree:
    return read_tree(syntax_tree(compile_modules(texts)))


def _stale_rulebook(
    data: Mapping[str, Any], modules: Mapping[str, str]
) -> Iterator[LintFinding]:
    ours = data.get("policyguard")
    found = ours.get("rulebook") if isinstance(ours, Mapping) else None
    if not isinstance(found, Mapping):
        return
    try:
        rules = read_rules(sorted(modules.items()))
        wanted = rulebook_document(
            revision=str(found.get("revision")),
            rules=rules,
            overrides=read_overrides(data),
        )
    except PolicyGuardError:
        # Said already, at its place.
        return
    odd = sorted(name for name in wanted if found.get(name) != wanted[name])
    if odd:
        yield finding_of(
            "rulebook",
            file=RULEBOOK,
            line=0,
            message=f"`{', '.join(odd)}` is not what the METADATA says",
        )
