"""What an adapter can tell of a call before it is made, and of its answer after.

The guard knows no SDK. An adapter module has three functions (`Adapter`), is named
in `ADAPTERS` by the root of the SDK's module name, and is imported when a callable
or client of that SDK is first met.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MethodType
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from policyguard.canonical import Json
from policyguard.vocabulary.record import Commitment, Deviation

if TYPE_CHECKING:
    from policyguard.guard.guard import Guard

ADAPTERS: Final[Mapping[str, str]] = {
    "anthropic": "policyguard.integrations.anthropic",
    "openai": "policyguard.integrations.openai",
    "botocore": "policyguard.integrations.boto3",
    "langchain_core": "policyguard.integrations.langchain",
    "mcp": "policyguard.integrations.mcp",
    "litellm": "policyguard.integrations.litellm",
    "httpx": "policyguard.integrations.httpx",
    "httpx2": "policyguard.integrations.httpx",
}
_DEEPEST: Final = 16
"""Deeper wrapping is not ours."""
_UNSEEN: Final = (
    "what is called is no method of a client that is known: pass the client's own method"
    " with its arguments, or put `@guard.guarded(model=…, host=…)` over the function"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """Is what a callable and its arguments say about the call; `None` is unknown."""

    model: str | None = None
    host: str | None = None
    path: str = ""
    opaque: bool = False
    """Whether something is sent that could not be read."""
    parameters: Mapping[str, Json] = field(default_factory=dict)
    """Fields of the body that obligations ask about, as far as it has them."""
    calls: tuple[Described, ...] = ()
    """The calls that one body holds, as a batch does: each is asked about."""
    file: str | None = None
    """The uploaded file that holds the calls."""
    upload: bool = False
    """Whether data is stored at a host, where any of its models may come to read it."""
    why: str = ""
    """Why something could not be read, for a person."""
    tool: str | None = None
    """The tool whose call it is, by a name of the application's; never one that was typed."""
    offered: tuple[str, ...] = ()
    """The tools that the model may call, as the body lists them: they were typed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Is what an answer says about itself; `None` is not said."""

    served_model: str | None = None
    served_region: str | None = None
    """Where, in the words of the answer: a geography or a cloud's region."""
    input_tokens: int | None = None
    output_tokens: int | None = None
    answer: Commitment | None = None
    """Binds its bytes, where they were seen."""
    file: str | None = None
    """The name that an uploaded file was given."""
    tier: str | None = None
    """In which of its provider's tiers the answer was made."""
    has_output: bool | None = None
    """Whether there is text in it; `None`: nobody has looked."""
    deviations: tuple[Deviation, ...] = ()
    """What in it contradicts what was asked for."""
    stream: bool = False
    """Whether the answer is a stream whose end the wrapper cannot see."""


class Adapter(Protocol):
    """Knows one SDK."""

    def describe(
        self,
        fn: Callable[..., object],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> Described | None:
        """Say what the call would send where, or `None` when it is not this SDK's."""

    def with_fields(
        self,
        fn: Callable[..., object],
        kwargs: Mapping[str, Any],
        fields: Mapping[str, Json],
    ) -> dict[str, Any] | None:
        """Return arguments by which the body has these fields too; `None`: it cannot."""

    def observe(self, result: object) -> Observed:
        """Say what an answer tells of the model that served it."""

    def protect(self, client: object, guard: Guard) -> None:
        """Guard the transports of a client, in place."""


@functools.cache
def _load(module: str) -> Adapter:
    # By name, because adapters stand above the guard in the house.
    return cast("Adapter", importlib.import_module(module))


def adapter_of(thing: object) -> Adapter | None:
    """Return the adapter for a callable's or client's SDK, or `None`."""
    if type(thing) is MethodType:
        # Most are methods of an SDK's own classes, which nothing wraps.
        root = type(thing.__self__).__module__.partition(".")[0]
        if root in ADAPTERS and str(thing.__module__).partition(".")[0] == root:
            return _load(ADAPTERS[root])
    for module in _modules_of(thing):
        name = ADAPTERS.get(module.partition(".")[0])
        if name is not None:
            return _load(name)
    return None


def behind(thing: Any) -> Any:
    """Return the client that transparent proxies stand for, as `wrapt` makes them.

    Such a proxy says that it is of the class of what it wraps, and is not. Whoever
    traces calls puts them around clients.
    """
    for _ in range(_DEEPEST):
        inner = getattr(thing, "__wrapped__", None)
        if type(thing) is thing.__class__ or inner is None:
            break
        thing = inner
    return thing


def describe(
    fn: Callable[..., object], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Described:
    """Say what a call would send where; what nobody can see is unknown."""
    adapter = adapter_of(fn)
    described = adapter.describe(fn, args, kwargs) if adapter else None
    return described or Described(opaque=True, why=_UNSEEN)


def with_fields(
    fn: Callable[..., object], kwargs: Mapping[str, Any], fields: Mapping[str, Json]
) -> dict[str, Any] | None:
    """Return a call's arguments with more fields in its body; `None`: it cannot be."""
    adapter = adapter_of(fn)
    change = getattr(adapter, "with_fields", None)
    return None if change is None else change(fn, kwargs, fields)


def method_of(
    fn: Callable[..., object], client: object
) -> Callable[..., object] | None:
    """Return the same method of another client of the same SDK; `None`: it has none."""
    adapter = adapter_of(fn)
    find = getattr(adapter, "method_of", None)
    return None if find is None else find(fn, client)


def _modules_of(thing: object) -> list[str]:
    """List the modules that a thing, what it wraps and what it is bound to come from."""
    modules: list[str] = []
    seen: set[int] = set()
    queue: list[object] = [thing]
    while queue and len(seen) < _DEEPEST:
        item = queue.pop(0)
        if item is None or id(item) in seen:
            continue
        seen.add(id(item))
        modules += [
            name
            for kind in type(item).__mro__
            if isinstance(name := kind.__module__, str) and name != "builtins"
        ]
        own = getattr(item, "__module__", None)
        if isinstance(own, str):
            modules.insert(0, own)
        queue += [
            getattr(item, name, None) for name in ("func", "__wrapped__", "__self__")
        ]
    return modules
