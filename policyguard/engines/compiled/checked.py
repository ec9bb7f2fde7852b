"""Compiles policy for a load, and compares what it answers with the interpreter.

Two implementations of one language differ somewhere. So a program is used only if it gives
the same whole documents as the interpreter for what the bundle itself promises on; else the
interpreter decides alone, as it does where a form is not translated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from policyguard.canonical import Json, canonical_bytes
from policyguard.engines.compiled.program import Compiled
from policyguard.engines.compiled.translate import Translated, translate
from policyguard.engines.native import evaluate_on
from policyguard.engines.protocol import Golden
from policyguard.engines.threads import NativeEngine
from policyguard.engines.tree import Node
from policyguard.errors import EvaluationError, NotTranslatedError


def translated_or_not(
    document: Iterable[Node], *, entrypoint: str
) -> Translated | None:
    """Return the program of a policy, or `None` if a form of it is not translated.

    Args:
        document: The syntax tree as the engine writes it.
        entrypoint: The rule that answers.
    """
    try:
        return translate(document, entrypoint=entrypoint)
    except NotTranslatedError:
        return None


def compiled_or_not(translated: Translated | None) -> Compiled | None:
    """Compile a program, if there is one and Python takes it."""
    try:
        return None if translated is None else Compiled(translated)
    except (SyntaxError, RecursionError, MemoryError, OverflowError):
        # As more loops in one another than Python allows.
        return None


def agrees(
    compiled: Compiled,
    *,
    data: Mapping[str, Json],
    base: NativeEngine,
    entrypoint: str,
    examples: Sequence[Golden],
) -> bool:
    """Say whether a program answers examples as the interpreter does, to the byte.

    Args:
        compiled: The program.
        data: What it is asked on.
        base: An engine with the same policy and data.
        entrypoint: The rule that answers.
        examples: What is asked.
    """
    running = compiled.on(data)
    for example in examples:
        question = canonical_bytes(example.input)
        answer = running.answer(orjson.loads(question))
        if answer is not None and answer != _interpreted(base, question, entrypoint):
            return False
    return True


def _interpreted(base: NativeEngine, question: bytes, entrypoint: str) -> Any:
    try:
        return evaluate_on(base, question.decode(), entrypoint=entrypoint)
    except EvaluationError:
        return None
