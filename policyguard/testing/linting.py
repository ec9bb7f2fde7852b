"""Lints what an author has: directories of Rego and single files.

Which facts are always there is learned from golden vectors: those of the directory, if it
is a bundle that loads, and else those of the shipped bundle, whose view rules of a tenant
read.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import MappingProxyType

from policyguard.bundle.files import is_test
from policyguard.bundle.shipped import shipped_directory
from policyguard.bundle.source import Bundle, load_directory
from policyguard.catalog.document import with_views
from policyguard.engines.lint.catalogue import LintFinding
from policyguard.engines.lint.policy import LintedPolicy, LintReport, lint_policy
from policyguard.engines.lint.shapes import Shapes, shapes_of
from policyguard.engines.native import compile_modules, syntax_tree, with_data
from policyguard.engines.tree import read_tree
from policyguard.errors import BundleError, PolicyGuardError
from policyguard.testing.sources import PolicySource, read_policy


def lint_paths(paths: Iterable[Path]) -> LintReport:
    """Lint directories, each a policy, and files, all of them one policy.

    Args:
        paths: Directories with Rego below them, and `*.rego` files.

    Raises:
        BundleError: one of them cannot be read, or holds no Rego.
    """
    files = [path for path in paths if path.is_file()]
    reports = [
        _lint(read_policy(path), root=path) for path in paths if not path.is_file()
    ]
    if files:
        reports.append(_lint(_policy_of(files), root=None))
    return LintReport(
        findings=tuple(sorted(item for made in reports for item in made.findings)),
        exemptions=tuple(item for made in reports for item in made.exemptions),
        modules=sum(made.modules for made in reports),
    )


def _lint(source: PolicySource, *, root: Path | None) -> LintReport:
    report = lint_policy(
        LintedPolicy(
            modules=source.modules,
            tests=source.tests,
            data=source.data,
            shapes=_shapes(root),
        )
    )
    if root is None:
        return report
    return replace(
        report,
        findings=tuple(_below(root, item) for item in report.findings),
        exemptions=tuple(
            replace(item, file=(root / item.file).as_posix())
            for item in report.exemptions
        ),
    )


def _below(root: Path, finding: LintFinding) -> LintFinding:
    return replace(finding, file=(root / finding.file).as_posix())


def _policy_of(files: Iterable[Path]) -> PolicySource:
    texts: dict[str, str] = {}
    for path in files:
        if path.suffix != ".rego":
            raise BundleError(f"`{path}` is no `*.rego`: give modules or directories")
        try:
            texts[path.as_posix()] = path.read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BundleError(f"`{path}` cannot be read as UTF-8: {error}") from error
    return PolicySource(
        modules=MappingProxyType({n: t for n, t in texts.items() if not is_test(n)}),
        tests=MappingProxyType({n: t for n, t in texts.items() if is_test(n)}),
        data={},
    )


def _shapes(root: Path | None) -> Shapes:
    if root is not None:
        try:
            return _shapes_of(load_directory(root))
        except PolicyGuardError:
            # What is wrong with it is what the lint is asked.
            pass
    return _shipped_shapes()


@cache
def _shipped_shapes() -> Shapes:
    return _shapes_of(load_directory(shipped_directory()))


def _shapes_of(bundle: Bundle) -> Shapes:
    engine = compile_modules(bundle.modules)
    tree = read_tree(syntax_tree(engine))
    data: Mapping[str, object] = {
        **bundle.data,
        "catalog": with_views(bundle.golden.catalog),
    }
    loaded = with_data(
        engine, json.dumps(data), entrypoint="data.policyguard.facts.view"
    )
    return shapes_of(loaded, tree, [vector.input for vector in bundle.golden.vectors])
