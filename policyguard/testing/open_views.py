"""Runs compiled policy on a view of which a fact is decided only when it is looked at.

An object of the view is there before anything in it is: what a policy looks up in it is
looked for then. The program and the values are the ones that decide calls, made a second
time with a `type` that takes such an object for what it stands for: an object of JSON.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import ModuleType
from typing import Any, Final, Protocol, TypeAlias

from policyguard.canonical import Json
from policyguard.engines.compiled import builtins, values
from policyguard.engines.compiled.program import NAMES, Compiled
from policyguard.errors import NotTranslatedError

Place: TypeAlias = tuple[str | int, ...]
"""Where something is in the view: names, and numbers of elements."""


class OpenObject(Mapping[str, Any]):
    """Is an object of the view, of which each field is looked for when it is asked for.

    Args:
        place: Where it is.
        program: Knows who looks.
    """

    __slots__ = ("_program", "place")

    def __init__(self, place: Place, program: OpenProgram) -> None:
        self.place, self._program = place, program

    def __getitem__(self, key: str) -> Any:
        """Return one field."""
        return self._program.looker.look((*self.place, key))

    def __iter__(self) -> Iterator[str]:
        """Refuse to go through all fields, of which not all are read."""
        raise NotTranslatedError(f"all of `{'.'.join(map(str, self.place))}`")

    def __len__(self) -> int:
        """Refuse to count the fields, of which not all are read."""
        return len(list(self))


class Looker(Protocol):
    """Says what is in a view."""

    def look(self, place: Place) -> Any:
        """Return what is at a place.

        Raises:
            KeyError: nothing is.
            UndecidedError: it is still open.
        """

    def answer(
        self, rule: int, arguments: Sequence[Any], run: Callable[[], Any]
    ) -> Any:
        """Return the value of a rule of the program.

        Args:
            rule: Its number.
            arguments: What it is asked with.
            run: Asks it on the open view.

        Raises:
            UndecidedError: it is still open.
        """


class _Nobody:
    """Is who looks where nobody walks."""

    def look(self, place: Place) -> Any:
        raise NotTranslatedError(f"`{place}` outside of a walk")

    def answer(
        self, rule: int, arguments: Sequence[Any], run: Callable[[], Any]
    ) -> Any:
        del arguments
        raise NotTranslatedError(f"rule {rule} outside of a walk: {run}")


_NOBODY: Final = _Nobody()


def kind_of(value: object) -> type:
    """Return the type of a value, as policy has it."""
    found = type(value)
    return dict if found is OpenObject else found


class OpenProgram:
    """Asks rules of one program on open views; belongs to one thread.

    Args:
        compiled: The program.
        data: What it is asked on.
        through: Numbers of rules whose values the one who looks is asked for.
    """

    def __init__(
        self, compiled: Compiled, data: Mapping[str, Json], through: Iterable[int] = ()
    ) -> None:
        self.looker: Looker = _NOBODY
        self._blank = [NAMES["N"]] * compiled.rules
        self._world = {
            **_open_names(),
            "BLANK": tuple(self._blank),
            "D": data,
            "K": [NAMES["N"], *self._blank],
        }
        # As the engine does: of the policy there are only constants in it.
        for code in compiled.code:
            exec(code, self._world)  # noqa: S102
        for rule in through:
            if f"r{rule}" not in self._world:
                continue  # nothing that is asked uses it
            self._world[f"r{rule}"] = partial(self._through, rule, self._rule(rule))

    def members(self, rule: int) -> list[Any]:
        """Return the members of the set that a rule makes.

        Args:
            rule: Its number in the program.
        """
        found: list[Any] = self._rule(rule)(self._memory()).in_order()
        return found

    def set_of(self, items: Any) -> Any:
        """Return a set as the program has it."""
        return self._world["Members"](items)

    def is_set(self, value: Any) -> bool:
        """Say whether a value is a set of the program."""
        return type(value) is self._world["Members"]

    def _rule(self, number: int) -> Callable[..., Any]:
        found: Callable[..., Any] = self._world[f"r{number}"]
        return found

    def _memory(self) -> list[Any]:
        return [OpenObject((), self), *self._blank]

    def _through(
        self, rule: int, own: Callable[..., Any], memory: list[Any], *arguments: Any
    ) -> Any:
        if type(memory[0]) is not OpenObject:
            return own(memory, *arguments)
        return self.looker.answer(
            rule, arguments, lambda: own(self._memory(), *arguments)
        )


class Programs:
    """Makes programs that answer the same rules; belongs to one thread.

    Args:
        compiled: The program.
        data: What it is asked on.
        numbers: The rules that are asked.
        shared: Rules that other rules ask.
    """

    def __init__(
        self,
        compiled: Compiled,
        data: Mapping[str, Json],
        *,
        numbers: Sequence[int],
        shared: Sequence[int],
    ) -> None:
        self.numbers = numbers
        self.plain = OpenProgram(compiled, data)
        self._made: OpenProgram | None = None
        self._make = partial(OpenProgram, compiled, data, through=shared)

    def shared(self) -> OpenProgram:
        """Return the program that asks for the values of shared rules."""
        if self._made is None:
            self._made = self._make()
        return self._made


def _open_names() -> dict[str, Any]:
    """Return what programs know, with values and built-ins that know open objects."""
    second = {module.__name__: _again(module) for module in (values, builtins)}
    own = second[values.__name__]
    for name, item in second[builtins.__name__].items():
        if name in own and item is getattr(values, name, None):
            second[builtins.__name__][name] = own[name]
    # The program and its values have to mean the same one.
    own["UNDEFINED"] = values.UNDEFINED
    names = {
        name: second[item.__module__][item.__name__]
        if getattr(item, "__module__", None) in second and hasattr(item, "__name__")
        else item
        for name, item in NAMES.items()
    }
    return {**names, "__builtins__": {**NAMES["__builtins__"], "type": kind_of}}


def _again(module: ModuleType) -> dict[str, Any]:
    """Return what a module of ours defines, made once more with our `type`."""
    made: dict[str, Any] = {"__name__": module.__name__, "type": kind_of}
    exec(compile(inspect.getsource(module), str(module.__file__), "exec"), made)  # noqa: S102
    return made
