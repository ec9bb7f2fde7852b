"""What type checkers promise of the guard's face: a call keeps its own types.

Nothing here runs. mypy and pyright read it in strict mode. An `ignore` that its checker
does not need is an error, so each one says that this checker really refuses the line.

Both checkers keep the overloads of a method behind `Callable[P, R]`, and choose one by
the arguments of `guard.call`. Where they fall short of the SDK's own types is written
down in `what_the_checkers_cannot_do`; the calls there are right, and work.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Iterator
from typing import assert_type

import httpx2
from openai import AsyncOpenAI, AsyncStream, AzureOpenAI, OpenAI, Stream
from openai.types import CreateEmbeddingResponse
from openai.types.chat import (
    ChatCompletion,
    ChatCompletionChunk,
    ChatCompletionMessageParam,
    ParsedChatCompletion,
)
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel

from policyguard import Decision, Guard, ModelCall, NotAllowed, denial_of
from policyguard.guard.guarded import Declaration

MESSAGES: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hello"}]


def one(text: str, *, times: int = 1) -> list[str]:
    return [text] * times


async def later(text: str) -> int:
    return len(text)


def a_plain_function_keeps_arguments_and_answer(guard: Guard) -> None:
    assert_type(guard.call(one, "a", times=2), list[str])
    guard.call(one, "a", number=2)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    guard.call(one)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    guard.call(one, 1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    guard.call(fn=one)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    assert_type(guard.call(functools.partial(one, "a")), list[str])


def a_completion_is_one(guard: Guard, client: OpenAI) -> None:
    create = client.chat.completions.create
    assert_type(guard.call(create, model="m", messages=MESSAGES), ChatCompletion)
    assert_type(
        guard.call(create, model="m", messages=MESSAGES, stream=False), ChatCompletion
    )
    guard.call(create, model="m", messages=MESSAGES, modle="n")  # type: ignore[arg-type]  # pyright: ignore[reportCallIssue]


def a_stream_is_one(guard: Guard, client: OpenAI) -> None:
    create = client.chat.completions.create
    assert_type(
        guard.call(create, model="m", messages=MESSAGES, stream=True),
        Stream[ChatCompletionChunk],
    )


def a_stream_that_is_decided_later_may_be_either(
    guard: Guard, client: OpenAI, *, stream: bool
) -> None:
    assert_type(
        guard.call(
            client.chat.completions.create, model="m", messages=MESSAGES, stream=stream
        ),
        ChatCompletion | Stream[ChatCompletionChunk],
    )


def other_endpoints_are_typed_alike(guard: Guard, client: OpenAI) -> None:
    assert_type(guard.call(client.responses.create, model="m", input="a"), Response)
    assert_type(
        guard.call(client.responses.create, model="m", input="a", stream=True),
        Stream[ResponseStreamEvent],
    )
    assert_type(
        guard.call(client.embeddings.create, model="m", input="a"),
        CreateEmbeddingResponse,
    )


async def a_call_that_is_awaited_gives_what_it_gives(
    guard: Guard, client: AsyncOpenAI
) -> None:
    create = client.chat.completions.create
    assert_type(await guard.acall(create, model="m", messages=MESSAGES), ChatCompletion)
    assert_type(
        await guard.acall(create, model="m", messages=MESSAGES, stream=True),
        AsyncStream[ChatCompletionChunk],
    )
    assert_type(await guard.acall(later, "a"), int)
    await guard.acall(later, 1)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]


def a_decorated_function_stays_what_it_is(guard: Guard) -> None:
    decorate = guard.guarded(model="m", host="h")
    assert_type(decorate(one)("a", times=2), list[str])
    decorate(one)("a", number=2)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

    @guard.guarded(model="m", host="h")
    def parts(text: str) -> Iterator[str]:
        yield text

    assert_type(parts("a"), Iterator[str])
    parts(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    def about(text: str, *, times: int = 1) -> Declaration:
        return {"caller": text, "data": {"persons": times}}

    @guard.guarded(model="m", declare=about)
    def said(text: str, *, times: int = 1) -> list[str]:
        return one(text, times=times)

    assert_type(said("a"), list[str])


async def a_decorated_coroutine_stays_what_it_is(guard: Guard) -> None:
    decorate = guard.guarded(model="m", host="h")
    assert_type(await decorate(later)("a"), int)

    @decorate
    async def parts(text: str) -> AsyncIterator[str]:
        yield text

    assert_type(parts("a"), AsyncIterator[str])


def a_decorator_has_to_be_told_what_is_called(guard: Guard) -> None:
    guard.guarded(one)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    guard.guarded(host="h")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]


def a_client_stays_what_it_is(
    guard: Guard,
    client: OpenAI,
    later: AsyncOpenAI,
    azure: AzureOpenAI,
    http: httpx2.Client,
) -> None:
    assert_type(guard.protect(client), OpenAI)
    assert_type(guard.protect(later), AsyncOpenAI)
    assert_type(guard.protect(azure), AzureOpenAI)
    assert_type(guard.protect(http), httpx2.Client)


class Reply(BaseModel):
    text: str


def what_the_checkers_cannot_do(guard: Guard, client: OpenAI) -> None:
    chat = client.chat.completions
    # mypy gives a literal a type before it looks at the overloads, and pyright after:
    # give messages a type of their own.
    guard.call(chat.create, model="m", messages=[{"role": "user", "content": "a"}])  # type: ignore[arg-type]
    # mypy does not take the default of the SDK's type variable.
    guard.call(chat.parse, model="m", messages=MESSAGES)  # type: ignore[arg-type]
    assert_type(
        guard.call(chat.parse, model="m", messages=MESSAGES, response_format=Reply),
        ParsedChatCompletion[Reply],
    )
    # pyright refuses overloads that the SDK has itself made with a ParamSpec.
    guard.call(chat.with_raw_response.create, model="m", messages=MESSAGES)  # pyright: ignore[reportArgumentType]


class OwnGuard(Guard):
    """Stands for a user's own guard."""


async def facts_and_answers_are_values(
    guard: Guard, own: OwnGuard, call: ModelCall
) -> None:
    assert_type(guard.bind(caller="a", purpose="inference"), Guard)
    assert_type(own.bind(data={"classes": ["none"]}), OwnGuard)
    guard.bind(color="red")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    assert_type(guard.check(call), Decision)
    assert_type(await guard.acheck(call), Decision)


def a_refusal_carries_its_decision(error: NotAllowed) -> None:
    assert_type(error.decision, Decision)
    assert_type(denial_of(error), Decision | None)
