"""Tests of comparing live answers of compiled policy with the interpreter's."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from unit.engines.tiny_policy import RULES, policy

from policyguard.canonical import Json
from policyguard.engines import sampling
from policyguard.engines.compiled.translate import Translated, translate
from policyguard.engines.native import compile_modules, syntax_tree
from policyguard.engines.protocol import Compared, PolicySet
from policyguard.engines.regorus import COMPILED, RegorusEngine, RegorusSnapshot
from policyguard.engines.sampling import Sampling
from policyguard.errors import EngineLoadError, EvaluationError

MAIN = """package policyguard.main

_verdict := "deny" if {
	some finding in data.policyguard.rules.findings
	finding.effect == "deny"
} else := "allow"

decision := {
	"verdict": _verdict,
	"findings": [finding | some finding in data.policyguard.rules.findings],
}
"""
COMPILABLE = policy(modules={"main.rego": MAIN, "rules.rego": RULES})
RIGHT = {"verdict": "deny", "findings": [{"effect": "deny", "id": "EAR-01"}]}
WRONG = {"verdict": "allow", "findings": []}
ASKED = b'{"model":"bad"}'


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    # A busy machine must not make a comparison late, where lateness is not the subject.
    monkeypatch.setattr(sampling, "WAIT_SECONDS", 60.0)


def program(given: PolicySet = COMPILABLE) -> Translated:
    tree = syntax_tree(compile_modules(given.modules))
    return translate(tree, entrypoint=given.entrypoint)


def broken(given: PolicySet = COMPILABLE, *, old: str, new: str) -> Translated:
    """Return a program with a fault of the compiler's in it."""
    known = program(given)
    parts = tuple(part.replace(old, new) for part in known.parts)
    assert parts != known.parts
    return Translated(parts=parts, entry=known.entry, rules=known.rules)


def unreadable() -> Translated:
    """Return one in which a fact is looked for in a text: TypeError, so "undefined"."""
    return broken(old="== 'bad'", new="['kind'] == 'bad'")


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not holds() and time.monotonic() < end:
        time.sleep(0.005)
    assert holds()


def snapshot(
    translated: Translated, drawn: Sampling, given: PolicySet = COMPILABLE
) -> RegorusSnapshot:
    """Return a policy for which the thread that compares is ready."""
    made = RegorusEngine(sampling=drawn).admit(given, translated=translated)
    before = drawn.compared.same
    until(
        lambda: bool(made.evaluate(b'{"model":"fr"}')) and drawn.compared.same > before
    )
    return made


def test_the_fault_is_there_where_nothing_is_compared() -> None:
    engine = RegorusEngine(sampling=Sampling(one_in=0))
    made = engine.admit(COMPILABLE, translated=unreadable())

    assert made.evaluate(ASKED) == WRONG
    assert made.compared == Compared(same=0, differing=0, left_out=0)


def test_a_type_error_that_reads_as_undefined_is_found_before_the_answer_is_given() -> (
    None
):
    told: list[tuple[str, str]] = []
    drawn = Sampling(one_in=1, told=lambda *digests: told.append(digests))
    made = snapshot(unreadable(), drawn)
    compiled = made.info.version

    assert made.evaluate(ASKED) == RIGHT
    assert compiled.endswith(COMPILED)
    assert not made.info.version.endswith(COMPILED)
    until(lambda: told == [("b" * 64, "c" * 64)])
    assert drawn.compared.differing == 1


def test_nothing_is_answered_by_a_program_that_has_differed() -> None:
    drawn = Sampling(one_in=1)
    made = snapshot(unreadable(), drawn)
    made.evaluate(ASKED)

    assert [made.evaluate(ASKED) for _ in range(3)] == [RIGHT] * 3
    assert drawn.compared.differing == 1


def test_new_facts_under_a_bundle_that_has_differed_are_interpreted() -> None:
    drawn = Sampling(one_in=1)
    engine = RegorusEngine(sampling=drawn)
    snapshot(unreadable(), drawn).evaluate(ASKED)
    same = engine.admit(
        policy(modules=COMPILABLE.modules, catalog_digest="d" * 64),
        translated=program(),
    )
    other = engine.admit(
        policy(modules=COMPILABLE.modules, bundle_digest="e" * 64),
        translated=program(),
    )

    assert not same.info.version.endswith(COMPILED)
    assert other.info.version.endswith(COMPILED)


def test_an_answer_that_the_interpreter_refuses_is_refused() -> None:
    given = policy(
        modules={
            "main.rego": MAIN.replace(
                '"verdict": _verdict', '"verdict": _verdict, "by": _by'
            )
            + '\n_by := 1 if input.model\n\n_by := 2 if input.model == "bad"\n',
            "rules.rego": RULES,
        }
    )
    drawn = Sampling(one_in=1)
    made = snapshot(broken(given, old="v = same(v, w)", new="v = w"), drawn, given)

    with pytest.raises(EvaluationError) as caught:
        made.evaluate(ASKED)
    assert caught.value.code == "engine.evaluation"
    assert drawn.compared.differing == 1


def test_true_is_not_one() -> None:
    given = policy(
        modules={
            "main.rego": MAIN.replace('"verdict"', '"sure": true, "verdict"'),
            "rules.rego": RULES,
        }
    )
    drawn = Sampling(one_in=1)
    fault = broken(given, old="'sure': True", new="'sure': 1")
    made = RegorusEngine(sampling=drawn).admit(given, translated=fault)
    made.evaluate(b'{"model":"fr"}')

    until(lambda: drawn.compared.differing == 1)


def test_a_right_program_goes_on_answering() -> None:
    drawn = Sampling(one_in=1)
    made = snapshot(program(), drawn)
    before = drawn.compared.same
    answers = [made.evaluate(ASKED) for _ in range(20)]

    assert answers == [RIGHT] * 20
    assert made.info.version.endswith(COMPILED)
    assert drawn.compared == Compared(
        same=before + 20, differing=0, left_out=drawn.compared.left_out
    )


def test_one_in_so_many_is_drawn() -> None:
    drawn = Sampling(one_in=4)
    share = sum(drawn.draws() for _ in range(40_000)) / 40_000

    assert 0.2 < share < 0.3


class Stuck:
    """Is a policy whose interpreter answers when it is let go."""

    bundle_digest, catalog_digest = "b" * 64, "c" * 64
    generation = -1

    def __init__(self, *, loads: bool = True) -> None:
        self.loads = loads
        self.let_go = threading.Event()
        self.doubted = threading.Event()

    def build_some(self) -> bool:
        return True

    def require_interpreter(self) -> None:
        if not self.loads:
            raise EngineLoadError("no memory")

    def interpreted(self, text: str) -> Mapping[str, Json]:
        self.let_go.wait(60)
        return {"text": text}

    def doubt(self) -> None:
        self.doubted.set()


def test_a_comparison_that_is_late_holds_nobody_up_and_counts_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sampling, "WAIT_SECONDS", 0.0)
    drawn, asked = Sampling(one_in=1), Stuck()
    answers = [drawn.compare(asked, "{}", {"wrong": True}) for _ in range(3)]

    assert answers == [{"wrong": True}] * 3
    assert drawn.compared == Compared(same=0, differing=0, left_out=2)
    asked.let_go.set()
    until(asked.doubted.is_set)
    assert drawn.compared.differing == 1
    assert not drawn.trusts("b" * 64)


def test_an_interpreter_that_cannot_be_made_is_no_difference() -> None:
    drawn, asked = Sampling(one_in=1), Stuck(loads=False)

    assert drawn.compare(asked, "{}", {"found": 1}) == {"found": 1}
    until(lambda: drawn.compared.left_out == 1)
    assert drawn.trusts("b" * 64)


def test_a_comparison_that_panics_leaves_the_next_one_a_thread() -> None:
    class Panicking(Stuck):
        def require_interpreter(self) -> None:
            raise SystemExit

    drawn = Sampling(one_in=1)
    assert drawn.compare(Panicking(), "{}", {"found": 1}) == {"found": 1}
    asked = Stuck()
    asked.let_go.set()

    def compared() -> bool:
        drawn.compare(asked, "{}", {"text": "{}"})
        return drawn.compared.same > 0

    until(compared)


def test_who_is_told_may_fail() -> None:
    def fails(bundle: str, catalog: str) -> None:
        raise ValueError(bundle + catalog)

    drawn = Sampling(one_in=1, told=fails)
    made = snapshot(unreadable(), drawn)
    made.evaluate(ASKED)
    after = snapshot(program(), Sampling(one_in=1))

    assert after.evaluate(ASKED) == RIGHT


def test_what_has_differed_before_is_not_trusted_and_what_differs_is_kept() -> None:
    kept: list[tuple[str, str]] = []
    drawn = Sampling(one_in=1)
    drawn.recall((), keep=lambda *names: kept.append(names))
    made = snapshot(unreadable(), drawn)
    answers = [made.evaluate(ASKED)]
    until(lambda: bool(kept))
    again = Sampling(one_in=0)
    again.recall([bundle for bundle, _ in kept], keep=lambda *_: None)
    later = RegorusEngine(sampling=again).admit(COMPILABLE, translated=unreadable())
    answers.append(later.evaluate(ASKED))

    assert answers == [RIGHT, RIGHT]
    assert kept == [(COMPILABLE.bundle_digest, COMPILABLE.catalog_digest)]
    assert COMPILED not in later.info.version


FORKING = """
import os, sys, time
from unit.engines.test_sampling import COMPILABLE, program
from policyguard.engines.regorus import RegorusEngine
from policyguard.engines.sampling import Sampling

drawn = Sampling(one_in=1)
made = RegorusEngine(sampling=drawn).admit(COMPILABLE, translated=program())

def compare():
    before, end = drawn.compared.same, time.monotonic() + 60
    while drawn.compared.same == before and time.monotonic() < end:
        made.evaluate(b'{"model":"bad"}')
    return drawn.compared.same > before

assert compare()
child = os.fork()
if child == 0:
    os._exit(0 if compare() else 1)
assert os.waitpid(child, 0)[1] == 0
assert compare()
"""


def test_a_forked_child_compares_too_and_the_process_ends_in_silence() -> None:
    program = f"import sys; sys.path[:0] = {sys.path!r}\n{FORKING}"
    # From 3.12 on Python itself says that forking beside threads is a risk.
    silent = ["-W", "ignore:This process:DeprecationWarning"]
    done: Any = subprocess.run(
        [sys.executable, *silent, "-c", program],
        capture_output=True,
        timeout=120,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
