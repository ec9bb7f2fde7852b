"""Runs compiled policy on a view of which a fact is decided only when it is looked at.

An object of the view is there before anything in it is: what a policy looks up in it is
looked for then. The program and the values are the ones that decide calls, made a second
time with a `type` that takes such an object for what it stands for: an object of JSON.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final, TypeAlias

from policyguard.canonical import Json
from policyguard.engines.compiled import builtins, values
from policyguard.engines.compiled.program import NAMES, Compiled
from policyguard.errors import NotTranslatedError
from policyguard.testing.open_builtins import (
    LaterArray,
    counting,
    deciding,
    filling,
    joining,
    open_members,
    sorting,
)
from policyguard.testing.open_values import OpenSet, OpenValue

Place: TypeAlias = tuple[str | int, ...]
"""Where something is in the view: names, and numbers of elements."""
_ASK_LESS: Final = frozenset(
    {"_numbers", "add", "array_concat", "is_number", "multiply", "subtract", "total"}
)
"""Built-ins that do with open values what they do with others."""
_ASK_LATER: Final[Mapping[str, Callable[[Any], Any]]] = {
    "concat": joining,
    "count": counting,
    "filled": filling,
    "sort": sorting,
    "sprintf": filling,
}
"""Built-ins that put off what they need not know; all others are given decided values."""


class OpenObject(Mapping[str, Any]):
    """Is an object of the view, of which each field is looked for when it is asked for.

    Args:
        place: Where it is.
        look: Returns what is at a place; raises `KeyError` where nothing is.
    """

    __slots__ = ("_look", "_place")

    def __init__(self, place: Place, look: Callable[[Place], Any]) -> None:
        self._place, self._look = place, look

    def __getitem__(self, key: Any) -> Any:
        """Return one field."""
        if type(key) is OpenValue:
            key = key.whole()
        return self._look((*self._place, key))

    def __iter__(self) -> Iterator[str]:
        """Refuse to go through all fields, of which not all are read.

        Raises:
            NotTranslatedError: always.
        """
        raise NotTranslatedError(f"all of `{'.'.join(map(str, self._place))}`")

    def __len__(self) -> int:
        """Refuse to count the fields, of which not all are read."""
        return len(list(self))


_STANDS_FOR: Final[Mapping[type, type]] = {OpenObject: dict, LaterArray: list}


def kind_of(value: Any) -> type:
    """Return the type of a value, as policy has it."""
    found = type(value)
    if found is OpenValue:
        kind: type = value.kind
        return kind
    return _STANDS_FOR.get(found, found)


class OpenProgram:
    """Asks rules of one program on open views; belongs to one thread.

    Args:
        compiled: The program.
        data: What it is asked on.
    """

    def __init__(self, compiled: Compiled, data: Mapping[str, Json]) -> None:
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

    def members(self, rule: int, view: OpenObject) -> list[Any]:
        """Return the members of the set that a rule makes.

        Args:
            rule: Its number in the program.
            view: What it is asked on.
        """
        found: list[Any] = self._world[f"r{rule}"]([view, *self._blank]).in_order()
        return found

    def set_of(self, items: Any) -> Any:
        """Return a set as the program has it."""
        return self._world["Members"](items)


def _open_names() -> dict[str, Any]:
    """Return what programs know, with values and built-ins that know open objects."""
    second = {module.__name__: _again(module) for module in (values, builtins)}
    own = second[values.__name__]
    # The program and its values have to mean the same one.
    own["UNDEFINED"] = values.UNDEFINED
    own["Members"] = open_members(own["Members"])
    for name, item in second[builtins.__name__].items():
        if name in own and item is getattr(values, name, None):
            second[builtins.__name__][name] = own[name]
    asking = second[builtins.__name__]
    for name in asking.keys() - own.keys() - _ASK_LESS:
        if isinstance(asking[name], FunctionType):
            changed: Callable[[Any], Any] = _ASK_LATER.get(name, deciding)
            asking[name] = changed(asking[name])
    names = {
        name: second[item.__module__][item.__name__]
        if getattr(item, "__module__", None) in second and hasattr(item, "__name__")
        else item
        for name, item in NAMES.items()
    }
    known = {**NAMES["__builtins__"], "type": kind_of, "frozenset": OpenSet}
    return {**names, "EMPTY": own["Members"](), "__builtins__": known}


def _again(module: ModuleType) -> dict[str, Any]:
    """Return what a module of ours defines, made once more with our `type`."""
    made: dict[str, Any] = {"__name__": module.__name__, "type": kind_of}
    exec(_code_of(module), made)  # noqa: S102
    return made


@cache
def _code_of(module: ModuleType) -> CodeType:
    return compile(inspect.getsource(module), str(module.__file__), "exec")
