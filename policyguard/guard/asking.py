"""In which capacity a question is asked, and what is known beside the question."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import Any, Literal, TypeAlias

from policyguard.guard.answer import Answer
from policyguard.guard.obligations import ANYTHING, Sending
from policyguard.guard.persons import NOBODY, Persons
from policyguard.vocabulary.call import ModelCall
from policyguard.vocabulary.decision import Decision
from policyguard.vocabulary.found import Found
from policyguard.vocabulary.record import Layer

Steps: TypeAlias = Generator[ModelCall, Answer, Decision]
"""A question that is being considered: yields what is asked, and takes the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Says in which capacity a question is asked."""

    call_id: str
    layer: Layer = "call"
    kind: Literal["decision", "check"] = "decision"
    attempt: int = 0
    prompt: bytes | None = field(default=None, repr=False)
    """What is sent, where it is to be kept."""
    persons: Persons = NOBODY
    """The people whom the call is about."""
    sending: Sending = ANYTHING
    """What is known of the body."""
    offers: bool = True
    """Whether a refusal looks for other hosts of the same model."""
    found: Found | None = None
    """What a search in the data found; `None`: nobody searched."""
    path: str = ""
    """Of the URL, as far as it is known."""
    why: str = ""
    """Why something that is sent could not be read, for a person."""
    begun: int = field(default_factory=perf_counter_ns)
    """When the question was put, for whoever measures."""


def answered(steps: Steps, answer: Callable[[ModelCall], Answer]) -> Decision:
    """Return the decision on a question, answered here and now.

    Args:
        steps: The question.
        answer: Evaluates; what it raises is the question's to deal with.
    """
    question = next(steps)
    try:
        found = answer(question)
    except Exception as error:  # noqa: BLE001 -- handed on to who asked
        return decided(steps.throw, error)
    return decided(steps.send, found)


def decided(resume: Callable[[Any], object], answer: object) -> Decision:
    """Give a question its answer, or why there is none, and return the decision."""
    try:
        resume(answer)
    except StopIteration as done:
        decision: Decision = done.value
        return decision
    raise RuntimeError("a question is put once")
