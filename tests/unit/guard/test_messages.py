"""What is said of a decision: readable, and no place for a client to forge a line."""

from __future__ import annotations

from pathlib import Path

from guards import guard_in

from policyguard.guard.describe import Described
from policyguard.guard.facts import facts_of
from policyguard.guard.messages import caller_view, operator_view
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
