"""The decorator: a function of one's own that makes a model call, asked about each time.

What such a function sends where the guard cannot see; so the decorator says it, or a
function of the arguments does. Four kinds of function are told apart when they are
decorated, because each begins and ends in its own way.

Owner: each run of a decorated function owns the state of its call. A crash loses it,
and the decision stays without an outcome, which an auditor sees.

INVARIANT: no line of the function runs before the decision lets the call go ahead and
is durable. A generator asks when it is first resumed: until then nothing of it runs.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    ParamSpec,
    Protocol,
    TypedDict,
    TypeVar,
    overload,
)

from policyguard.canonical import Json
from policyguard.catalog.endpoints import host_key
from policyguard.errors import ConfigurationError
from policyguard.guard import running, wire
from policyguard.guard.asking import Asking
from policyguard.guard.core import Core
from policyguard.guard.describe import Described, adapter_of
from policyguard.guard.endings import Ends
from policyguard.guard.facts import (
    CallerForm,
    ContextForm,
    DataForm,
    ExporterForm,
    Facts,
    FromContext,
    PurposeForm,
    facts_of,
)
from policyguard.guard.kinds import AWAITED, WRAPPERS, kind_of
from policyguard.guard.obligations import PARAMETERS, Sending
from policyguard.guard.persons import NOBODY
from policyguard.guard.recording import prompt_of
from policyguard.guard.refusal import not_allowed
from policyguard.vocabulary.call import ModelCall
from policyguard.vocabulary.decision import Decision

if TYPE_CHECKING:
    from policyguard.guard.guard import Guard

P = ParamSpec("P")
R = TypeVar("R")
_LONGEST_NAME: Final = 256
_MARK: Final = "__policyguard_guarded__"
_WHERE: Final = frozenset({"model", "host", "path"})
_GROUPS: Final = frozenset({"caller", "data", "purpose", "exporter", "context"})
_UNSEEN: Final[Mapping[str, Json]] = dict.fromkeys(sorted(PARAMETERS))
"""What obligations ask about the body, of which nothing is known."""


class Declaration(TypedDict, total=False):
    """Is what a function of the arguments says of one call; what it leaves out stays."""

    model: str
    host: str
    path: str
    caller: CallerForm
    data: DataForm
    purpose: PurposeForm
    exporter: ExporterForm
    context: ContextForm


class Decorator(Protocol):
    """Keeps the type of whatever function it is given."""

    def __call__(self, fn: Callable[P, R], /) -> Callable[P, R]:
        """Return the function, guarded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Guarding:
    """Is what is known of all calls of one decorated function."""

    core: Core
    bound: Facts
    """The facts of the guard, under those of the decorator."""
    where: Mapping[str, str | None]
    sending: Sending
    declare: Callable[..., Declaration] | None

    def begin(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> wire.CallState:
        """Ask about one call.

        Raises:
            NotAllowed: it may not be made.
        """
        call, asking, facts = self._put(args, kwargs)
        decision = running.decided(self.core, call, asking=asking)
        return running.state_of(decision, asking=asking, facts=facts)

    async def begin_soon(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> wire.CallState:
        """Do what `begin` does, and hold no thread while the record is written."""
        import asyncio

        from policyguard.guard import awaiting

        call, asking, facts = await asyncio.to_thread(self._put, args, kwargs)
        decision = await awaiting.answered(self.core, call, asking=asking)
        return running.state_of(decision, asking=asking, facts=facts)

    def _put(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[ModelCall | Decision, Asking, Facts]:
        core = self.core
        content = (
            prompt_of(args, kwargs) if core.searching or core.keep_prompts else None
        )
        asking = Asking(
            call_id=wire.call_id(),
            sending=self.sending,
            prompt=content if core.keep_prompts else None,
        )
        try:
            described, own = self._declared(args, kwargs)
        except Exception as error:
            known = isinstance(error, ConfigurationError)
            said = str(error) if known else type(error).__name__
            refusal = self.core.refuse(
                self.core.empty_question(),
                asking=asking,
                code="guard.question",
                detail=f"`declare` did not describe the call: {said}",
            )
            raise not_allowed(refusal) from error
        facts = wire.known_facts(own)
        asked = replace(
            asking,
            persons=facts.persons or NOBODY,
            found=running.found_in(core, content, facts=facts),
            path=described.path,
        )
        call = running.question(core, described=described, facts=facts, asking=asked)
        return call, asked, facts

    def _declared(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[Described, Facts]:
        said: Mapping[str, Any] = self.declare(*args, **kwargs) if self.declare else {}
        if not isinstance(said, Mapping):
            raise ConfigurationError(f"it returned a {type(said).__name__}")
        unknown = sorted(map(str, set(said) - _WHERE - _GROUPS))
        if unknown:
            raise ConfigurationError(f"`{unknown[0]}` is nothing that can be declared")
        where = {
            **self.where,
            **{name: said[name] for name in _WHERE & said.keys()},
        }
        _check_where(**where)
        groups = {name: said[name] for name in _GROUPS & said.keys()}
        own = facts_of(**groups).bound_over(self.bound)
        described = Described(
            model=where["model"], host=where["host"], path=where["path"] or ""
        )
        return described, own


@overload
def guarded(
    guard: Guard,
    /,
    *,
    model: str,
    host: str | None = None,
    path: str = "",
    parameters: Mapping[str, Json] | None = None,
    caller: CallerForm | FromContext | None = None,
    data: DataForm | None = None,
    purpose: PurposeForm | None = None,
    exporter: ExporterForm | None = None,
    context: ContextForm | None = None,
) -> Decorator: ...


@overload
def guarded(
    guard: Guard,
    /,
    *,
    declare: Callable[P, Declaration],
    model: str | None = None,
    host: str | None = None,
    path: str = "",
    parameters: Mapping[str, Json] | None = None,
    caller: CallerForm | FromContext | None = None,
    data: DataForm | None = None,
    purpose: PurposeForm | None = None,
    exporter: ExporterForm | None = None,
    context: ContextForm | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def guarded(  # noqa: PLR0913 -- the same
    guard: Guard,
    fn: object = None,
    /,
    *,
    declare: Callable[..., Declaration] | None = None,
    model: str | None = None,
    host: str | None = None,
    path: str = "",
    parameters: Mapping[str, Json] | None = None,
    caller: CallerForm | FromContext | None = None,
    data: DataForm | None = None,
    purpose: PurposeForm | None = None,
    exporter: ExporterForm | None = None,
    context: ContextForm | None = None,
) -> Any:
    """Return a decorator that asks before each run of a function, and records its end.

    Plain, `async`, generator and async generator functions keep their kind and type. A
    generator asks when it is first resumed. What else the function sends through a
    protected client is asked about there, and belongs to the same call.

    Args:
        guard: Asks, with the facts that are bound to it.
        fn: Nothing: the decorator needs to be told what the function calls.
        declare: Returns from the function's arguments what differs from call to call:
            `model`, `host`, `path`, and groups of facts as `bind` takes them.
        model: The model that the function asks, by a name that the catalog knows.
        host: Where it asks, as `api.scaleway.ai` or `localhost:8000`.
        path: The path that it asks at, if that names the model.
        parameters: Fields of the body that obligations ask about, as `{"store": False}`.
        caller: As in `bind`, and likewise the other groups; they come before what is
            bound to the guard, and after what `declare` returns.
        data: What is sent.
        purpose: What for.
        exporter: Who sends it.
        context: Under which contract.

    Raises:
        ConfigurationError: it is not said which model is called, a fact or place is
            none, or the thing decorated is no function that can be guarded.
    """
    if fn is not None:
        raise ConfigurationError(
            "say what the function calls: `@guard.guarded(model=…, host=…)`"
        )
    if model is None and declare is None:
        raise ConfigurationError("name the `model`, or give `declare`")
    if declare is not None and (
        not callable(declare) or kind_of(declare) not in {None, "plain"}
    ):
        raise ConfigurationError("`declare` is no plain function")
    _check_where(model=model, host=host, path=path)
    unknown = sorted((parameters or {}).keys() - PARAMETERS)
    if unknown:
        raise ConfigurationError(
            f"no obligation asks about `{unknown[0]}`: known are"
            f" {', '.join(sorted(PARAMETERS))}"
        )
    declared = facts_of(
        caller=caller, data=data, purpose=purpose, exporter=exporter, context=context
    )
    guarding = _Guarding(
        core=guard.core,
        bound=declared.bound_over(guard.facts),
        where={"model": model, "host": host, "path": path},
        sending=Sending(parameters={**_UNSEEN, **(parameters or {})}),
        declare=declare,
    )

    def decorate(wrapped: Callable[..., Any]) -> Callable[..., Any]:
        _check_function(wrapped)
        kind = kind_of(wrapped)
        if kind is None:
            raise ConfigurationError("this is no function")
        begin = guarding.begin_soon if kind in AWAITED else guarding.begin
        made = WRAPPERS[kind](wrapped, begin, Ends(core=guarding.core))
        setattr(made, _MARK, True)
        return made

    return decorate


def _check_where(
    *, model: str | None, host: str | None, path: str | None = None
) -> None:
    if model is not None and not (
        isinstance(model, str) and 0 < len(model) <= _LONGEST_NAME
    ):
        raise ConfigurationError(
            f"`model` is no text of 1 to {_LONGEST_NAME} characters"
        )
    if host is not None and (not isinstance(host, str) or host_key(host) != host):
        raise ConfigurationError(
            "`host` is no host: write it without scheme and path, in lower case, as"
            " `api.scaleway.ai` or `localhost:8000`"
        )
    if path is not None and not isinstance(path, str):
        raise ConfigurationError("`path` is no text")


def _check_function(fn: object) -> None:
    """Refuse what the decorator could not see begin and end."""
    if isinstance(fn, (staticmethod, classmethod, property)):
        raise ConfigurationError(
            f"a `{type(fn).__name__}` stands above `@guard.guarded`, not below it"
        )
    if getattr(fn, _MARK, False):
        raise ConfigurationError("the function is guarded already")
    if adapter_of(fn) is not None:
        raise ConfigurationError("a method of an SDK is called by `guard.call`")
    if not isinstance(fn, types.FunctionType):
        raise ConfigurationError(
            f"a `{type(fn).__qualname__}` is no function: write one that calls it"
        )
    if kind_of(inspect.unwrap(fn)) != kind_of(fn):
        raise ConfigurationError(
            f"`{fn.__qualname__}` is wrapped into another kind of function: put"
            " `@guard.guarded` directly over the function, below other decorators"
        )
