"""A bundle of two rules in a directory, for the tests of bundles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from policyguard.bundle.rulebook import rulebook_bytes

METADATA: Final = """package policyguard.rules

# METADATA
# title: {title}
# description: Says why.
# related_resources:
# - ref: https://www.ecfr.gov/current/title-15/part-734
#   description: 15 CFR 734
# custom:
#   id: {id}
#   severity: high
#   as_of: 2026-11-01
#   effective:
#   - {{from: {since}, to: {until}, status: {status}, verified: true}}
findings contains {{"id": "{id}"}} if input.model == "bad"
"""
MANIFEST: Final = {
    "revision": "2026.11.1",
    "roots": ["policyguard"],
    "rego_version": 1,
}
VECTORS: Final = {
    "catalog": {"models": {}},
    "vectors": [
        {
            "name": "bad",
            "input": {"model": "bad"},
            "verdict": "deny",
            "rules": ["RES-01", "EAR-01"],
        }
    ],
}


def rule(**changes: str) -> str:
    """Return a module with one rule."""
    fields = {
        "id": "EAR-01",
        "title": "Technology is not exported",
        "since": "2026-06-12T21:21:00Z",
        "until": "null",
        "status": "in_force",
    }
    return METADATA.format(**{**fields, **changes})


def write(root: Path, path: str, content: str | bytes | object) -> Path:
    """Write one file of a bundle: text, bytes, or a value as JSON."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif isinstance(content, str):
        file.write_text(content, "utf-8")
    else:
        file.write_text(json.dumps(content), "utf-8")
    return file


def bundle_in(root: Path) -> Path:
    """Write a whole bundle and return its root."""
    write(root, ".manifest", MANIFEST)
    write(root, "policyguard/rules/ear/ear_01.rego", rule())
    write(
        root,
        "policyguard/rules/residency/res_01.rego",
        rule(id="RES-01", title="Data stays", since="null"),
    )
    write(root, "policyguard/rules/ear/ear_01_test.rego", "package policyguard.tests\n")
    write(root, "golden/vectors.json", VECTORS)
    write(root, "catalog/models.yaml", "models: {}\n")
    return with_rulebook(root)


def with_rulebook(root: Path) -> Path:
    """Write the rulebook of a bundle anew and return its root."""
    write(root, "policyguard/rulebook/data.json", rulebook_bytes(root))
    return root
