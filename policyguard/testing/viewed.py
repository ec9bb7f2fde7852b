"""Shows what rules see of a call: the view, whole or as much of it as a rule reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from weakref import WeakKeyDictionary

import orjson

from policyguard.canonical import Json
from policyguard.engines.joined import join_modules
from policyguard.engines.native import compile_modules
from policyguard.engines.threads import NativeEngine
from policyguard.testing.rego_tests import answer_of
from policyguard.testing.slice_forms import ANY, SHAPE
from policyguard.testing.trial import Trial

_ENGINES: WeakKeyDictionary[Trial, NativeEngine] = WeakKeyDictionary()
_CHUNK: Final = 50


def views_of(trial: Trial, calls: Sequence[Json]) -> list[Json]:
    """Return the view of each call; `None` of one that cannot be looked at.

    Args:
        trial: The policy.
        calls: Inputs.
    """
    found: list[Json] = []
    for start in range(0, len(calls), _CHUNK):
        found += _views(trial, calls[start : start + _CHUNK])
    return found


def seen_by(trial: Trial, rules: Iterable[str], view: Json) -> Json:
    """Return the groups and facts of a view that some rules read.

    What they do not read of a group is left out, so that a test is short; a hop, which
    a rule goes through, is whole.

    Args:
        trial: The policy.
        rules: Ids.
        view: A whole view.
    """
    wanted: dict[str, set[str] | None] = {}
    for rule in rules:
        for path in trial.analyst.reads(trial.analyst.rules[rule]).facts:
            if not path:
                return view
            below = path[1] if len(path) > 1 else SHAPE
            known = wanted.setdefault(path[0], set())
            if below in {ANY, SHAPE}:
                wanted[path[0]] = None
            elif known is not None:
                known.add(below)
    return {
        name: _part(group, wanted[name])
        for name, group in (view.items() if isinstance(view, Mapping) else ())
        if name in wanted
    }


def _part(group: Json, wanted: set[str] | None) -> Json:
    if wanted is None or not isinstance(group, Mapping):
        return group
    return {name: fact for name, fact in group.items() if name in wanted}


def _views(trial: Trial, calls: Sequence[Json]) -> list[Json]:
    engine = _engine(trial)
    engine.set_input_json(orjson.dumps({"cases": list(calls)}).decode("utf-8"))
    answer, message = answer_of(engine, "data.policyguard_kit.views.answers")
    answers: list[Any] = [] if message else orjson.loads(answer)
    if len(answers) == len(calls):
        return [item[0] if item else None for item in answers]
    if len(calls) == 1:
        return [None]
    return [view for call in calls for view in _views(trial, [call])]


def _engine(trial: Trial) -> NativeEngine:
    if trial not in _ENGINES:
        modules = join_modules(trial.policy.modules).modules
        probe = (
            "package policyguard_kit.views\n\nanswers := [seen |\n"
            "some given in input.cases\n"
            "seen := [x | x := data.policyguard.facts.view with input as given]\n]\n"
        )
        engine = compile_modules({**modules, "policyguard_kit.rego": probe})
        engine.add_data_json(orjson.dumps(dict(trial.policy.data)).decode("utf-8"))
        _ENGINES[trial] = engine
    return _ENGINES[trial]
