"""The guard: ask before a model call, record the answer, make the call, record its end.

    guard = Guard()
    reply = guard.bind(caller="alice", data={"classes": ["none"]}, purpose="inference").call(
        client.chat.completions.create, model="glm-5.2", messages=messages
    )

A call goes out only behind an allowing decision that is already durable. What the
guard cannot see of a call counts as unknown, and unknown never means allowed.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, cast, overload

from policyguard.canonical import Json
from policyguard.errors import CannotProtect, PolicyGuardError
from policyguard.guard import wire
from policyguard.guard.core import Asking, Core
from policyguard.guard.describe import Described, Observed, adapter_of, describe
from policyguard.guard.events import log
from policyguard.guard.facts import (
    NOTHING,
    CallerForm,
    ContextForm,
    DataForm,
    ExporterForm,
    Facts,
    PurposeForm,
    context_facts,
    facts_of,
)
from policyguard.guard.obeying import obeying, sending_of
from policyguard.guard.obligations import Sending
from policyguard.guard.persons import NOBODY
from policyguard.guard.recording import Ending, OutcomeWord, outcome_of, prompt_of
from policyguard.guard.refusal import not_allowed
from policyguard.identity import new_id
from policyguard.vocabulary.call import ModelCall
from policyguard.vocabulary.decision import Decision

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

    __slots__ = ("_core", "_facts")

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

    @classmethod
    def of_core(cls, core: Core, /) -> Self:
        """Return a guard over parts that were built elsewhere."""
        guard = cls.__new__(cls)
        guard._core = core  # noqa: SLF001 -- the same class
        guard._facts = NOTHING  # noqa: SLF001 -- the same class
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

    def bind(
        self,
        *,
        caller: CallerForm | None = None,
        data: DataForm | None = None,
        purpose: PurposeForm | None = None,
        exporter: ExporterForm | None = None,
        context: ContextForm | None = None,
    ) -> Self:
        """Return a guard for calls with these facts; parts and trail are shared.

        Args:
            caller: An id, or the fields of `Caller`.
            data: The fields of `DataFacts`, as `{"classes": ["pii"]}`; and `persons`, ids
                of those whom it is about, as `{"US": ["u-1"]}`, who are counted.
            purpose: A kind, as `inference`, or the fields of `Purpose`.
            exporter: A country (ISO 3166-1), or the fields of `Exporter`.
            context: The fields of `CallContext`.

        Raises:
            ConfigurationError: a field that does not exist or has a wrong value.
        """
        declared = facts_of(
            caller=caller,
            data=data,
            purpose=purpose,
            exporter=exporter,
            context=context,
        )
        bound = self.of_core(self._core)
        bound._facts = declared.over(self._facts)  # noqa: SLF001 -- the same class
        return bound

    def check(self, call: ModelCall, /) -> Decision:
        """Answer a question without making a call; never raises for a denial.

        The record is of kind `check`, says `simulated`, and expects no outcome.
        """
        return self._core.decide(call, asking=Asking(call_id=new_id(), kind="check"))

    def check_many(self, calls: Iterable[ModelCall], /) -> tuple[Decision, ...]:
        """Do what `check` does for many questions, in order and in few commits."""
        return self._core.decide_many(calls)

    async def acheck(self, call: ModelCall, /) -> Decision:
        """Do what `check` does, without blocking the event loop."""
        return await asyncio.to_thread(self.check, call)

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
        state = self._begin(fn, args, kwargs)
        token = wire.enter(state)
        try:
            result = fn(*args, **obeying(state.decision, fn, kwargs))
        except BaseException as error:
            self._failed(state, error)
            raise
        finally:
            wire.leave(token)
        if inspect.iscoroutine(result):
            result.close()
            self._outcome(state.decision, Ending(outcome="abandoned"))
            raise TypeError("the callable is asynchronous: use `await guard.acall(…)`")
        self._finished(state, result, fn)
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
        state = await asyncio.to_thread(self._begin, fn, args, kwargs)
        token = wire.enter(state)
        try:
            result = fn(*args, **obeying(state.decision, fn, kwargs))
            if inspect.isawaitable(result):
                result = await result
        except BaseException as error:
            self._failed(state, error)
            raise
        finally:
            wire.leave(token)
        await asyncio.to_thread(self._finished, state, result, fn)
        return cast("R", result)

    def protect(self, client: C, /) -> C:
        """Guard the transports of an SDK's client in place, and return the client.

        Raises:
            CannotProtect: there is nothing in the client that could be guarded.
        """
        adapter = adapter_of(client)
        if adapter is None:
            raise CannotProtect(
                f"no adapter for a `{type(client).__module__}.{type(client).__qualname__}`:"
                " wrap its calls with `guard.call`, or protect its HTTP client"
            )
        adapter.protect(client, self)
        return client

    def check_wire(  # noqa: PLR0913 -- all that a transport knows
        self,
        *,
        host: str,
        path: str,
        model: str | None,
        opaque: bool,
        attempt: int,
        body: bytes | None = None,
        parameters: Mapping[str, Json] | None = None,
    ) -> wire.Wire:
        """Answer a transport that is about to send; never raises.

        The wrapper's decision is used once, for the first attempt with the same facts;
        a retry, a redirect or another model is a new question.

        Args:
            host: Lower-case host, with `:port` unless it is the scheme's own.
            path: The path of the URL.
            model: The model that the body names, or `None`.
            opaque: Whether the body could not be read.
            attempt: 0 for the first try, as the SDK counts: a claim, and only recorded.
            body: What is sent, if it was read: kept where settings say so.
            parameters: Fields of the body that obligations ask about.
        """
        state = wire.current()
        known = state.facts if state else self._facts.over(context_facts())
        asking = Asking(
            call_id=state.call_id if state else new_id(),
            layer="http",
            attempt=attempt,
            prompt=body if self._core.keep_prompts else None,
            persons=known.persons or NOBODY,
            sending=Sending(parameters=parameters or {}),  # which it may not change
        )
        described = Described(model=model, host=host, path=path, opaque=opaque)
        call = self._question(described, known, asking)
        if isinstance(call, Decision):
            return wire.Wire(decision=call)
        if state and state.use_for(call):
            kept = self._core.keeps(state.decision, asking=asking)
            return wire.Wire(decision=kept, state=state if kept.allowed else None)
        return wire.Wire(decision=self._core.decide(call, asking=asking))

    def record_outcome(
        self,
        decision: Decision,
        *,
        outcome: OutcomeWord,
        error: BaseException | str | None = None,
        status: int | None = None,
        observed: Observed | None = None,
    ) -> None:
        """Record what became of a call that a transport forwarded; never raises."""
        self._outcome(
            decision,
            Ending(outcome=outcome, error=error, status=status, observed=observed),
        )

    @property
    def core(self) -> Core:
        """Give the parts: bundle, catalog, snapshot and trail."""
        return self._core

    @property
    def trail_directory(self) -> Path:
        """Say where the trail is."""
        return self._core.trail.directory

    def close(self) -> None:
        """Release the trail; calls made afterwards are not allowed."""
        self._core.close()

    def __enter__(self) -> Self:
        """Use the guard for a block, and close it at its end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the guard."""
        self.close()

    def _begin(
        self, fn: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> wire.CallState:
        facts = self._facts.over(context_facts())
        described = describe(fn, args, kwargs)
        asking = Asking(
            call_id=new_id(),
            persons=facts.persons or NOBODY,
            sending=sending_of(described, fn, kwargs),
            prompt=prompt_of(args, kwargs) if self._core.keep_prompts else None,
        )
        call = self._question(described, facts, asking)
        decision = (
            call
            if isinstance(call, Decision)
            else self._core.decide(call, asking=asking)
        )
        if not decision.goes_ahead:
            log.info("call.refused", decision=decision.id, verdict=decision.verdict)
            raise not_allowed(decision)
        return wire.CallState(call_id=asking.call_id, decision=decision, facts=facts)

    def _question(
        self, described: Described, facts: Facts, asking: Asking
    ) -> ModelCall | Decision:
        """Return the question, or the refusal of one that cannot even be put."""
        try:
            return self._core.question(described=described, facts=facts)
        except Exception as error:  # noqa: BLE001 -- what cannot be asked is not allowed
            return self._core.refuse(
                self._core.empty_question(),
                asking=asking,
                code="guard.question",
                detail=f"the call could not be described: {type(error).__name__}",
            )

    def _failed(self, state: wire.CallState, error: BaseException) -> None:
        """Record a failed call; raise the typed denial in place of the SDK's error."""
        if state.denied is not None:
            if state.denied.id != state.decision.id and not state.outcome_taken:
                self._outcome(
                    state.decision, Ending(outcome="error", error="PolicyDenied")
                )
            raise not_allowed(state.denied) from error
        if state.outcome_taken:
            return
        stopped = not isinstance(error, Exception)
        self._outcome(
            state.decision,
            Ending(outcome="cancelled" if stopped else "error", error=error),
        )

    def _finished(
        self, state: wire.CallState, result: object, fn: Callable[..., object]
    ) -> None:
        if state.outcome_taken:
            return
        adapter = adapter_of(fn)
        observed = adapter.observe(result) if adapter else Observed(stream=True)
        self._outcome(
            state.decision,
            Ending(
                outcome="delegated" if observed.stream else "complete",
                observed=observed,
            ),
        )

    def _outcome(self, decision: Decision, ending: Ending) -> None:
        try:
            self._core.record_outcome(
                outcome_of(decision, ending=ending, catalog=self._core.catalog)
            )
        except (PolicyGuardError, ValueError) as failure:
            # The call has been made: hiding its answer would help nobody. The decision
            # stays without outcome, and that is what an auditor will see.
            log.error("outcome.not_recorded", decision=decision.id, reason=str(failure))
