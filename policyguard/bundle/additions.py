"""What a tenant adds to a bundle: rules of its own that object, and signed overrides.

Both become files of the bundle that decides, so that its digest covers them, a record
that names the digest names them, and what is kept for a replay is whole:

    policyguard/tenant/*.rego           rules in `package policyguard.tenant`
    policyguard/overrides/data.json     overrides by id, with what was signed

INVARIANT: a tenant's modules are in `package policyguard.tenant` alone, whose findings
`main` adds to the others. Nothing that a tenant writes takes part in another rule.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from policyguard.bundle.documents import is_data
from policyguard.bundle.files import MANIFEST, RULEBOOK, SIGNATURES, is_test
from policyguard.bundle.manifest import package_of, parse_manifest
from policyguard.bundle.rulebook import (
    RuleInfo,
    RuleOverride,
    Softer,
    module_text,
    read_rules,
    rulebook_document,
)
from policyguard.canonical import Json, canonical_bytes, digest, digest_of
from policyguard.errors import BundleError

TENANT: Final = "policyguard/tenant"
OVERRIDES: Final = "policyguard/overrides/data.json"
_PACKAGE: Final = "policyguard.tenant"


class _Override(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, hide_input_in_errors=True
    )

    rule: str
    to: Softer
    since: Annotated[int, Field(alias="from")]
    until: Annotated[int, Field(alias="to_instant")]
    author: str
    reason: str
    statement: str


def override_document(
    *, override: RuleOverride, author: str, reason: str, statement: str
) -> dict[str, Json]:
    """Return what a bundle keeps of an override.

    Args:
        override: What it softens, and when.
        author: Who signed it.
        reason: Why.
        statement: What was signed.
    """
    return {
        "rule": override.rule,
        "to": override.to,
        "from": override.since,
        "to_instant": override.until,
        "author": author,
        "reason": reason,
        "statement": statement,
    }


def read_overrides(data: Mapping[str, Json]) -> tuple[RuleOverride, ...]:
    """Return the overrides in a bundle's data, by id.

    Raises:
        BundleError: a field is missing, unknown or wrong.
    """
    ours = data.get("policyguard")
    found = ours.get("overrides", {}) if isinstance(ours, dict) else {}
    if not isinstance(found, dict):
        raise BundleError(f"{OVERRIDES}: is no object of overrides by their ids")
    return tuple(_override(name, found[name]) for name in sorted(found))


def overrides_of(data: Mapping[str, Json], rule: str) -> list[dict[str, Json]]:
    """Return what a bundle keeps of the overrides of one rule, with their ids.

    Args:
        data: The bundle's data.
        rule: The rule's id.
    """
    ours = data.get("policyguard")
    found = ours.get("overrides", {}) if isinstance(ours, dict) else {}
    return [
        {"id": name, **item}
        for name, item in (found.items() if isinstance(found, dict) else ())
        if isinstance(item, dict) and item["rule"] == rule
    ]


def tenant_digest(files: Mapping[str, bytes]) -> str:
    """Return the digest of a tenant's files: SHA-256 over those that are no tests."""
    return digest_of(
        {
            path: digest(data)
            for path, data in files.items()
            if not is_test(path) and path != SIGNATURES
        }
    )


def tenant_modules(files: Mapping[str, bytes], *, name: str) -> Mapping[str, bytes]:
    """Return a tenant's modules and their tests, and nothing that could clear a call.

    Args:
        files: The files of the tenant's bundle, as `read_files` returns them.
        name: What to call the bundle in messages.

    Raises:
        BundleError: another root than `policyguard/tenant`, a module in another package
            or place, data, or no rule at all.
    """
    roots = parse_manifest(files[MANIFEST]).roots
    if roots != (TENANT,):
        raise BundleError(
            f"`{name}` has the roots `{', '.join(roots)}`: rules of a tenant have the"
            f' one root "{TENANT}"'
        )
    found: dict[str, bytes] = {}
    for path, data in files.items():
        if path in {MANIFEST, SIGNATURES}:
            continue
        if is_data(path) or not path.startswith(f"{TENANT}/"):
            raise BundleError(
                f"{path}: rules of a tenant are modules below `{TENANT}`, and no data"
            )
        package = package_of(path=path, text=module_text(path, data))
        if not is_test(path) and package != _PACKAGE:
            raise BundleError(
                f"{path}: is in package `{package}`, whose findings nobody reads: write"
                f" `package {_PACKAGE}`"
            )
        found[path] = data
    if not any(not is_test(path) for path in found):
        raise BundleError(f"`{name}` has no rule: remove it from the settings")
    return found


def with_additions(
    files: Mapping[str, bytes],
    *,
    tenant: Mapping[str, bytes],
    overrides: Mapping[str, Json],
) -> dict[str, bytes]:
    """Return the files of a bundle with what a tenant adds.

    Args:
        files: The files of the bundle.
        tenant: Modules of the tenant.
        overrides: Overrides by id, as `override_document` makes them.

    Raises:
        BundleError: the bundle has such files already, or an addition does not fit it.
    """
    odd = [path for path in files if path == OVERRIDES or path.startswith(f"{TENANT}/")]
    if odd:
        raise BundleError(
            f"{odd[0]}: this bundle has rules of a tenant or overrides already: name the"
            " bundle without them"
        )
    made = {**files, **tenant}
    if overrides:
        made[OVERRIDES] = canonical_bytes(dict(overrides))
    data: dict[str, Json] = {"policyguard": {"overrides": dict(overrides)}}
    made[RULEBOOK] = _rulebook(made, overrides=read_overrides(data))
    return made


def without_additions(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files of a bundle without what a tenant has added.

    Raises:
        BundleError: the bundle's METADATA cannot be used.
    """
    kept = {
        path: data
        for path, data in files.items()
        if path != OVERRIDES and not path.startswith(f"{TENANT}/")
    }
    if len(kept) != len(files):
        kept[RULEBOOK] = _rulebook(kept, overrides=())
    return kept


def has_additions(files: Mapping[str, bytes]) -> bool:
    """Say whether a tenant has added something to a bundle."""
    return any(path == OVERRIDES or path.startswith(f"{TENANT}/") for path in files)


def _rulebook(
    files: Mapping[str, bytes], *, overrides: tuple[RuleOverride, ...]
) -> bytes:
    rules: tuple[RuleInfo, ...] = read_rules(
        (path, module_text(path, data))
        for path, data in files.items()
        if path.endswith(".rego") and not is_test(path)
    )
    revision = parse_manifest(files[MANIFEST]).revision
    document = rulebook_document(revision=revision, rules=rules, overrides=overrides)
    return json.dumps(document, sort_keys=True, ensure_ascii=False).encode()


def _override(name: str, value: Json) -> RuleOverride:
    try:
        read = _Override.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the top"
        raise BundleError(
            f"{OVERRIDES}: `{name}.{place}`: {first['msg'].lower()}"
        ) from error
    return RuleOverride(
        id=name, rule=read.rule, to=read.to, since=read.since, until=read.until
    )
