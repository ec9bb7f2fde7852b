"""The guard: ask before a model call, record the answer, make the call, record its end.

    guard = Guard()
    reply = guard.bind(caller="alice", data={"classes": ["none"]}, purpose="inference").call(
        client.chat.completions.create, model="glm-5.2", messages=messages
    )

A call goes out only behind an allowing decision that is already durable. What the
guard cannot see of a call counts as unknown, and unknown never means allowed.
"""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, Self, TypeVar, cast, overload

from policyguard.engines.memo import MemoUse
from policyguard.errors import CannotProtect
from policyguard.guard import endings, rerouting, running, wire
from policyguard.guard.asking import Asking
from policyguard.guard.core import Core
from policyguard.guard.describe import Described, Observed, adapter_of, behind
from policyguard.guard.facts import (
    NOTHING,
    CallerForm,
    ContextForm,
    DataForm,
    ExporterForm,
    Facts,
    FromContext,
    PurposeForm,
    context_facts,
    facts_of,
)
from policyguard.guard.guarded import guarded as guarded_by
from policyguard.guard.obeying import obeying
from policyguard.guard.outcomes import record_outcome
from policyguard.guard.recording import Ending, OutcomeWord
from policyguard.guard.routing import Models, Rank
from policyguard.identity import new_id
from policyguard.vocabulary.call import ModelCall
from policyguard.vocabulary.decision import Alternative, Decision, Route

if TYPE_CHECKING:
    from policyguard.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C")


class Guard:
    """Checks model calls, and makes those that are allowed.

    Any number of threads and tasks may share one guard. A forked child notices that
    it is one and writes a log of its own.
    """

    __slots__ = ("_core", "_detour", "_facts")

    def __init__(
        self,
        *,
        settings: Settings | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        """Build a guard.

        Args:
            settings: What `policyguard.toml` holds; without it the shipped bundle and
                catalog, and a trail in the user's data directory with a key made on
                first use.
            clock: Returns the legal instant of each call, with its offset; without it
                the wall clock. Records made with a clock say `simulated`.

        Raises:
            ConfigurationError: settings that cannot be used.
            BundleError: a bundle that cannot be used.
            CatalogError: a catalog that cannot be used.
            EngineLoadError: policy that the engine refuses.
            TrailError: a trail that cannot be opened.
        """
        # By name: assembly knows every part and stands above the guard.
        assembly = importlib.import_module("policyguard.assembly")
        self._core: Core = assembly.build_core(settings=settings, clock=clock)
        self._facts: Facts = NOTHING
        self._detour: rerouting.Detour | None = None

    @classmethod
    def of_core(cls, core: Core, /) -> Self:
        """Return a guard over parts that were built elsewhere."""
        guard = cls.__new__(cls)
        guard._core = core  # noqa: SLF001 -- the same class
        guard._facts = NOTHING  # noqa: SLF001 -- the same class
        guard._detour = None  # noqa: SLF001 -- the same class
        return guard

    @classmethod
    def from_config(
        cls,
        path: str | os.PathLike[str] | None = None,
        *,
        clock: Callable[[], datetime] | None = None,
    ) -> Self:
        """Build a guard from a configuration file.

        Args:
            path: A `policyguard.toml`; without it the one that POLICYGUARD_CONFIG
                names, or else the defaults. The working directory is never searched.
            clock: As in `Guard`.

        Raises:
            ConfigurationError: the file is missing or wrong; names line and key.
        """
        settings = importlib.import_module("policyguard.settings")
        return cls(settings=settings.load_settings(path), clock=clock)

    def bind(  # noqa: PLR0913 -- one for each group of facts, and where else to go
        self,
        *,
        caller: CallerForm | FromContext | None = None,
        data: DataForm | None = None,
        purpose: PurposeForm | None = None,
        exporter: ExporterForm | None = None,
        context: ContextForm | None = None,
        on_deny: Literal["raise", "reroute"] | None = None,
        clients: Sequence[object] = (),
        models: Models = (),
    ) -> Self:
        """Return a guard for calls with these facts; parts and trail are shared.

        Args:
            caller: An id, or the fields of `Caller`; or `FROM_CONTEXT`, who has to be
                named by a `context` block or by middleware.
            data: The fields of `DataFacts`, as `{"classes": ["pii"]}`; and `persons`, ids
                of those whom it is about, as `{"US": ["u-1"]}`, who are counted.
            purpose: A kind, as `inference`, or the fields of `Purpose`.
            exporter: A country (ISO 3166-1), or the fields of `Exporter`.
            context: The fields of `CallContext`.
            on_deny: `reroute` moves a refused call to one of `clients`; `raise` does not.
            clients: The SDK clients that it may move to, with keys of their own.
            models: Other models that it may ask there, as in `alternatives`.

        Raises:
            ConfigurationError: a field that does not exist or has a wrong value, or
                nowhere to reroute to.
        """
        declared = facts_of(
            caller=caller,
            data=data,
            purpose=purpose,
            exporter=exporter,
            context=context,
        )
        bound = self.of_core(self._core)
        bound._facts = declared.bound_over(self._facts)  # noqa: SLF001 -- the same class
        bound._detour = rerouting.detour_of(  # noqa: SLF001 -- the same class
            on_deny, clients=clients, models=models, above=self._detour
        )
        return bound

    def check(self, call: ModelCall, /) -> Decision:
        """Answer a question without making a call; never raises for a denial.

        The record is of kind `check`, says `simulated`, and expects no outcome.
        """
        return self._core.decide(call, asking=Asking(call_id=new_id(), kind="check"))

    def check_many(self, calls: Iterable[ModelCall], /) -> tuple[Decision, ...]:
        """Do what `check` does for many questions, in order and in few commits."""
        return self._core.decide_many(calls)

    def alternatives(
        self, decision: Decision, /, *, models: Models = (), rank: Rank = "cost"
    ) -> tuple[Alternative, ...]:
        """Return the other deployments that a decided call could use, best first.

        Hosts of the same model come before other models. Nothing is recorded: whatever
        is called is asked about again. People are counted if the guard is bound to them.

        Args:
            decision: Of the call; they are asked about for its instant.
            models: Ids of other models that would do too, the best first; or `any`.
            rank: `cost`, the list price of a million tokens in and a million out; or a
                function of an alternative that returns what to sort by.

        Raises:
            ConfigurationError: a model that the catalog has not, or an unknown rank.
        """
        persons = self._facts.over(context_facts()).persons
        return rerouting.permitted(
            self._core, decision, persons=persons, models=models, rank=rank
        )

    def route(
        self, call: ModelCall | str, /, *, models: Models = (), rank: Rank = "cost"
    ) -> Route:
        """Return the best deployment that a call may use, with one record of a check.

        Args:
            call: The question, or a model's name: then the facts are the bound ones.
            models: As in `alternatives`.
            rank: As in `alternatives`.

        Raises:
            ConfigurationError: as in `alternatives`.
        """
        return rerouting.route(
            self._core,
            call,
            facts=self._facts.over(context_facts()),
            models=models,
            rank=rank,
        )

    async def acheck(self, call: ModelCall, /) -> Decision:
        """Do what `check` does, without blocking the event loop."""
        from policyguard.guard import awaiting  # what runs no task needs none of it

        asking = Asking(call_id=new_id(), kind="check")
        return await awaiting.decide(self._core, call, asking=asking)

    def call(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Make a model call if it is allowed, and return what it returns.

        Args:
            fn: A method of an SDK's client, as `client.chat.completions.create`.
            args: Its positional arguments.
            kwargs: Its keyword arguments.

        Raises:
            PolicyDenied: a rule denies the call.
            ApprovalRequired: a person has to approve it first.
            ModelUnavailable: the vendor has switched the model off.
            NoDecision: no decision or no durable record could be had.
            TypeError: `fn` returns a coroutine; use `acall`.
        """
        known = self._known(fn, args, kwargs)
        begun = rerouting.begin_somewhere(self._core, self._detour, **known)
        fn, state = begun.fn, begun.state
        token = wire.enter(state)
        try:
            result = fn(*args, **obeying(state.decision, fn, begun.kwargs))
        except BaseException as error:
            running.failed(self._core, state, error)
            raise
        finally:
            wire.leave(token)
        if inspect.iscoroutine(result):
            result.close()
            ending = Ending(outcome="abandoned")
            record_outcome(self._core, state.decision, ending)
            raise TypeError("the callable is asynchronous: use `await guard.acall(…)`")
        running.finished(self._core, state, result=result, fn=fn)
        return result

    @overload
    async def acall(
        self, fn: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs
    ) -> R: ...

    @overload
    async def acall(
        self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R: ...

    async def acall(
        self, fn: Callable[P, Awaitable[R] | R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Do what `call` does for a callable that returns an awaitable."""
        from policyguard.guard import awaiting

        known = self._known(fn, args, kwargs)
        begun = await awaiting.begin(self._core, self._detour, **known)
        fn, state = begun.fn, begun.state
        token = wire.enter(state)
        try:
            result = fn(*args, **obeying(state.decision, fn, begun.kwargs))
            if inspect.isawaitable(result):
                result = await result
        except BaseException as error:
            running.failed(self._core, state, error)
            raise
        finally:
            wire.leave(token)
        await awaiting.finish(self._core, state, result=result, fn=fn)
        return cast("R", result)

    def protect(self, client: C, /) -> C:
        """Guard the transports of an SDK's client in place, and return the client.

        Raises:
            CannotProtect: there is nothing in the client that could be guarded.
        """
        known = behind(client)
        adapter = adapter_of(known)
        if adapter is None:
            raise CannotProtect(
                f"no adapter for a `{type(known).__module__}.{type(known).__qualname__}`:"
                " protect its client of httpx, or put `@guard.guarded(model=…, host=…)`"
                " over a function that calls it"
            )
        adapter.protect(known, self)
        return client

    def check_wire(
        self,
        described: Described,
        /,
        *,
        attempt: int = 0,
        body: bytes | None = None,
        text: bytes | None = None,
    ) -> wire.Wire:
        """Answer a transport that is about to send; never raises.

        The wrapper's decision is used once, for the first attempt with the same facts;
        a retry, a redirect or another model is a new question.

        Args:
            described: What is sent where: the real host and path, and what the body says.
            attempt: 0 for the first try, as the SDK counts: a claim, and only recorded.
            body: What is sent, if it was read: kept where settings say so.
            text: A JSON document with the data that is sent, to be searched.
        """
        return running.at_wire(
            self._core,
            described,
            own=self._facts,
            attempt=attempt,
            body=body,
            text=text,
        )

    def record_outcome(
        self,
        decision: Decision,
        *,
        outcome: OutcomeWord,
        error: BaseException | str | None = None,
        status: int | None = None,
        observed: Observed | Callable[[], Observed] | None = None,
    ) -> None:
        """Record what became of a call that a transport forwarded; never raises.

        What the answer said of itself may be read by whoever makes the record.
        """
        ending = Ending(outcome=outcome, error=error, status=status, observed=observed)
        record_outcome(self._core, decision, ending)

    guarded = guarded_by
    """Is the decorator for functions of one's own; see `policyguard.guard.guarded`."""

    @property
    def facts(self) -> Facts:
        """Give the facts that are bound."""
        return self._facts

    @property
    def core(self) -> Core:
        """Give the parts: bundle, catalog, snapshot and trail."""
        return self._core

    @property
    def memo_use(self) -> MemoUse:
        """Say how often the policy in use has answered from memory since it was loaded."""
        return self._core.policies.newest.memo.use

    @property
    def trail_directory(self) -> Path:
        """Say where the trail is."""
        return self._core.trail.directory

    def close(self) -> None:
        """Release the trail; calls made afterwards are not allowed."""
        endings.flush()
        self._core.close()

    def __enter__(self) -> Self:
        """Use the guard for a block, and close it at its end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the guard."""
        self.close()

    def _known(
        self, fn: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> dict[str, Any]:
        facts = wire.known_facts(self._facts)
        return {"facts": facts, "fn": fn, "args": args, "kwargs": kwargs}
