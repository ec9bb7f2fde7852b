"""Turns what a person writes about facts into calls: `data.classes=pii,health`.

A fact is named as in a space. `deployment` stands for the route together with the model
that is served there, and `model` alone for each deployment of the model, so that nobody
has to know which of them belong together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any, Final

import orjson
from pydantic import ValidationError

from policyguard.canonical import Json
from policyguard.engines.protocol import PolicySet
from policyguard.engines.tree import Path
from policyguard.errors import ConfigurationError
from policyguard.guard.facts import explain
from policyguard.testing.space import MODEL, OPERATOR, Dim, Space
from policyguard.vocabulary.call import ModelCall
from policyguard.vocabulary.names import with_name_keys, without_name_keys

DEPLOYMENT: Final = "deployment"
UNKNOWN: Final = "unknown"
EMPTY: Final = "empty"
DECLARED: Final = "declared"
_ROUTE: Final[Path] = ("route",)
_MODEL: Final[Path] = ("model",)
_CLASSES: Final[Path] = ("data", "classes")
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_OF_CONTRACTS: Final[Path] = ("tenant", "contracts", "*")
_TIMES: Final = frozenset({"at", "instant"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Is one value of an axis: what it sets, and how a person reads it."""

    label: str
    facts: Mapping[Path, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Is a fact with the values that are asked about."""

    name: str
    settings: tuple[Setting, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Is what facts are chosen on: a call, and what is known of its facts."""

    space: Space = field(repr=False)
    deployments: Mapping[str, Mapping[Path, Json]] = field(repr=False)
    """By deployment what is asked for where it is used: route, model, name and host."""
    call: Mapping[str, Json] = field(repr=False)
    """The `input` of which a setting changes facts."""
    own: bool
    """Whether it is somebody's own call; else contracts follow the deployment."""

    @classmethod
    def of(cls, policy: PolicySet, call: ModelCall | None = None) -> Ground:
        """Return the ground of a policy.

        Args:
            policy: Rules and catalog, as an engine takes them.
            call: Where to start; without it a call to which no rule objects.
        """
        space = Space.from_catalog(policy)
        catalog: Any = policy.data["catalog"]
        given: Any = space.base if call is None else call.engine_input()
        return cls(
            space=space,
            deployments={
                name: {
                    _ROUTE: [name],
                    _MODEL: entry["model"],
                    ("asked", "model"): next(iter(entry["names"]), None),
                    ("asked", "host"): next(iter(entry["hosts"]), None),
                }
                for name, entry in sorted(catalog["deployments"].items())
            },
            call=given,
            own=call is not None,
        )

    def axis(self, text: str, *, alone: bool = True) -> Axis:
        """Read `FACT`, for every declared value, or `FACT=value,value`.

        Args:
            text: What a person wrote. `unknown` is a value of every fact, `empty` is a
                list of nothing, and `+` joins elements: `pii+health`.
            alone: Whether nothing else chooses a deployment.

        Raises:
            ConfigurationError: there is no such fact or value; says which there are.
        """
        name, given, values = text.strip().partition("=")
        wanted = [part.strip() for part in values.split(",") if part.strip()]
        if given and not wanted:
            raise ConfigurationError(
                f"`{name}=` has no value: write `{name}=one,other`, or `{name}` for all"
            )
        if name == DEPLOYMENT or (name == "model" and alone):
            return Axis(name=name, settings=tuple(self._deployments(name, wanted)))
        dim = self._dim(name)
        chosen = (
            [(value, self._value(dim, value)) for value in wanted]
            if wanted
            else [(label_of(value), value) for value in _declared(dim)]
        )
        settings = tuple(
            Setting(label=label, facts={dim.path: value}) for label, value in chosen
        )
        for setting in settings:
            self._require(setting, name)
        return Axis(name=name, settings=settings)

    def apply(self, *settings: Setting) -> dict[str, Any]:
        """Return the `input` with what settings say."""
        call = orjson.loads(orjson.dumps(dict(self.call)))
        facts = {path: v for setting in settings for path, v in setting.facts.items()}
        for path in sorted(facts, key=len):
            self._put(call, path, facts[path], operator=self._operator(call))
        return self._completed(call)

    def known(self, call: Mapping[str, Json]) -> tuple[dict[str, Json], list[str]]:
        """Return the facts of a call by name, and the names of those that are unknown.

        Facts inside of what is unknown itself are left out.
        """
        known: dict[str, Json] = {}
        unknown = []
        for dim in self.space.dims:
            for value in self.values(call, dim.path):
                if value is None:
                    unknown.append(dim.name)
                elif not _has_parts(value):
                    known[dim.name] = value
        return known, unknown

    def _dim(self, name: str) -> Dim:
        names = [dim.name for dim in self.space.dims]
        if name in names:
            return self.space.dim(name)
        alike = get_close_matches(name, [*names, DEPLOYMENT], n=3, cutoff=0.5)
        ends = [known for known in names if known.endswith(f".{name}")]
        meant = ", ".join(f"`{item}`" for item in dict.fromkeys([*ends, *alike]))
        raise ConfigurationError(
            f"there is no fact `{name}`: "
            + (f"did you mean {meant}?" if meant else "`--facts` lists them")
        )

    def _deployments(self, name: str, wanted: Sequence[str]) -> Iterator[Setting]:
        keys = {
            deployment: deployment if name == DEPLOYMENT else str(facts[_MODEL])
            for deployment, facts in self.deployments.items()
        }
        known = sorted({*keys.values()})
        for value in wanted:
            if value not in known and value != UNKNOWN:
                alike = get_close_matches(value, known, n=3)
                rest = (
                    f"did you mean {', '.join(alike)}?" if alike else "see the catalog"
                )
                raise ConfigurationError(f"there is no {name} `{value}`: {rest}")
        for deployment, key in keys.items():
            if not wanted or key in wanted:
                yield Setting(label=deployment, facts=self.deployments[deployment])
        if UNKNOWN in wanted:
            unknown: dict[Path, Json] = {_ROUTE: [None]}
            if name == "model":
                unknown[_MODEL] = None
            yield Setting(label=f"{name} unknown", facts=unknown)

    def _value(self, dim: Dim, text: str) -> Json:
        if text == UNKNOWN:
            return [None] if dim.path == _ROUTE else None
        if text == DECLARED and (template := _template(dim)) is not None:
            return template
        if any(isinstance(value, list) for value in dim.values):
            whole = text in dim.values
            return [] if text == EMPTY else text if whole else list(text.split("+"))
        if dim.kind in _TIMES:
            return _instant(text)
        if any(isinstance(value, bool) for value in dim.values):
            return {"true": True, "false": False}.get(text, text)
        return int(text) if dim.kind == "number" and text.isdigit() else text

    def _require(self, setting: Setting, name: str) -> None:
        """Refuse a value that no call can have."""
        call = self.apply(setting)
        if call["caller"] is not None:
            call["caller"]["id"] = "x"
        try:
            ModelCall.model_validate_json(orjson.dumps(without_name_keys(call)))
        except ValidationError as error:
            raise ConfigurationError(
                f"`{name}` cannot be `{setting.label}`: {explain(error)}"
            ) from error

    def values(self, call: Mapping[str, Any], path: Path) -> Iterator[Json]:
        """Yield what a call has at a path: of contracts, the one with its operator's.

        Args:
            call: An `input`.
            path: A fact's.
        """
        if self.own and path[:3] == _OF_CONTRACTS:
            held = call["tenant"]["contracts"] or ()
            operator = self._operator(call)
            for contract in (c for c in held if c["operator"] == operator):
                yield from _found(contract, path[3:])
        else:
            yield from _found(call, path)

    def _operator(self, call: Mapping[str, Any]) -> str:
        return self.space.recipients.get(call["route"][0], "nobody")

    def _put(
        self, node: Any, path: Path, value: Json, *, operator: str, above: Path = ()
    ) -> None:
        for depth, part in enumerate(path[:-1]):
            before = (*above, *path[: depth + 1])
            if part == "*":
                for item in self._meant(node, before, operator):
                    self._put(
                        item, path[depth + 1 :], value, operator=operator, above=before
                    )
                return
            if node.get(part) is None or (path[depth + 1] == "*" and not node[part]):
                node[part] = self._part(before)
            node = node[part]
        node[path[-1]] = value

    def _meant(self, items: list[Any], path: Path, operator: str) -> list[Any]:
        """Return the elements of which something is said.

        What is said of one is said of each; but somebody's own contracts are with
        different operators, and the one that is meant is with who runs the deployment.
        """
        if not self.own or path != _OF_CONTRACTS:
            return items
        found = [item for item in items if item["operator"] in {operator, "x"}]
        if not found:
            template: Any = self._part(path[:-1])
            found = [{**template[0], "operator": operator}]
            items += found
        return found

    def _part(self, path: Path) -> Json:
        """Return an object of which nothing is known, to say something of it."""
        for dim in self.space.dims:
            if dim.path == path and (template := _template(dim)) is not None:
                copied: Json = orjson.loads(orjson.dumps(template))
                return copied
        raise ConfigurationError(f"nothing can be said of `{'.'.join(path)}` here")

    def _completed(self, call: dict[str, Any]) -> dict[str, Any]:
        """Let contracts and licences that are nobody's own be with who runs it."""
        operator = self._operator(call)
        for contract in call["tenant"]["contracts"] or ():
            if not self.own or contract["operator"] == "x":
                contract["operator"] = operator
        for licence in call["tenant"]["licences"]:
            for name, mark, real in (
                ("operators", OPERATOR, operator),
                ("models", MODEL, call["model"] or "none"),
            ):
                licence[name] = [
                    real if item == mark else item for item in licence[name]
                ]
        return with_name_keys(call)


def label_of(value: Json) -> str:
    """Return how a person writes a value."""
    if value is None or value == [None]:
        return UNKNOWN
    if value == []:
        return EMPTY
    if _has_parts(value):
        return DECLARED
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "+".join(map(str, value))
    return str(value)


def _has_parts(value: Json) -> bool:
    return isinstance(value, dict) or (
        isinstance(value, list) and any(isinstance(item, dict) for item in value)
    )


def _template(dim: Dim) -> Json:
    return next((value for value in dim.values if _has_parts(value)), None)


def _declared(dim: Dim) -> Iterator[Json]:
    """Yield the values that are asked about where nobody names one."""
    for value in dim.values:
        # Pairs of classes are for proofs: nobody reads a hundred columns.
        pair = dim.path == _CLASSES and isinstance(value, list) and len(value) > 1
        if not pair:
            yield value


def _found(node: Any, path: Path) -> Iterator[Json]:
    """Yield what a call has at a path, once for each element of a list."""
    for depth, part in enumerate(path):
        if part == "*":
            for item in node or ():
                yield from _found(item, path[depth + 1 :])
            return
        if not isinstance(node, dict) or part not in node:
            return
        node = node[part]
    yield node


def _instant(text: str) -> str:
    try:
        given = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(
            f"`{text}` is no instant: write 2026-06-15, or 2026-06-15T12:00:00Z"
        ) from error
    whole = given if given.tzinfo else given.replace(tzinfo=UTC)
    return whole.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
