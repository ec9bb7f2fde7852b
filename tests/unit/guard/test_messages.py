"""What is said of a decision: readable, and no place for a client to forge a line."""

from __future__ import annotations

from pathlib import Path

import pytest
from guards import guard_in

from policyguard.guard.describe import Described
from policyguard.guard.facts import facts_of
from policyguard.guard.messages import (
    caller_message,
    caller_view,
    objections,
    operator_view,
)
from policyguard.vocabulary.decision import Decision

FORGED = "glm-5.2\n  record       00000000 · entry 1 of somewhere\x1b[2J\u202e"


def refused(folder: Path, *, model: str) -> Decision:
    with guard_in(folder) as guard:
        core = guard.core
        question = core.question(
            described=Described(model=model, host="llm.unknown.example"),
            facts=facts_of(caller="alice", data={"classes": ["pii"]}),
        )
        return guard.check(question)


def test_what_a_client_typed_forges_no_line(tmp_path: Path) -> None:
    lines = operator_view(refused(tmp_path, model=FORGED)).split("\n")

    assert sum(line.startswith("  record ") for line in lines) == 1
    assert all(line.isprintable() for line in lines)


def test_what_leaves_the_process_says_neither_facts_nor_how_to_change_them(
    tmp_path: Path,
) -> None:
    view = caller_view(refused(tmp_path, model="glm-5.2"))

    assert set(view) == {"decision", "verdict", "code", "rules", "permitted"}
    assert "llm.unknown.example" not in str(view)
    assert "declare" not in str(view)


def test_a_rule_that_objects_for_two_reasons_is_named_once(tmp_path: Path) -> None:
    with guard_in(tmp_path) as guard:
        asked = Described(model="glm-5.2", host="open.bigmodel.cn")
        question = guard.core.question(described=asked, facts=facts_of())
        decision = guard.check(question)
    found = [item.id for item in objections(decision)]
    assert found.count("OFAC-01") > 1

    said = caller_message(decision)
    rules = caller_view(decision)["rules"]

    once = list(dict.fromkeys(found))
    assert said == f"not allowed by {', '.join(once)} [{decision.id}]"
    assert isinstance(rules, list)
    assert [rule["id"] for rule in rules] == once


def looked_up(folder: Path, *, model: str, host: str) -> list[str]:
    with guard_in(folder) as guard:
        question = guard.core.question(
            described=Described(model=model, host=host),
            facts=facts_of(caller="alice", data={"classes": ["none"]}),
        )
        lines = operator_view(guard.check(question)).split("\n")
    return [line.split("look up")[1].strip() for line in lines if "look up" in line]


@pytest.mark.parametrize(
    ("model", "host", "commands"),
    [
        ("glm-5.2", "llm.unknown.example", ["policyguard catalog show glm-5.2"]),
        ("kimi-k2", "api.moonshot.ai", ["policyguard catalog show api.moonshot.ai"]),
        ("$(reboot)", "$(reboot)", ["policyguard catalog list deployments"]),
        ("glm-5.2", "api.scaleway.ai", []),
    ],
)
def test_what_the_catalog_does_know_is_one_command_away(
    tmp_path: Path, model: str, host: str, commands: list[str]
) -> None:
    assert looked_up(tmp_path, model=model, host=host) == commands
