"""The engine's library cannot write between the lines of what is shown of mutants."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from policyguard.testing.mutate import mutate
from policyguard.testing.sources import read_policy
from policyguard.testing.unheard import unheard

OWN = """package policyguard.tenant

findings contains {"id": "ACME-02", "effect": "deny"} if {
	some i
	input.data.classes[i] == "source_code"
	i >= 0
}
"""
TEST = """package policyguard.tenant_test

import data.policyguard.tenant

test_source_code_is_denied if {
	count(tenant.findings) == 1 with input as {"data": {"classes": ["source_code"]}}
}
"""


def test_a_mutant_that_cannot_be_put_in_order_is_not_written_about(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own.rego").write_text(OWN, "utf-8")
    (tmp_path / "own_test.rego").write_text(TEST, "utf-8")

    report = mutate(read_policy(tmp_path))

    assert "input.data.classes" in " ".join(r.mutant.before for r in report.results)
    assert capfd.readouterr().err == ""


def test_what_is_written_afterwards_is_seen(capfd: pytest.CaptureFixture[str]) -> None:
    with unheard():
        os.write(2, b"lost")
    os.write(2, b"seen")

    assert capfd.readouterr().err == "seen"
