"""Policies on trial for tests: the shipped one, with faults put into it, and rules of one's own."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

from policyguard.engines.protocol import PolicySet
from policyguard.settings import Settings
from policyguard.testing.policies import configured_policy
from policyguard.testing.space import Space
from policyguard.testing.trial import Trial

OWN = """package policyguard.tenant

findings contains {
	"id": "ACME-02",
	"effect": "deny",
	"msg": "no source code is sent for what is published",
	"facts": {"purpose.publishes": input.purpose.publishes},
	"missing": [],
	"remedy": "do not publish it",
} if {
	input.purpose.publishes == true
	"source_code" in input.data.classes
}
"""
FIRST_ONLY = OWN.replace(
    '"source_code" in input.data.classes', 'input.data.classes[0] == "source_code"'
)


@cache
def shipped() -> PolicySet:
    return configured_policy(Settings())


@cache
def space() -> Space:
    return Space.from_catalog(shipped())


def changed(module: str, before: str, after: str) -> PolicySet:
    """Return the shipped policy with one text in one module replaced."""
    text = shipped().modules[module]
    assert before in text
    return replace(
        shipped(), modules={**shipped().modules, module: text.replace(before, after)}
    )


@cache
def trial(*rules: str) -> Trial:
    return Trial(shipped(), space=space(), rules=rules)


def own(text: str) -> Trial:
    """Return a trial of a tenant's rule, added to the shipped ones."""
    modules = {**shipped().modules, "tenant/own.rego": text}
    return Trial(replace(shipped(), modules=modules), space=space(), rules=["ACME-02"])


def written(directory: Path, text: str) -> Path:
    directory.mkdir(exist_ok=True)
    (directory / "own.rego").write_text(text, "utf-8")
    return directory
