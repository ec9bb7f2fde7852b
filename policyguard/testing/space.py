"""Declares the calls over which something is claimed: dimensions, and their values.

A dimension is one fact of the question with every value that is considered, unknown
(`null`) among them. Lists are bounded: empty, each element alone, and pairs of data
classes; a route is one deployment; a tenant has one contract, with the operator of the
route, and one licence.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Final, Literal, TypeAlias

import orjson

from policyguard.canonical import Json, digest_of
from policyguard.engines.protocol import PolicySet
from policyguard.engines.tree import Path
from policyguard.errors import ConfigurationError
from policyguard.testing.calm import calm_call
from policyguard.testing.instants import instant
from policyguard.testing.space_values import Values, schema_facts
from policyguard.vocabulary.call import ModelCall
from policyguard.vocabulary.names import add_name_keys

Kind: TypeAlias = Literal[
    "value", "enum", "country", "countries", "at", "instant", "number"
]
OPERATOR: Final = "@operator"
MODEL: Final = "@model"
"""What stands for the operator of the route, and for the model of the call."""
_TENANT: Final = "acme"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dim:
    """Is one fact, with the values that are considered."""

    path: Path
    values: tuple[Json, ...] = field(repr=False)
    default: int = 0
    """The value that it has where nothing is said of it."""
    kind: Kind = "value"

    @property
    def name(self) -> str:
        """Return the path as a person writes it."""
        return ".".join(part for part in self.path if part != "*")

    @property
    def unknown(self) -> int | None:
        """Return which value is unknown, if one is."""
        return self.values.index(None) if None in self.values else None


Choice: TypeAlias = Mapping[Path, int]
"""Which value some dimensions have, by path; all others have their default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """Is a finite set of calls: every combination of the values of its dimensions."""

    dims: tuple[Dim, ...] = field(repr=False)
    """Those of objects before those of what is in them."""
    base: Mapping[str, Json] = field(repr=False)
    """The call of which a choice changes some facts: one to which no rule objects, if
    the golden vectors of the bundle have one, since elsewhere one rule hides another."""
    recipients: Mapping[str, str] = field(repr=False)
    """By deployment the operator who receives what is sent."""
    _by_path: Mapping[Path, Dim] = field(init=False, repr=False, compare=False)
    _text: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the dimensions, and keep the base as text, of which copies are made."""
        object.__setattr__(self, "_text", orjson.dumps(dict(self.base)))
        object.__setattr__(self, "_by_path", {dim.path: dim for dim in self.dims})

    @classmethod
    def from_catalog(
        cls,
        policy: PolicySet,
        *,
        missing: bool = True,
        **overrides: Sequence[Json],
    ) -> Space:
        """Return the space of every declared fact over one catalog.

        Args:
            policy: Rules and catalog, as an engine takes them.
            missing: Whether each fact that may be unknown is unknown too.
            overrides: Values by the name of a dimension, with `__` for each dot.

        Raises:
            ConfigurationError: there is no such dimension, or no value is left.
        """
        given = {name.replace("__", "."): values for name, values in overrides.items()}
        values = Values.of(policy)
        dims = []
        for fact in schema_facts(ModelCall.model_json_schema()):
            dim = _dim(fact, values)
            if dim is None:
                continue
            own = given.pop(dim.name, None)
            chosen = [
                item
                for item in (dim.values if own is None else own)
                if missing or item is not None or dim.values == (None,)
            ]
            dims.append(_with_values(dim, tuple(chosen)))
        if given:
            known = ", ".join(dim.name for dim in dims)
            raise ConfigurationError(
                f"there is no dimension `{min(given)}`: known are {known}"
            )
        dims.sort(key=lambda dim: len(dim.path))
        return cls(
            dims=tuple(dims),
            base=calm_call(policy) or _base(values),
            recipients=values.recipients,
        )

    @property
    def size(self) -> int:
        """Return how many calls it has."""
        return math.prod(len(dim.values) for dim in self.dims)

    @property
    def digest(self) -> str:
        """Return what names it: SHA-256 of dimensions and values."""
        return digest_of(
            {
                "base": dict(self.base),
                "dims": {dim.name: list(dim.values) for dim in self.dims},
            }
        )

    def with_values_of(self, other: Space) -> Space:
        """Return a space with the values of both, on the base call of this one.

        Args:
            other: A space of the same facts, perhaps over another catalog.
        """
        theirs = {dim.path: dim for dim in other.dims}
        dims = []
        for dim in self.dims:
            known = set(map(orjson.dumps, dim.values))
            more = tuple(
                value
                for value in (theirs[dim.path].values if dim.path in theirs else ())
                if orjson.dumps(value) not in known
            )
            dims.append(replace(dim, values=(*dim.values, *more)))
        recipients = {**other.recipients, **self.recipients}
        return Space(dims=tuple(dims), base=self.base, recipients=recipients)

    def dim(self, name: str) -> Dim:
        """Return a dimension by its name.

        Raises:
            ConfigurationError: there is none of that name.
        """
        for dim in self.dims:
            if dim.name == name:
                return dim
        raise ConfigurationError(
            f"there is no dimension `{name}`: known are"
            f" {', '.join(dim.name for dim in self.dims)}"
        )

    def call(self, choice: Choice) -> dict[str, Any]:
        """Return the `input` of one choice."""
        call: dict[str, Any] = orjson.loads(self._text)
        # Objects before what is in them.
        for path in sorted(choice, key=len):
            _put(call, path, self._by_path[path].values[choice[path]])
        return self.completed(call)

    def draw(self, chooser: Random, *, dims: Iterable[Dim] | None = None) -> Choice:
        """Return a choice at random."""
        return {
            dim.path: chooser.randrange(len(dim.values))
            for dim in (self.dims if dims is None else dims)
        }

    def choices(self, dims: Sequence[Dim]) -> Iterator[Choice]:
        """Yield every combination of the values of some dimensions."""
        paths = [dim.path for dim in dims]
        for chosen in itertools.product(*(range(len(dim.values)) for dim in dims)):
            yield dict(zip(paths, chosen, strict=True))

    def completed(self, call: dict[str, Any]) -> dict[str, Any]:
        """Return a call whose contracts and licences are with those whom it is sent to."""
        route = call["route"][0]
        operator = self.recipients.get(route, "nobody")
        for contract in call["tenant"]["contracts"] or ():
            contract["operator"] = operator
        for licence in call["tenant"]["licences"]:
            licence["operators"] = [
                operator if item == OPERATOR else item for item in licence["operators"]
            ]
            licence["models"] = [
                call["model"] or "none" if item == MODEL else item
                for item in licence["models"]
            ]
        add_name_keys(call["caller"])
        add_name_keys(call["tenant"])
        return call


def concerned(dims: Iterable[Dim], read: Path) -> Iterator[Dim]:
    """Yield the dimensions on which a read depends.

    Args:
        dims: Those to choose from.
        read: A path below `input`, perhaps with `~` or `?` at its end.
    """
    shape, there = read[-1:] == ("~",), read[-1:] == ("?",)
    path = read[:-1] if shape or there else read
    most = len(path) if shape else len(path) - 1 if there else math.inf
    for dim in dims:
        if len(dim.path) <= most and _alike(dim.path, path):
            yield dim


def _alike(one: Path, other: Path) -> bool:
    return all(
        left == right or "*" in {left, right}
        for left, right in zip(one, other, strict=False)
    )


def _base(values: Values) -> dict[str, Json]:
    call = ModelCall.model_validate(
        {
            "at": instant(values.at[-1]),
            "tenant": {"id": _TENANT, "contracts": None},
            "caller": {"id": "x"},
            "purpose": {"kind": "inference"},
            "data": {"classes": ["none"]},
        }
    )
    document: dict[str, Any] = call.engine_input()
    return document


def _put(call: dict[str, Any], path: Path, value: Json) -> None:
    node: Any = call
    for part in path[:-1]:
        if isinstance(node, list):
            node = node[0] if node else None
        elif isinstance(node, dict):
            node = node.get(part)
        if node is None:
            return
    if isinstance(node, list):
        if node:
            node[0] = value
    elif isinstance(node, dict):
        node[path[-1]] = orjson.loads(orjson.dumps(value))


def _dim(fact: tuple[Path, str, Any], values: Values) -> Dim | None:
    path, form, detail = fact
    found = values.of_fact(path, form, detail)
    if not found:
        return None
    kinds: dict[str, Kind] = {
        "enum": "enum",
        "country": "country",
        "countries": "countries",
        "instant": "instant",
        "number": "number",
    }
    kind: Kind = "at" if path == ("at",) else kinds.get(form, "value")
    default = len(found) - 1 if kind == "at" else 0
    return Dim(path=path, values=tuple(found), kind=kind, default=default)


def _with_values(dim: Dim, values: tuple[Json, ...]) -> Dim:
    if not values:
        raise ConfigurationError(f"`{dim.name}` has no value: give it one")
    default = len(values) - 1 if dim.kind == "at" else 0
    return Dim(path=dim.path, values=values, kind=dim.kind, default=default)
