"""Writes programs line by line.

A body becomes Python statements inside a loop that `continue` leaves, or a function that
`return` leaves: that is how a statement fails. What is undefined raises, and the body fails.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from policyguard.errors import NotTranslatedError

_PART_LINES: Final = 400
"""Of a part of a program: compiling one holds the interpreter's lock."""


class Program:
    """Collects the lines of a program, and the constants that it shares."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.constants: list[str] = []
        self._numbers = itertools.count()

    def parts(self) -> tuple[str, ...]:
        """Return the program in parts, none of them long to compile."""
        made = ["\n".join(self.constants)]
        starts = [
            place for place, line in enumerate(self.lines) if line.startswith("def ")
        ]
        begin = 0
        for start in (*starts, len(self.lines)):
            if start - begin >= _PART_LINES or start == len(self.lines):
                made.append("\n".join(self.lines[begin:start]))
                begin = start
        return tuple(f"{part}\n" for part in made)

    def name(self, prefix: str) -> str:
        """Return a name that nothing else has."""
        return f"{prefix}{next(self._numbers)}"

    def constant(self, code: str) -> str:
        """Keep what is made once, and return its name."""
        name = self.name("k")
        self.constants.append(f"{name} = {code}")
        return name


class Writer:
    """Writes the lines of one function: where they stand, how they fail, what names mean.

    Args:
        program: Takes the lines.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.pending: list[frozenset[str]] = []
        """The names that each body gives values to, from the outside in."""
        self.memory, self.input = "M", "I"
        self._in_turn = False
        self._depth = 1
        self._fail = "return U"
        self._loops = 0
        self._opened: list[int] = []
        self._scopes: list[dict[str, str]] = [{}]
        self._rules: list[dict[str, str]] = [{}]
        """Names of values of rules that these bodies have looked up, by where they are kept."""
        self._left = [True]
        """Whether each body may be left before its first loop."""

    @property
    def looped(self) -> bool:
        """Say whether the statements so far may hold in several ways."""
        return self._loops > 0

    def line(self, text: str) -> None:
        """Write a line at this depth."""
        self.program.lines.append("  " * self._depth + text)

    def bind(self, name: str, code: str) -> None:
        """Let a name of the policy stand for an expression."""
        self._scopes[-1][name] = code

    def failing(self, condition: str) -> None:
        """Write that the body fails on a condition."""
        if self._loops == 0:
            self._left[-1] = True
        self.line(f"if {condition}: {self._fail}")

    def returning(self, name: str) -> None:
        """Write that a value, if there is one, is what the function gives."""
        self.line(f"if {name} is not U: return {name}")

    @contextmanager
    def block(self, header: str) -> Iterator[None]:
        """Write lines under a header."""
        self.line(header)
        self._depth += 1
        yield
        self._depth -= 1

    @contextmanager
    def attempt(self, *, last: bool = False) -> Iterator[None]:
        """Write a body: what is undefined in it, or fails, ends it.

        Args:
            last: Whether nothing comes after it in its function.
        """
        before = (self._depth, self._fail, self._loops)
        start = len(self.program.lines)
        if not last:
            self.line("for _ in ONCE:")
            self._depth += 1
            self._fail = "continue"
        self._loops = 0
        self.line("try:")
        outer, opened = self._opened, [self._depth]
        self._opened = opened
        self._depth += 1
        self._scopes.append({})
        self._rules.append({})
        self._left.append(last)
        mark = len(self.program.lines)
        yield
        if len(self.program.lines) == mark:
            self.line("pass")
        self._scopes.pop()
        self._rules.pop()
        if not self._left.pop():
            # Nothing leaves it, so that it need not be a loop.
            self.program.lines[start] = "  " * before[0] + "if True:"
        for depth in reversed(opened):
            self._depth = depth
            self.line("except UNDEFINED_REFERENCE: pass")
        self._opened = outer
        self._depth, self._fail, self._loops = before

    @contextmanager
    def certain(self) -> Iterator[None]:
        """Write what has to have a value, or else is left to the interpreter."""
        fail, self._fail = self._fail, "raise NO"
        loops = self._loops
        self.line("try:")
        self._depth += 1
        yield
        if self._loops != loops:
            raise NotTranslatedError("a loop in a head")
        self._depth -= 1
        self.line("except UNDEFINED_REFERENCE: raise NO")
        self._fail = fail

    def loop(self, header: str) -> None:
        """Go through a collection with all statements that follow in this body."""
        self.line(header)
        self._depth += 1
        self.line("try:")
        self._opened.append(self._depth)
        self._depth += 1
        self._fail = "continue"
        self._loops += 1

    @contextmanager
    def turns(self, *, matter: bool) -> Iterator[None]:
        """Write loops whose order is seen in what they give, as in an array, or is not."""
        before, self._in_turn = self._in_turn, matter
        yield
        self._in_turn = before

    def through(self, function: str, collection: str) -> str:
        """Return what a loop goes through: `each`, or another function that ends alike."""
        return f"{function if self._in_turn else f'any_{function}'}({collection})"

    def kept(self, code: str) -> str:
        """Return a name for what an expression gives, evaluated here."""
        if code.isidentifier() and code not in {"None", "True", "False"}:
            return code
        name = self.program.name("v")
        self.line(f"{name} = {code}")
        return name

    def defined(self, code: str) -> str:
        """Return a name for what a function of the policy gives, which is defined."""
        name = self.program.name("v")
        self.line(f"{name} = {code}")
        self.failing(f"{name} is U")
        return name

    def looked_up(self, place: str) -> str | None:
        """Return the name of a rule's value that is known where the next line stands."""
        return next((known[place] for known in self._rules if place in known), None)

    def look_up(self, place: str, name: str) -> None:
        """Note the name of a rule's value, by where it is kept."""
        self._rules[-1][place] = name

    def local(self, name: str) -> str | None:
        """Return what a name of these bodies stands for."""
        for scope in reversed(self._scopes):
            if name in scope:
                return scope[name]
        if any(name in pending for pending in self.pending):
            raise NotTranslatedError("a name before its value")
        return None
