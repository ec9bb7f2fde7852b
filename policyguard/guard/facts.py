"""What a caller's code declares about its calls: short forms in, frozen groups out.

Facts come from `guard.bind(…)`, then from `policyguard.context(…)`, then from the
settings; the first that names a group wins it whole. Nothing is read from globals
that a library user did not set, and nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final, TypeAlias, TypeVar, cast

import orjson
from pydantic import ValidationError

from policyguard.errors import ConfigurationError
from policyguard.guard.persons import NOBODY, Persons, persons_of
from policyguard.vocabulary.call import (
    CallContext,
    Caller,
    DataFacts,
    Exporter,
    Purpose,
    PurposeKind,
)
from policyguard.vocabulary.value import Value, place_of

CallerForm: TypeAlias = str | Mapping[str, object] | Caller
DataForm: TypeAlias = Mapping[str, object] | DataFacts
PurposeForm: TypeAlias = PurposeKind | Mapping[str, object] | Purpose
ExporterForm: TypeAlias = str | Mapping[str, object] | Exporter
ContextForm: TypeAlias = Mapping[str, object] | CallContext

V = TypeVar("V", bound=Value)


class FromContext(Enum):
    """Stands for a caller whom a context has to name."""

    CALLER = "caller"


FROM_CONTEXT: Final = FromContext.CALLER
"""In `guard.bind(caller=FROM_CONTEXT)`: no call without a caller from a context."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Holds the groups that were declared; `None`: not declared here."""

    caller: Caller | None = None
    data: DataFacts | None = None
    purpose: Purpose | None = None
    exporter: Exporter | None = None
    context: CallContext | None = None
    persons: Persons | None = None
    """The people whom the data is about; they are counted, and in no question."""
    caller_awaited: bool | None = None
    """Whether a context has to name the caller: without one there is no decision."""

    @property
    def caller_lost(self) -> bool:
        """Say whether a context should have named the caller, and none has."""
        return bool(self.caller_awaited) and self.caller is None

    def bound_over(self, below: Facts) -> Facts:
        """Return these facts over those that a guard was bound with before.

        A caller who has to come from a context comes from nowhere else.
        """
        return self.over(replace(below, caller=None) if self.caller_awaited else below)

    def over(self, below: Facts) -> Facts:
        """Return these facts, with the groups that are missing here from `below`."""
        if self is NOTHING:
            return below
        if below is NOTHING:
            return self
        found = _MERGED.get((id(self), id(below)))
        return _merged(self, below) if found is None else found[2]


NOTHING: Final = Facts()
MOST_KNOWN: Final = 1_024
"""Forms of which it is remembered what they say."""
_KNOWN: Final[dict[bytes, Value]] = {}
"""What was declared in the same words before is the same value: checked once, and its
bytes written once. Owner: the process; nothing in it can be changed."""
_MERGED: Final[dict[tuple[int, int], tuple[Facts, Facts, Facts]]] = {}
"""Facts over others, by their identities: an entry keeps them alive, so that these stay
theirs. A guard's own are the same in every call."""
_MOST_MERGED: Final = 256
_CONTEXT: ContextVar[Facts] = ContextVar("policyguard_facts", default=NOTHING)


def _merged(above: Facts, below: Facts) -> Facts:
    made = Facts(
        **{
            name: getattr(below, name) if known is None else known
            for name in Facts.__slots__
            for known in (getattr(above, name),)
        }
    )
    if len(_MERGED) >= _MOST_MERGED:
        _MERGED.clear()
    _MERGED[id(above), id(below)] = (above, below, made)
    return made


def facts_of(
    *,
    caller: CallerForm | FromContext | None = None,
    data: DataForm | None = None,
    purpose: PurposeForm | None = None,
    exporter: ExporterForm | None = None,
    context: ContextForm | None = None,
) -> Facts:
    """Return the declared facts in their full form.

    Args:
        caller: An id, or the fields of `Caller`; or `FROM_CONTEXT`.
        data: The fields of `DataFacts`; and `persons`, ids of the people whom it is
            about, as `{"US": ["u-1"]}`: they are counted, and kept as keyed hashes.
        purpose: A kind, as `inference`, or the fields of `Purpose`.
        exporter: The country of its establishment (ISO 3166-1), or the fields of
            `Exporter`.
        context: The fields of `CallContext`.

    Raises:
        ConfigurationError: a field that does not exist or has a wrong value.
    """
    about, data = _persons(data)
    awaited = isinstance(caller, FromContext)
    return Facts(
        caller=None if awaited else _group("caller", Caller, caller, short="id"),
        caller_awaited=True if awaited else None,
        data=_group("data", DataFacts, data),
        persons=about,
        purpose=_group("purpose", Purpose, purpose, short="kind"),
        exporter=_group("exporter", Exporter, exporter, short="establishment"),
        context=_group("context", CallContext, context),
    )


@contextmanager
def context(
    *,
    caller: CallerForm | None = None,
    data: DataForm | None = None,
    purpose: PurposeForm | None = None,
    exporter: ExporterForm | None = None,
    context: ContextForm | None = None,
) -> Iterator[None]:
    """Declare facts for every guarded call inside the block.

    They are kept in a context variable: they follow `await`, tasks and
    `asyncio.to_thread`, but not a bare thread or executor. Takes what `facts_of` takes.

    Raises:
        ConfigurationError: a field that does not exist or has a wrong value.
    """
    declared = _in_context(
        caller=caller, data=data, purpose=purpose, exporter=exporter, context=context
    )
    token = _CONTEXT.set(declared.over(_CONTEXT.get()))
    try:
        yield
    finally:
        _CONTEXT.reset(token)


def declare(**declared: Any) -> None:
    """Declare facts for all that the running task does from here on.

    For frameworks that tell where a request begins, and not where it ends: its task has
    to be its own. Takes what `context` takes.

    Raises:
        ConfigurationError: a field that does not exist or has a wrong value.
    """
    _CONTEXT.set(_in_context(**declared).over(_CONTEXT.get()))


@contextmanager
def calling(caller: Caller | None) -> Iterator[None]:
    """Name the caller of every guarded call inside the block, or that there is none.

    Unlike in `context`, nobody named outside is taken for the caller. What was there
    before is set again by value: a framework may end the block in another context.
    """
    before = _CONTEXT.get()
    _CONTEXT.set(replace(before, caller=caller))
    try:
        yield
    finally:
        _CONTEXT.set(before)


def context_facts() -> Facts:
    """Return the facts of the blocks that the running code is in."""
    return _CONTEXT.get()


def _in_context(*, caller: CallerForm | None = None, **declared: Any) -> Facts:
    if isinstance(caller, FromContext):
        raise ConfigurationError(
            "a context names the caller: `FROM_CONTEXT` belongs into `guard.bind`"
        )
    return facts_of(caller=caller, **declared)


def _persons(data: DataForm | None) -> tuple[Persons | None, DataForm | None]:
    """Take the people out of a declaration: they are no facts of a question.

    A number is one: how many people the data is about.
    """
    if data is None or isinstance(data, DataFacts) or not isinstance(data, Mapping):
        return (None if data is None else NOBODY), data
    if isinstance(data.get("persons"), int):
        return NOBODY, data
    rest = {name: value for name, value in data.items() if name != "persons"}
    return persons_of(data.get("persons")), rest


def _group(
    name: str, kind: type[V], form: object, *, short: str | None = None
) -> V | None:
    if form is None or isinstance(form, kind):
        return form
    if isinstance(form, str) and short is not None:
        form = {short: form}
    if not isinstance(form, Mapping):
        raise ConfigurationError(
            f"`{name}` is a {type(form).__name__}: give a mapping with the fields"
            f" {', '.join(kind.model_fields)}"
        )
    key = _key(name, form)
    found = _KNOWN.get(key) if key is not None else None
    if found is not None:
        return cast("V", found)
    try:
        made = kind.model_validate(dict(form))
    except ValidationError as error:
        raise ConfigurationError(explain(error, prefix=name)) from error
    if key is not None:
        if len(_KNOWN) >= MOST_KNOWN:
            _KNOWN.clear()
        _KNOWN[key] = made
    return made


def _key(name: str, form: Mapping[str, object]) -> bytes | None:
    """Return what tells a form from every other one; `None` of one that is no JSON."""
    options = (
        orjson.OPT_PASSTHROUGH_DATACLASS
        | orjson.OPT_PASSTHROUGH_DATETIME
        | orjson.OPT_PASSTHROUGH_SUBCLASS
    )
    try:
        return name.encode() + orjson.dumps(form, option=options)
    except (TypeError, ValueError):
        return None


def explain(error: ValidationError, *, prefix: str = "") -> str:
    """Return the first fault of a failed validation as one line that names the field."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in (prefix, *place_of(first)) if part != "")
    more = f" (and {count} more)" if (count := error.error_count() - 1) else ""
    said = first["msg"].removeprefix("Value error, ")
    return f"`{where}`: {said[:1].lower()}{said[1:]}{more}"
