"""Puts one policy on trial: asks it whole calls, as a guard would, and keeps what it says.

State: the engines of one policy, and its answers in memory, until the trial is forgotten;
it belongs to one thread. Nothing is on disk, and nothing here decides calls of a guard.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import orjson

from policyguard.canonical import Json
from policyguard.engines.joined import join_modules
from policyguard.engines.native import compile_modules
from policyguard.engines.protocol import PolicySet
from policyguard.engines.threads import NativeEngine
from policyguard.errors import ConfigurationError
from policyguard.settings import Settings, load_settings
from policyguard.testing.answers import Answer, answer_in, with_own_rules
from policyguard.testing.instants import instants_in
from policyguard.testing.moves import instant_of
from policyguard.testing.policies import configured_policy, policy_with
from policyguard.testing.rego_tests import answer_of
from policyguard.testing.relevant import slice_of
from policyguard.testing.rule_table import Found
from policyguard.testing.sources import read_policy
from policyguard.testing.space import Dim, Space
from policyguard.testing.tables import Analyst

NO_VIEW: Final[Mapping[str, Found]] = {"view": frozenset({("view", "deny")})}
"""What is found of a call that cannot even be looked at: the guard denies it."""
_MOST_KEPT: Final = 20_000
_SOFTENING: Final = frozenset({"suspended", "contested", "proposed"})
"""Statuses in which what a rule objects to counts for less."""


class Trial:
    """Asks one policy whole calls; belongs to one thread.

    Args:
        policy: Rules and catalog, as an engine takes them.
        space: The calls that are drawn from; without it every declared fact.
        rules: Ids of the rules that are on trial; without them all.

    Raises:
        ConfigurationError: there is no such rule.
    """

    def __init__(
        self,
        policy: PolicySet,
        *,
        space: Space | None = None,
        rules: Iterable[str] = (),
    ) -> None:
        self.space = Space.from_catalog(policy) if space is None else space
        self.analyst = Analyst(policy, self.space)
        self.policy = with_own_rules(policy, held=self.analyst.rules)
        chosen = sorted(set(rules)) or sorted(self.analyst.rules)
        odd = [rule for rule in chosen if rule not in self.analyst.rules]
        if odd:
            raise ConfigurationError(
                f"there is no rule `{odd[0]}`: known are"
                f" {', '.join(sorted(self.analyst.rules))}"
            )
        self.rules = tuple(chosen)
        self.chosen = tuple(sorted(set(rules)))
        """The rules that were asked for by name."""
        self.directory: Path | None = None
        self.config: Path | None = None
        """Where the rules lie, and what names bundle and catalog; for tests to be written."""
        self._dims: dict[str, tuple[Dim, ...]] = {}
        self._found: dict[bytes, Mapping[str, Found]] = {}

    @classmethod
    def of(
        cls,
        directory: Path | str | None = None,
        *,
        config: Path | str | None = None,
        rules: Iterable[str] = (),
    ) -> Trial:
        """Put the rules of a directory on trial.

        Args:
            directory: A bundle's root, or a tenant's own rules, which are added to the
                bundle and are then the ones on trial; without it what settings name.
            config: A `policyguard.toml`, which names bundle and catalog.
            rules: Ids of the rules that are on trial.

        Raises:
            BundleError: the directory cannot be read, or holds no rule.
            ConfigurationError: there is no such rule.
        """
        settings = load_settings(None if config is None else str(config))
        trial = (
            cls(configured_policy(settings), rules=rules)
            if directory is None
            else cls.in_directory(Path(directory), settings=settings, rules=rules)
        )
        trial.config = None if config is None else Path(config).resolve()
        return trial

    @classmethod
    def in_directory(
        cls, directory: Path, *, settings: Settings, rules: Iterable[str] = ()
    ) -> Trial:
        """Do the same with settings that are already read."""
        source = read_policy(directory)
        trial = cls(policy_with(source, settings), rules=rules)
        trial.directory = directory
        if not rules:
            own = {f"tenant/{name}" for name in source.modules} | set(source.modules)
            trial.rules = tuple(
                rule for rule in trial.rules if trial.analyst.rules[rule].name in own
            )
        return trial

    @cached_property
    def dims(self) -> tuple[Dim, ...]:
        """Return the facts that the rules on trial read, with the values they tell apart.

        A rule of which that is not certain reads all of them.
        """
        found: dict[str, Dim] = {}
        for rule in self.rules:
            for dim in self.dims_of(rule):
                known = found.get(dim.name)
                values = (*(known.values if known else ()), *dim.values)
                found[dim.name] = replace(dim, values=_once(values))
        return tuple(
            replace(found[dim.name], default=0)
            for dim in self.space.dims
            if dim.name in found
        )

    def dims_of(self, rule: str) -> tuple[Dim, ...]:
        """Return the facts that one rule reads, with the values it tells apart."""
        if rule not in self._dims:
            self._dims[rule] = self._dims_of(rule)
        return self._dims[rule]

    def _dims_of(self, rule: str) -> tuple[Dim, ...]:
        sliced = self.analyst.sliced(rule)
        if sliced is None:
            return tuple(dim for dim in self.space.dims if len(dim.values) > 1)
        space = slice_of(self.space, sliced.deep, self.policy.data)
        return tuple(dim for dim in space.dims if len(dim.values) > 1)

    @cached_property
    def boundaries(self) -> tuple[int, ...]:
        """Return the seconds at which bundle or catalog say something else."""
        return tuple(sorted({*instants_in(self.policy.data)}))

    def found(self, call: Json) -> Mapping[str, Found]:
        """Return by rule what it finds, before its status and any softening."""
        key = orjson.dumps(call)
        known = self._found.get(key)
        if known is None:
            found = self.analyst.found(call)
            known = NO_VIEW if found is None else found
            if len(self._found) >= _MOST_KEPT:
                self._found.clear()
            self._found[key] = known
        return known

    def all_found(self, call: Json) -> Found:
        """Return what all rules find."""
        return frozenset(item for items in self.found(call).values() for item in items)

    def answer(self, call: Json, *, engine: NativeEngine | None = None) -> Answer:
        """Return the decision on an `input`.

        Args:
            call: The `input`.
            engine: One of this policy; without it always the same one.
        """
        asked = engine or self._engine
        asked.set_input_json(orjson.dumps(call).decode("utf-8"))
        text, message = answer_of(asked, self.policy.entrypoint)
        return answer_in(None if message else orjson.loads(text), why=message)

    def in_force(self, call: Json) -> frozenset[str]:
        """Return the rules that are in force at the instant of a call."""
        own: Any = self.policy.data.get("policyguard") or {}
        book = own.get("rulebook")
        at = instant_of(call.get("at")) if isinstance(call, Mapping) else None
        if book is None or at is None:
            return frozenset()
        index = bisect_right(book["boundaries"], int(at.timestamp()))
        return frozenset(
            rule
            for rule, standing in book["intervals"][index].items()
            if standing["status"] not in _SOFTENING
        )

    def engine(self, *, turned: bool = False) -> NativeEngine:
        """Return a new engine of the policy.

        Args:
            turned: Whether its modules are loaded in the opposite order.
        """
        modules = join_modules(self.policy.modules).modules
        order = sorted(modules, reverse=turned)
        engine = compile_modules({name: modules[name] for name in order})
        engine.add_data_json(orjson.dumps(dict(self.policy.data)).decode("utf-8"))
        return engine

    def engine_over(self, catalog: Mapping[str, Json]) -> NativeEngine:
        """Return a new engine of the policy over another catalog.

        Args:
            catalog: A compiled one, with its views.
        """
        engine = self._without_catalog.clone()
        engine.add_data_json(orjson.dumps({"catalog": catalog}).decode("utf-8"))
        return engine

    @cached_property
    def _without_catalog(self) -> NativeEngine:
        engine = compile_modules(join_modules(self.policy.modules).modules)
        rest = {
            name: item for name, item in self.policy.data.items() if name != "catalog"
        }
        engine.add_data_json(orjson.dumps(rest).decode("utf-8"))
        return engine

    @cached_property
    def _engine(self) -> NativeEngine:
        return self.engine()


def _once(values: Iterable[Json]) -> tuple[Json, ...]:
    return tuple({orjson.dumps(value): value for value in values}.values())
