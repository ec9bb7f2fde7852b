"""Refuses policy text that would hurt the engine's parser, before it parses.

regorus drops everything after a NUL, tries nested brackets in two ways at each level
(24 of them take longer than anybody waits), and follows chains of operators with the
machine's stack: a long one ends the process. A count of tokens needs no stack.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from policyguard.errors import EngineLoadError

MAX_MODULE_BYTES: Final = 1 << 20
MAX_LINES: Final = 20_000
MAX_COLUMNS: Final = 1_000
MAX_MODULES: Final = 2_000
MAX_DEPTH: Final = 24
"""Brackets of every kind inside one another."""
MAX_CHAIN: Final = 256
"""Operators, dots and indices in one expression."""
MAX_WORK: Final = 4_000_000
"""Tokens of all modules, doubled for each bracket around them; about a second."""

_CLOSING: Final = {"(": ")", "[": "]", "{": "}"}
_TOKEN: Final = re.compile(
    r"""
    (?P<skip>\#[^\n]*|\s+)
  | (?P<operator>[+\-*/%&|<>=!:.]+|\bin\b)
  | (?P<operand>"(?:[^"\\\n]++|\\.)*+"|`[^`]*`|\w+|")
  | (?P<open>[\[({])
  | (?P<close>[\])}])
  | (?P<end>.)
    """,
    re.VERBOSE | re.DOTALL,
)


def require_parsable(modules: Mapping[str, str]) -> None:
    """Check every module; the message names module and line, never more of the text.

    Raises:
        EngineLoadError: a module holds a NUL, a byte order mark or a lone surrogate,
            is too large, or is nested or chained too deeply.
    """
    if len(modules) > MAX_MODULES:
        raise EngineLoadError(
            f"{len(modules)} modules are more than {MAX_MODULES}: join some"
        )
    work = 0
    for path, text in modules.items():
        _require_plain(path, text)
        work += _work_of(path, text)
        if work > MAX_WORK:
            raise EngineLoadError(
                f"{path}: brackets around too much text: name the inner parts"
            )


def bracket_depth(text: str) -> int | None:
    """Return how deep brackets are nested, or `None` where they do not match."""
    opened: list[str] = []
    deepest = 0
    for token in _TOKEN.finditer(text):
        if token.lastgroup == "open":
            opened.append(_CLOSING[token[0]])
            deepest = max(deepest, len(opened))
        elif token.lastgroup == "close" and (not opened or opened.pop() != token[0]):
            return None
    return None if opened else deepest


def names_after(root: str, text: str) -> Iterator[tuple[str, ...]]:
    """Yield, for each mention of a name, the plain path of names that follows it.

    Args:
        root: The name, as `data`.
        text: A module. Comments and texts in quotes mention nothing.
    """
    if root not in text:
        return
    tokens = [token[0] for token in _TOKEN.finditer(text) if token.lastgroup != "skip"]
    for place, token in enumerate(tokens):
        if token == root and (place == 0 or not tokens[place - 1].endswith(".")):
            yield tuple(_path_from(tokens, place + 1))


def _path_from(tokens: Sequence[str], place: int) -> Iterator[str]:
    while tokens[place : place + 1] == ["."] and place + 1 < len(tokens):
        yield tokens[place + 1]
        place += 2


def has_text_of_lines(text: str) -> bool:
    """Say whether a raw string spans lines, so that a line need not be policy."""
    return "`" in text and any(
        token[0].startswith("`") and "\n" in token[0] for token in _TOKEN.finditer(text)
    )


def _require_plain(path: str, text: str) -> None:
    if not path or not path.isprintable() or not path.isascii():
        raise EngineLoadError(f"module path {path!r} is not printable ASCII: rename it")
    for character, name in (("\0", "a NUL"), ("\ufeff", "a byte order mark")):
        if character in text:
            line = text.count("\n", 0, text.index(character)) + 1
            raise EngineLoadError(f"{path}:{line}: holds {name}: remove it")
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError:
        raise EngineLoadError(f"{path}: holds a lone surrogate: remove it") from None
    if size > MAX_MODULE_BYTES:
        raise EngineLoadError(
            f"{path}: {size} bytes are more than {MAX_MODULE_BYTES}: split the module"
        )
    lines = text.count("\n") + 1
    if lines > MAX_LINES:
        raise EngineLoadError(
            f"{path}: {lines} lines are more than {MAX_LINES}: split the module"
        )
    for number, content in enumerate(text.split("\n"), start=1):
        if len(content) > MAX_COLUMNS:
            raise EngineLoadError(
                f"{path}:{number}: longer than {MAX_COLUMNS} columns: break the line"
            )


@dataclass(slots=True)
class _Nesting:
    """Counts brackets, and the links of the expression inside each of them."""

    chains: list[int] = field(default_factory=lambda: [0])
    doubling: list[bool] = field(default_factory=list)
    weight: int = 1

    def open(self, bracket: str) -> None:
        self.chains[-1] += 1
        self.chains.append(0)
        self.doubling.append(bracket != "(")
        if bracket != "(":
            self.weight *= 2

    def close(self) -> None:
        if self.doubling:
            self.chains.pop()
            if self.doubling.pop():
                self.weight //= 2


def _work_of(path: str, text: str) -> int:
    nesting = _Nesting()
    after_operand = False
    work = 0
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if kind == "skip":
            continue
        work += nesting.weight
        if kind == "operand":
            # Two operands side by side are two statements, whatever is between.
            if after_operand:
                nesting.chains[-1] = 0
            after_operand = True
            continue
        if kind == "operator":
            nesting.chains[-1] += len(token[0])
        elif kind == "open":
            nesting.open(token[0])
        elif kind == "close":
            nesting.close()
        else:
            nesting.chains[-1] = 0
        after_operand = kind == "close"
        if len(nesting.doubling) > MAX_DEPTH or nesting.chains[-1] > MAX_CHAIN:
            line = text.count("\n", 0, token.start()) + 1
            raise EngineLoadError(
                f"{path}:{line}: nested deeper than {MAX_DEPTH} or chained longer than"
                f" {MAX_CHAIN}: name the inner parts"
            )
        if work > MAX_WORK:
            break
    return work
