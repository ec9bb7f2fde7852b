"""Asks several engines the same questions, and shows on which their answers differ.

    found = differential(Trial.of("own"), opa=Path("/usr/local/bin/opa"))
    assert not found, found[0].text()

Compiled policy, the interpreter behind it and OPA have to decide alike. Questions are
drawn as laws draw them, and ill-typed ones besides. What is found is that they did not
differ on the questions drawn, and nothing about others.

On ill-typed questions, which no guard asks, OPA finds undefined what the interpreter
refuses: `about_allow` says of a disagreement whether it is about an allowed call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from hypothesis import HealthCheck, Phase, given
from hypothesis import seed as seeded
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from policyguard.canonical import Json, canonical_bytes, canonical_dump
from policyguard.engines.compiled.checked import compiled_or_not, translated_or_not
from policyguard.engines.joined import join_modules
from policyguard.engines.native import (
    compile_modules,
    evaluate_on,
    syntax_tree,
    with_data,
)
from policyguard.engines.pieces import data_text
from policyguard.engines.protocol import PolicySet
from policyguard.engines.threads import NativeEngine
from policyguard.errors import ConfigurationError, EvaluationError
from policyguard.testing.opa_program import answers_of
from policyguard.testing.strategies import at_bounds, ill_typed
from policyguard.testing.trial import Trial

QUESTIONS: Final = 200
"""How many questions of each kind are drawn."""
_REFUSES: Final = "no decision"
_SILENT: Final = object()
"""Stands where compiled policy leaves the answer to the interpreter."""


class Answering(Protocol):
    """Evaluates the policy, as a `Snapshot` of an engine does."""

    def evaluate(self, input_json: bytes) -> Mapping[str, Json]:
        """Return the decision document, or raise EvaluationError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """Is a question on which engines answer differently."""

    question: Json
    well_typed: bool
    """Whether it was drawn as one that the vocabulary accepts."""
    answers: Mapping[str, Json]
    """The decision by engine: `compiled`, `interpreter`, `opa`; `None`: it has none. Compiled policy
    is left out where it leaves the answer to the interpreter."""

    @property
    def about_allow(self) -> bool:
        """Say whether one of them allows what another one does not."""
        words = {_verdict(answer) for answer in self.answers.values()}
        return "allow" in words and len(words) > 1

    def text(self) -> str:
        """Return the verdicts, and the question."""
        said = ", ".join(
            f"{engine}: {_verdict(answer)}" for engine, answer in self.answers.items()
        )
        question = canonical_bytes(self.question).decode("utf-8")
        return f"engines differ: {said}\n  question: {question}"


def differential(  # noqa: PLR0913 -- the words of one comparison
    of: Trial | PolicySet,
    *,
    opa: Path | Answering | None = None,
    typed: int = QUESTIONS,
    odd: int = QUESTIONS,
    seed: int = 0,
    questions: Sequence[Json] = (),
) -> tuple[Disagreement, ...]:
    """Ask compiled policy, the interpreter and OPA what is drawn, and compare.

    Args:
        of: The policy.
        opa: OPA's program; or what `OpaEngine.load` returns of a server that holds this
            policy.
        typed: How many questions are drawn that the vocabulary accepts.
        odd: How many are drawn in which fields are missing or of another type.
        seed: What the draws depend on.
        questions: More of them, which are accepted ones.

    Returns:
        Those on which answers differ, the shortest question first.

    Raises:
        ConfigurationError: no two engines answer any of it, or OPA cannot be run.
        EngineLoadError: the policy does not compile.
    """
    trial = of if isinstance(of, Trial) else Trial(of)
    asked = [(question, True) for question in questions]
    asked += [(call, True) for call in _drawn(at_bounds(trial), typed, seed)]
    asked += [(call, False) for call in _drawn(ill_typed(trial), odd, seed)]
    given_to = [question for question, _ in asked]
    by_engine = _embedded(trial.policy, given_to)
    if isinstance(opa, Path):
        by_engine["opa"] = answers_of(opa, trial.policy, given_to)
    elif opa is not None:
        by_engine["opa"] = [_of_server(opa, question) for question in given_to]
    compared = [
        Disagreement(question=question, well_typed=accepted, answers=answers)
        for number, (question, accepted) in enumerate(asked)
        if len(answers := _answers(by_engine, number)) > 1
    ]
    if asked and not compared:
        raise ConfigurationError(
            "compiled policy answers none of this, and no OPA is given: nothing can be"
            " compared"
        )
    found = [item for item in compared if _differ(item.answers)]
    return tuple(sorted(found, key=lambda item: len(canonical_bytes(item.question))))


def _embedded(policy: PolicySet, questions: Sequence[Json]) -> dict[str, list[Any]]:
    # Not as a load does it, which passes over a program that differs.
    data = dict(policy.data)
    compiled = compiled_or_not(
        translated_or_not(
            syntax_tree(compile_modules(policy.modules)), entrypoint=policy.entrypoint
        )
    )
    found: dict[str, list[Any]] = {}
    if compiled is not None:
        running = compiled.on(data)
        answers = [running.answer(question) for question in questions]
        found["compiled"] = [_SILENT if one is None else one for one in answers]
    base = with_data(
        compile_modules(join_modules(policy.modules).modules),
        data_text(data, what="data"),
        entrypoint=policy.entrypoint,
    )
    found["interpreter"] = [
        _of_interpreter(base, question, policy.entrypoint) for question in questions
    ]
    return found


def _of_interpreter(base: NativeEngine, question: Json, entrypoint: str) -> Json:
    try:
        text = canonical_bytes(question).decode("utf-8")
        return dict(evaluate_on(base, text, entrypoint=entrypoint))
    except EvaluationError:
        return None


def _of_server(engine: Answering, question: Json) -> Json:
    try:
        return dict(engine.evaluate(canonical_bytes(question)))
    except EvaluationError:
        return None


def _answers(by_engine: Mapping[str, Sequence[Any]], number: int) -> dict[str, Json]:
    found = {name: own[number] for name, own in by_engine.items()}
    return {name: answer for name, answer in found.items() if answer is not _SILENT}


def _drawn(strategy: st.SearchStrategy[Any], count: int, seed: int) -> list[Json]:
    """Return so many examples of a strategy, the same ones for the same seed."""
    found: list[Json] = []
    if count < 1:
        return found

    @seeded(seed)
    @hypothesis_settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def keep(example: Json) -> None:
        found.append(example)

    keep()
    return found


def _differ(answers: Mapping[str, Json]) -> bool:
    # As text: in Python 1 is `True`.
    return len({canonical_dump(answer) for answer in answers.values()}) > 1


def _verdict(answer: Json) -> str:
    return str(answer.get("verdict")) if isinstance(answer, dict) else _REFUSES
