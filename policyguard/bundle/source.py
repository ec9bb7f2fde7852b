"""Loads a policy bundle from a directory, or from files that were read elsewhere.

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
from typing import Final

from policyguard.bundle.additions import read_overrides
from policyguard.bundle.documents import read_documents
from policyguard.bundle.files import (
    GOLDEN,
    MANIFEST,
    RULEBOOK,
    SIGNATURES,
    is_test,
    read_files,
)
from policyguard.bundle.golden import GoldenSet, golden_of, parse_golden
from policyguard.bundle.manifest import parse_manifest
from policyguard.bundle.rulebook import (
    RuleInfo,
    module_text,
    read_rules,
    rulebook_document,
)
from policyguard.bundle.served import SERVED, require_own_module
from policyguard.canonical import Json, digest, digest_of
from policyguard.errors import BundleError

_OURS: Final = "policyguard"


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
    data: dict[str, Json] = field(repr=False)
    """All data of the bundle, the rulebook too, the golden vectors left out."""
    files: Mapping[str, bytes] = field(repr=False)
    """Every file that the digest covers, by path: what is kept for a replay."""

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
    return load_files(read_files(Path(path)), name=str(path))


def load_files(files: Mapping[str, bytes], *, name: str) -> Bundle:
    """Load a bundle from its files.

    Args:
        files: Content by path inside the bundle.
        name: What to call the bundle in messages.

    Raises:
        BundleError: as `load_directory` does.
    """
    if MANIFEST not in files:
        raise BundleError(f"`{name}` has no `{MANIFEST}`: give a bundle's root")
    manifest = parse_manifest(files[MANIFEST])
    texts = {
        path: module_text(path, data)
        for path, data in files.items()
        if path.endswith(".rego") and path != SERVED
    }
    for path, text in texts.items():
        manifest.require_owned(path=path, text=text)
    modules = {path: text for path, text in texts.items() if not is_test(path)}
    covered = {path: data for path, data in files.items() if _is_covered(path)}
    own_digest = digest_of({path: digest(data) for path, data in covered.items()})
    require_own_module(files.get(SERVED), digest=own_digest)
    rules = read_rules(modules.items())
    data = read_documents(files, manifest=manifest)
    rulebook = rulebook_document(
        revision=manifest.revision, rules=rules, overrides=read_overrides(data)
    )
    promises = _taken(data, "golden")
    _require_same_rulebook(_taken(data, "rulebook"), rulebook)
    return Bundle(
        revision=manifest.revision,
        digest=own_digest,
        modules=MappingProxyType(modules),
        tests=MappingProxyType({n: text for n, text in texts.items() if is_test(n)}),
        rulebook=rulebook,
        rules=MappingProxyType({rule.id: rule for rule in rules}),
        golden=_golden(files.get(GOLDEN), promises, name=name),
        data=_with_rulebook(data, rulebook),
        files=MappingProxyType(covered),
    )


def _is_covered(path: str) -> bool:
    return not is_test(path) and path not in {SERVED, SIGNATURES}


def _taken(data: dict[str, Json], name: str) -> Json:
    """Take what is at `policyguard.<name>` out of the data."""
    ours = data.get(_OURS)
    return ours.pop(name, None) if isinstance(ours, dict) else None


def _with_rulebook(data: dict[str, Json], rulebook: Json) -> dict[str, Json]:
    ours = data.get(_OURS)
    rest = ours if isinstance(ours, dict) else {}
    return {**data, _OURS: {**rest, "rulebook": rulebook}}


def _golden(file: bytes | None, document: Json, *, name: str) -> GoldenSet:
    if file is not None and document is None:
        return parse_golden(file)
    if file is None and document is not None:
        return golden_of(document)
    if file is None:
        raise BundleError(f"`{name}` has no `{GOLDEN}`: a bundle promises its answers")
    raise BundleError(
        f"`{name}` has golden vectors in `{GOLDEN}` and in its data: keep one"
    )


def _require_same_rulebook(found: Json, expected: dict[str, Json]) -> None:
    if found is None:
        raise BundleError(f"{RULEBOOK}: is missing: generate it with `make fmt`")
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
