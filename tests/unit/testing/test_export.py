"""A call that broke a property is kept as tests, which fail until the rules are repaired."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from integration.test_pytest_plugin import apart
from opa import opa_program
from unit.testing.trials import FIRST_ONLY, OWN, own, written

from policyguard.errors import ConfigurationError
from policyguard.testing import laws
from policyguard.testing.breaches import breach_of
from policyguard.testing.export import save_breach, to_opa_test
from policyguard.testing.properties import property_named
from policyguard.testing.rego_tests import RegoRunner
from policyguard.testing.sources import read_policy

ORDER = "found_order_independent"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return rules with a fault, and the tests that a law has written beside them."""
    directory = written(tmp_path_factory.mktemp("found") / "own", FIRST_ONLY)
    with pytest.raises(AssertionError, match="written: "):
        laws.order_independent(directory, save=directory, examples=60)()
    return directory


def states(directory: Path) -> set[str]:
    runner = RegoRunner(read_policy(directory))
    return {runner.run(test).state for test in runner.tests()}


def test_the_kit_runs_what_was_written_until_it_holds(
    found: Path, tmp_path: Path
) -> None:
    repaired = written(tmp_path / "own", OWN)
    name = f"{ORDER}_test.rego"
    (repaired / name).write_text((found / name).read_text("utf-8"), "utf-8")

    assert (states(found), states(repaired)) == ({"failed"}, {"passed"})


def test_opa_runs_what_was_written_until_it_holds(found: Path, tmp_path: Path) -> None:
    program = opa_program()
    repaired = written(tmp_path / "own", OWN)
    test = found / f"{ORDER}_test.rego"

    codes = [
        subprocess.run(
            [program, "test", str(rules / "own.rego"), str(test)],
            capture_output=True,
            check=False,
        )
        for rules in (found, repaired)
    ]

    assert [done.returncode for done in codes] == [2, 0], codes
    assert b"PASS: 1/1" in codes[1].stdout


def test_pytest_runs_what_was_written_until_it_holds(
    found: Path, tmp_path: Path
) -> None:
    repaired = written(tmp_path / "own", OWN)
    name = f"test_{ORDER}.py"
    (repaired / name).write_text((found / name).read_text("utf-8"), "utf-8")

    broken, whole = apart(found, name), apart(repaired, name)

    assert (broken.returncode, whole.returncode) == (1, 0), broken.stdout + whole.stdout
    assert "order_independent does not hold" in broken.stdout


def test_what_speaks_of_decisions_is_kept_for_pytest_alone(tmp_path: Path) -> None:
    of = own(OWN)
    prop = property_named("irrelevant", facts=["purpose.publishes"])
    call = of.space.call({})
    call["data"]["classes"] = ["source_code"]
    call["purpose"]["publishes"] = True

    breach = breach_of(prop, of, call)

    assert breach is not None
    assert to_opa_test(breach, of, name="x") is not None
    silent = breach_of(property_named("deterministic"), of, call)
    assert silent is None


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    of = own(OWN)
    call = of.space.call({})
    call["data"]["classes"] = ["source_code"]
    call["purpose"]["publishes"] = True
    breach = breach_of(
        property_named("irrelevant", facts=["purpose.publishes"]), of, call
    )
    (tmp_path / "file").write_text("", "utf-8")

    assert breach is not None
    with pytest.raises(ConfigurationError, match="cannot be written to"):
        save_breach(breach, of, tmp_path / "file")
