"""Loads a policy bundle from a directory.

The digest of a bundle is the SHA-256 over the canonical JSON of the SHA-256 of each
of its files by path. Tests are not part of it, so that it is the same in a checkout
and in a wheel, which leaves tests out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from policyguard.bundle.files import GOLDEN, MANIFEST, RULEBOOK, is_test, read_files
from policyguard.bundle.golden import GoldenSet, parse_golden
from policyguard.bundle.manifest import parse_manifest
from policyguard.bundle.rulebook import (
    RuleInfo,
    module_text,
    read_rules,
    rulebook_document,
)
from policyguard.canonical import Json, digest, digest_of, parse_json
from policyguard.errors import BundleError, FormatError


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Is one policy bundle."""

    revision: str
    digest: str
    """SHA-256 over every shipped file, 64 hexadecimal digits."""
    modules: Mapping[str, str] = field(repr=False)
    """Module text by path, tests left out."""
    tests: Mapping[str, str] = field(repr=False)
    """Text of the tests by path; none in a wheel."""
    rulebook: dict[str, Json] = field(repr=False)
    """The document at `data.policyguard.rulebook`."""
    rules: Mapping[str, RuleInfo] = field(repr=False)
    """What the rulebook says of each rule, by id."""
    golden: GoldenSet = field(repr=False)

    @property
    def rule_ids(self) -> tuple[str, ...]:
        """Return every id of the rulebook, sorted."""
        return tuple(self.rules)

    def rule(self, rule_id: str) -> RuleInfo:
        """Return what the rulebook says of a rule.

        Raises:
            BundleError: the rulebook has no such rule.
        """
        try:
            return self.rules[rule_id]
        except KeyError:
            raise BundleError(
                f"the rulebook of bundle `{self.revision}` has no rule `{rule_id}`"
            ) from None


def load_directory(path: Path | str) -> Bundle:
    """Load a bundle from its root directory.

    Raises:
        BundleError: a file that is missing, odd or malformed, a module outside the
            roots, or a rulebook that is not what the METADATA of the modules says.
    """
    files = read_files(Path(path))
    manifest = parse_manifest(files[MANIFEST])
    texts = {
        name: module_text(name, data)
        for name, data in files.items()
        if name.endswith(".rego")
    }
    for name, text in texts.items():
        manifest.require_owned(path=name, text=text)
    modules = {name: text for name, text in texts.items() if not is_test(name)}
    rules = read_rules(modules.items())
    rulebook = rulebook_document(revision=manifest.revision, rules=rules)
    _require_same_rulebook(files.get(RULEBOOK), rulebook)
    if GOLDEN not in files:
        raise BundleError(f"`{path}` has no `{GOLDEN}`: a bundle promises its answers")
    return Bundle(
        revision=manifest.revision,
        digest=digest_of(
            {name: digest(data) for name, data in files.items() if not is_test(name)}
        ),
        modules=MappingProxyType(modules),
        tests=MappingProxyType({n: text for n, text in texts.items() if is_test(n)}),
        rulebook=rulebook,
        rules=MappingProxyType({rule.id: rule for rule in rules}),
        golden=parse_golden(files[GOLDEN]),
    )


def _require_same_rulebook(data: bytes | None, expected: dict[str, Json]) -> None:
    if data is None:
        raise BundleError(f"{RULEBOOK}: is missing: generate it with `make fmt`")
    try:
        found = parse_json(data, max_bytes=len(data))
    except FormatError as error:
        raise BundleError(
            f"{RULEBOOK}: {error}: generate it with `make fmt`"
        ) from error
    odd = _differences(found, expected)
    if odd:
        raise BundleError(
            f"{RULEBOOK}: `{', '.join(odd)}` is not what manifest and METADATA say:"
            " generate it with `make fmt`"
        )


def _differences(found: Json, expected: Mapping[str, Json]) -> list[str]:
    if not isinstance(found, dict):
        return ["the top"]
    # Compared as text: to Python, `true` and `1` are equal.
    return sorted(
        name
        for name in found.keys() | expected.keys()
        if name not in found
        or name not in expected
        or _text(found[name]) != _text(expected[name])
    )


def _text(value: Json) -> str:
    return json.dumps(value, sort_keys=True)
