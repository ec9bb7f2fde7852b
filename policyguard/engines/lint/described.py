"""Compares what METADATA says of rules with the rules that are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from policyguard.bundle.metadata import Metadata, parse_metadata
from policyguard.bundle.rulebook import read_rules
from policyguard.engines.lint.catalogue import LintFinding, finding_in, finding_of
from policyguard.engines.tree import PolicyTree
from policyguard.errors import BundleError

_OVERLAP: Final = ("overlap", "ends before it begins")


def described_findings(
    tree: PolicyTree, texts: Mapping[str, str]
) -> Iterator[LintFinding]:
    """Yield METADATA that is missing, wrong, or of another rule.

    Args:
        tree: The policy, tests left out.
        texts: The text of its modules by path.
    """
    described: dict[str, tuple[Metadata, ...]] = {}
    for file, text in sorted(texts.items()):
        try:
            described[file] = parse_metadata(file=file, text=text)
            read_rules([(file, text)])
        except BundleError as error:
            yield finding_in(_kind(error), error, file=file)
    yield from _twice(described)
    yield from _literal_ids(tree)
    for module in tree.modules:
        if module.name in described:
            heads = [head for head in module.heads if head.finding is not None]
            ids = {
                item.annotations.custom.id: item.line
                for item in described[module.name]
                if item.annotations.custom is not None
            }
            fired = {str(head.finding): head.line for head in reversed(heads)}
            yield from _unlike(module.name, ids, fired)


def duplicate_tests(tree: PolicyTree) -> Iterator[LintFinding]:
    """Yield each test whose name another one has.

    Args:
        tree: The policy with its tests.
    """
    seen: dict[tuple[str, ...], str] = {}
    for module in tree.modules:
        for head in module.heads:
            name = head.path[-1] if head.path else ""
            if not name.startswith(("test_", "todo_test_")):
                continue
            first = seen.setdefault(head.path, f"{module.name}:{head.line}")
            if first != f"{module.name}:{head.line}":
                yield finding_of(
                    "duplicate-test",
                    file=module.name,
                    line=head.line,
                    message=f"`{name}` is also at {first}",
                )


def shadowing(tree: PolicyTree, data: Mapping[str, Any]) -> Iterator[LintFinding]:
    """Yield each package or rule at whose path there is data.

    Args:
        tree: The policy, tests left out.
        data: The base document.
    """
    for module in tree.modules:
        places = {module.package: 1} | {
            head.path: head.line for head in reversed(module.heads)
        }
        whole = _shadowed(module.package, data)
        for path, line in sorted(places.items()):
            at = _shadowed(path, data)
            if at is not None and (whole is None or path == module.package):
                yield finding_of(
                    "shadow",
                    file=module.name,
                    line=line,
                    message=f"data at `data.{'.'.join(at)}` shadows"
                    f" `data.{'.'.join(path)}`",
                )


def _shadowed(path: tuple[str, ...], data: Mapping[str, Any]) -> tuple[str, ...] | None:
    node: Any = data
    for depth, name in enumerate(path):
        if not isinstance(node, Mapping):
            return path[:depth]
        if name not in node:
            return None
        node = node[name]
    return path


def _kind(error: BundleError) -> str:
    return "windows" if any(word in str(error) for word in _OVERLAP) else "metadata"


def _twice(described: Mapping[str, tuple[Metadata, ...]]) -> Iterator[LintFinding]:
    seen: dict[str, str] = {}
    for file, documents in described.items():
        for item in documents:
            custom = item.annotations.custom
            if custom is None:
                continue
            first = seen.setdefault(custom.id, file)
            if first != file:
                yield finding_of(
                    "ids",
                    file=file,
                    line=item.line,
                    message=f"`{custom.id}` is also in {first}",
                    remedy="give one of them another id",
                )


def _literal_ids(tree: PolicyTree) -> Iterator[LintFinding]:
    for module in tree.modules:
        for head in module.heads:
            if head.contributes and head.finding is None and _is_rules(head.path):
                yield finding_of(
                    "literal-id",
                    file=module.name,
                    line=head.line,
                    message="a finding has no literal id",
                )


def _is_rules(path: tuple[str, ...]) -> bool:
    return path[:-1] in {("policyguard", "rules"), ("policyguard", "tenant")}


def _unlike(
    file: str, ids: Mapping[str, int], fired: Mapping[str, int]
) -> Iterator[LintFinding]:
    for name in sorted(ids.keys() - fired.keys()):
        yield finding_of(
            "ids",
            file=file,
            line=ids[name],
            message=f"METADATA describes `{name}`, which no finding of the file has",
        )
    for name in sorted(fired.keys() - ids.keys()):
        yield finding_of(
            "metadata",
            file=file,
            line=fired[name],
            message=f"`{name}` has no METADATA in its file",
            remedy="write title, citation, `custom.id`, `severity`, `as_of` and"
            " `effective` above its first finding",
        )
