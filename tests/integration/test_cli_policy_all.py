"""What holds for every `policy` command: JSON alone, notes apart, one clear line, codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from integration.program import DENIED, refused, run, run_program, written
from unit.testing.own_policy import WEAK
from unit.testing.own_policy import written as policy_in
from unit.testing.trials import OWN

from policyguard.cli.policy import policy

RULE = "ACME-02"
NO_JSON = frozenset({"override", "report"})
"""Commands that write a file and print where; what they write is their answer."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("all")
    (folder / "own").mkdir()
    (folder / "own" / "acme_02.rego").write_text(OWN, encoding="utf-8")
    policy_in(folder / "small", tests=WEAK)
    written(folder, DENIED)
    return folder


def commands(place: Path) -> dict[str, tuple[tuple[object, ...], set[int]]]:
    """Return how each command is asked for JSON, and how it may exit."""
    own, small = place / "own", place / "small"
    call = place / "call.json"
    return {
        "compare": ((own, own), {0}),
        "explain": (("EAR-01",), {0}),
        "impact": (("--dir", place / "none"), {2}),
        "lint": ((own,), {0, 1}),
        "list": ((), {0}),
        "matrix": (("--rows", "purpose.kind", "--columns", "data.classes=pii"), {0}),
        "mutate": ((small, "--inputs", "50"), {0}),
        "prove": ((own, "--rule", RULE, "--crosschecks", "20"), {0, 1, 2}),
        "table": ((RULE, "--policy", own, "--at", "2026-11-20"), {0}),
        "test": ((small,), {0}),
        "whatif": ((call, "--mutable", "deployment"), {0, 1}),
    }


BAD: dict[str, tuple[object, ...]] = {
    "compare": ("nowhere", "nowhere"),
    "explain": ("NOPE-01",),
    "impact": ("--facts", "never"),
    "lint": ("nowhere",),
    "list": ("--regime", "nope"),
    "matrix": ("--rows", "nope"),
    "mutate": ("nowhere",),
    "prove": ("--rule", "NOPE-01"),
    "table": ("NOPE-01",),
    "test": ("nowhere",),
    "whatif": ("nowhere.json",),
    "override": ("nope",),
    "report": ("page.html",),
}


def test_each_command_is_asked_here() -> None:
    assert set(commands(Path("/nowhere"))) | NO_JSON == set(policy.commands)
    assert set(BAD) == set(policy.commands)


def parsed(text: str) -> Any:
    def twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({key for key, _ in pairs}) == len(pairs)
        return dict(pairs)

    def odd(constant: str) -> None:
        raise AssertionError(f"`{constant}` is no JSON")

    return json.loads(text, object_pairs_hook=twice, parse_constant=odd)


@pytest.mark.parametrize("name", sorted(set(policy.commands) - NO_JSON))
def test_json_is_alone_on_standard_output_and_nothing_else_is_said(
    name: str, place: Path
) -> None:
    words, codes = commands(place)[name]

    done = run("policy", name, *words, "--json")

    assert done.exit_code in codes, done.stderr
    if done.stdout:
        assert isinstance(parsed(done.stdout), dict | list)
        assert done.stderr == ""
    else:
        refused(done, says="")


@pytest.mark.parametrize("name", sorted(policy.commands))
def test_bad_input_is_one_line_that_says_what_to_do(name: str) -> None:
    done = run("policy", name, *BAD[name])

    refused(done, says="")
    assert len(done.stderr) > len("policyguard: ")
    assert done.exit_code == 2


@pytest.mark.parametrize("name", sorted(set(policy.commands) - NO_JSON))
def test_help_names_json_and_says_in_one_line_what_the_command_does(name: str) -> None:
    command = policy.commands[name]

    assert any("--json" in option.opts for option in command.params)
    assert command.get_short_help_str(limit=200).endswith(".")


def test_progress_is_on_standard_error_even_on_a_terminal(place: Path) -> None:
    words, _ = commands(place)["mutate"]

    done = run_program(
        "policy", "mutate", *words, "--json", FORCE_COLOR="1", TTY_COMPATIBLE="1"
    )

    assert done.returncode == 0, done.stderr
    assert parsed(done.stdout)["killed"] > 0
    assert "\x1b" not in done.stdout
