"""Which host a URL goes to and which model a path names, and when that is unknown."""

from __future__ import annotations

import pytest

from policyguard.catalog.endpoints import (
    endpoint_of,
    has_dot_segments,
    host_key,
    model_in_path,
)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://api.z.ai/api/paas/v4", "api.z.ai"),
        ("HTTPS://API.Z.AI", "api.z.ai"),
        ("https://api.z.ai./v1", "api.z.ai"),
        ("https://api.z.ai:443/v1", "api.z.ai"),
        ("https://api.z.ai.:0443", "api.z.ai"),
        ("https://api.z.ai:/v1", "api.z.ai"),
        ("http://api.z.ai:80?a=b", "api.z.ai"),
        ("http://api.z.ai:443", "api.z.ai:443"),
        ("https://api.z.ai:80", "api.z.ai:80"),
        ("wss://api.openai.com/v1/realtime", "api.openai.com"),
        ("http://localhost:8000/v1", "localhost:8000"),
        ("http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://[::1]:8000/", "[::1]:8000"),
        ("https://xn--pi-xka.z.ai", "xn--pi-xka.z.ai"),
    ],
)
def test_a_plain_url_goes_to_its_host(url: str, host: str) -> None:
    assert endpoint_of(url) == host


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.z.ai",
        "ftp://api.z.ai",
        "https:///v1",
        "https://user@api.z.ai",
        "https://api.z.ai:443@evil.example",
        "https://api.z.ai\\@evil.example",
        "https://api.z.ai\\.evil.example",
        "https://api.z.ai%2eevil.example",
        "https://api%2ez.ai",
        "https://api.z.ai /v1",
        " https://api.z.ai",
        "https://api.z\t.ai",
        "https://api.z.ai/\n",
        "https://api.z.ai\n",
        "https://\uff41pi.z.ai",
        "https://api\u3002z.ai",
        "http\u017f://api.z.ai",
        "https://api..z.ai",
        "https://.api.z.ai",
        "https://api.z.ai..",
        "https://api.z.ai:65536",
        "https://api.z.ai:-1",
        "https://api.z.ai:4\u0663",
        "https://a:b:c",
        "https://" + "a." * 127 + "aa",
    ],
)
def test_a_url_that_clients_may_read_differently_goes_nowhere(url: str) -> None:
    assert endpoint_of(url) is None


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("API.Z.ai.", "api.z.ai"),
        ("api.z.ai:443", "api.z.ai:443"),
        ("api.z.ai:080", "api.z.ai:80"),
        ("user@api.z.ai", None),
        ("api.z.ai/v1", None),
        ("", None),
    ],
)
def test_a_bare_host_keeps_its_port(host: str, key: str | None) -> None:
    assert host_key(host) == key


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/openai/deployments/gpt-5/chat/completions?api-version=1", "gpt-5"),
        ("/proxy/openai/deployments/gpt%2d5", "gpt-5"),
        ("/model/eu.anthropic.claude-fable-5/invoke", "eu.anthropic.claude-fable-5"),
        ("/model/a.b-v1%3A0/converse-stream", "a.b-v1:0"),
        ("/model/arn%3Aaws%3Ax%2Fy/invoke", "arn:aws:x/y"),
        (
            "/v1/projects/p/locations/global/publishers/anthropic/models/m@1:rawPredict",
            "m@1",
        ),
        ("/v1/chat/completions", None),
        ("/v1/models/gpt-5", None),
        ("/v1/x?path=/model/m/invoke", None),
        ("", None),
    ],
)
def test_a_path_names_the_model_where_the_service_reads_it_there(
    path: str, model: str | None
) -> None:
    assert model_in_path(path) == model


@pytest.mark.parametrize(
    ("path", "dots"),
    [
        ("/model/a/../b/invoke", True),
        ("/model/a/%2E%2e/b/invoke", True),
        ("/./v1", True),
        ("/v1/..", True),
        ("/model/glm-5.2/invoke", False),
        ("/v1/.well-known/x", False),
        ("/v1?a=/../", False),
    ],
)
def test_dot_segments_are_seen(path: str, dots: bool) -> None:
    assert has_dot_segments(path) is dots
