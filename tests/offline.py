"""Real SDK clients whose transport answers from memory, and counts what reaches it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx2
import openai

ANSWER: dict[str, Any] = {
    "id": "1",
    "object": "chat.completion",
    "created": 0,
    "model": "glm-5.2",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "hello"},
        }
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8},
}


@dataclass
class Upstream:
    """Stands for every host on the network."""

    answer: Callable[[httpx2.Request], httpx2.Response] | None = None
    hosts: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.hosts.append(request.url.host)
        self.bodies.append(request.content)
        if self.answer is not None:
            return self.answer(request)
        if json.loads(request.content).get("stream"):
            return httpx2.Response(
                200,
                headers={"content-type": "text/event-stream"},
                content=b"data: "
                + json.dumps(CHUNK).encode()
                + b"\n\ndata: [DONE]\n\n",
            )
        return httpx2.Response(200, json=ANSWER)

    def client(self, base_url: str, **more: Any) -> openai.OpenAI:
        """Return a synchronous client of this upstream."""
        http = httpx2.Client(
            transport=httpx2.MockTransport(self), follow_redirects=True
        )
        return openai.OpenAI(
            base_url=base_url, api_key="none", http_client=http, max_retries=0, **more
        )

    def aclient(self, base_url: str, **more: Any) -> openai.AsyncOpenAI:
        """Return an asynchronous client of this upstream."""
        http = httpx2.AsyncClient(
            transport=httpx2.MockTransport(self), follow_redirects=True
        )
        return openai.AsyncOpenAI(
            base_url=base_url, api_key="none", http_client=http, max_retries=0, **more
        )


CHUNK: dict[str, Any] = {
    "id": "1",
    "object": "chat.completion.chunk",
    "created": 0,
    "model": "glm-5.2",
    "choices": [{"index": 0, "delta": {"content": "hello"}, "finish_reason": None}],
}
