"""Runs translated policy on data and questions.

Owner: one loaded policy, whose threads share the program, its data and what it remembers
of them. None of it changes after it was made, but for the values of rules that no question
changes: two threads may work one out at once, to the same value. Whoever can change the
process's memory can change an answer here as anywhere in it.

INVARIANT: what this cannot answer as the interpreter would, it does not answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import CodeType
from typing import Any, Final

from policyguard.canonical import Json
from policyguard.engines.compiled import values
from policyguard.engines.compiled.builtins import ARITHMETIC, BUILTINS, OF_SETS, filled
from policyguard.engines.compiled.forms import builtin_name
from policyguard.engines.compiled.translate import Translated
from policyguard.errors import CannotSayError

NAMES: Final[Mapping[str, Any]] = {
    "__builtins__": {
        item.__name__: item
        for item in (bool, dict, frozenset, id, int, len, list, str, type)
    },
    "COLLECTIONS": (list, dict, values.Members),
    "N": object(),
    "NO": CannotSayError,
    "ONCE": (None,),
    "U": values.UNDEFINED,
    "UNDEFINED_REFERENCE": values.UNDEFINED_REFERENCE,
    "Members": values.Members,
    "EMPTY": values.Members(),
    "filled": filled,
    **ARITHMETIC,
    **OF_SETS,
    **{builtin_name(name): function for name, (function, _) in BUILTINS.items()},
    **{
        name: getattr(values, name)
        for name in (
            "any_each",
            "any_each_indexed",
            "any_each_pair",
            "at",
            "compare",
            "each",
            "each_indexed",
            "each_pair",
            "equal",
            "key",
            "same",
            "within",
        )
    },
}


class Compiled:
    """Is a policy that was translated, for any data.

    Args:
        translated: The program.
    """

    __slots__ = ("code", "entry", "rules")

    def __init__(self, translated: Translated) -> None:
        self.entry = translated.entry
        self.rules = translated.rules
        self.code: tuple[CodeType, ...] = tuple(
            compile(part, "<policy>", "exec") for part in translated.parts
        )

    def on(self, data: Mapping[str, Json]) -> Running:
        """Return what answers questions on some data."""
        return Running(self, data)


class Running:
    """Answers questions; any thread may ask."""

    __slots__ = ("_answer", "_blank")

    def __init__(self, compiled: Compiled, data: Mapping[str, Json]) -> None:
        blank = [NAMES["N"]] * compiled.rules
        world = {
            **NAMES,
            "BLANK": tuple(blank),
            "D": data,
            "K": [NAMES["N"], *blank],
        }
        # The program is ours: of the policy there are only constants in it.
        for code in compiled.code:
            exec(code, world)  # noqa: S102
        self._answer = world[f"r{compiled.entry}"]
        self._blank = blank

    def answer(self, question: Json) -> dict[str, Json] | None:
        """Return the decision document, or `None` if the interpreter has to say.

        Args:
            question: The input as JSON gives it; it is not changed.
        """
        try:
            found = values.plain(self._answer([question, *self._blank]))
        except Exception:  # noqa: BLE001 -- whatever it is: it is no answer
            return None
        return found if type(found) is dict else None
