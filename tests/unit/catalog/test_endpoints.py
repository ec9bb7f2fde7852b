"""Which host a URL goes to and which model a path names, and when that is unknown."""

from __future__ import annotations

import pytest

from policyguard.catalog.endpoints import (
    endpoint_of,
    host_key,
    model_in_path,
    unclear,
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
        ("/bedrock/model/m/invoke", "m"),
        ("/engines/m/chat/completions", "m"),
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
    "path",
    [
        "",
        "/",
        "/v1/chat/completions",
        "/v1/chat/completions/",
        "/v1/chat/completions?a=/../%2e%2e;//x",
        "/OpenAI/v1/Responses",
        "/v1/.well-known/x",
        "/v1/files",
        "/v1/files/file-1/content",
        "/v1/messages/batches/",
        "/v1/models/llama3:8b",
        "/v1/fine_tuning/jobs/ftjob-1/cancel",
        "/openai/deployments/gpt-5/chat/completions",
        "/openai/deployments/Files/chat/completions",
        "/openai/deployments/Files",
        "/OpenAI/openai/deployments/gpt-5/embeddings",
        "/model/glm-5.2/invoke",
        "/model/a.b-v1:0/converse",
        "/model/a.b-v1%3A0/invoke-with-response-stream",
        "/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A1%3Ainference-profile%2Feu.x/invoke",
        "/openai/deployments/d%C3%A9p%20l%C3%B6%28y%29%2B%40/chat/completions",
        "/v1beta/models/gemini-2.5-pro:streamGenerateContent",
        "/v1beta/models/zai-org%2FGLM-5.2:generateContent",
        "/v1/projects/p-1/locations/global/publishers/anthropic/models/m@1:rawPredict",
        "/v1/x/(a),b=c&d!'*+$~@e",
    ],
)
def test_a_path_that_sdks_write_is_read_in_one_way(path: str) -> None:
    assert unclear(path) == ""


ELSEWHERE = "it has empty segments or ones of dots"
UNUSUAL = "it has an encoded or an unusual character"
ENCODED = "the name of the model in it is encoded in an unusual way"
TWO = "it names two models"
VERB = "it has a verb, and not the name of a model before it"
CASE = "a word in it has another case than usual"
UNCLEAR = {
    ELSEWHERE: (
        "/./v1", "/v1/..", "/v1/../v2", "//v1", "/v1//files", "/v1/files//",
        "//model/m/invoke", "/model/m//invoke", "/model/m/../n/x", "/openai//deployments/m",
        "https://h.example/v1",
    ),
    UNUSUAL: (
        # Letters, dots, slashes, backslashes, colons, controls and what is no escape.
        "/%6Dodel/m/invoke", "/m%6fdel/m/converse", "/v1/f%69les", "/v1/%2e%2e/x",
        "/v1/.%2E/x", "/model%2Fm/invoke", "/model%2fm%2finvoke", "/v1%5Cfiles",
        "/v1\\files", "/v1beta/models/m%3AgenerateContent", "/v1/files%00",
        "/v1/files%0A", "/v1/files%20", "/v1/files%2500", "/v1/files%", "/v1/%zz",
        "/v1/%C0%AFx", "/v1/caf%C3%A9", "/v1/f\u0131les", "/v1/files\n", "/v1/fi les",
        # Parameters of a segment, fragments, and no path at all.
        "/v1/files;x", "/v1;/files", "/v1/..;/files", "/model;x/m/invoke", "/v1/files#x",
        "/openai%2Fdeployments/m", "v1/files", "*", "//",
    ),
    ENCODED: (
        "/model/%2e%2E/invoke", "/model/../invoke", "/model/m%2F..%2Fn/invoke",
        "/model/%2Fm/invoke", "/model/m%2F/invoke", "/model/m%2F%2Fn/invoke",
        "/model/m%2En/invoke", "/model/%6D/invoke", "/model/m%7E/invoke",
        "/model/m%253A0/invoke", "/model/m;n/invoke", "/model/m%00/invoke",
        "/model/m%7F/invoke", "/model/m%/invoke", "/model/m\\n/invoke",
        "/model/m n/invoke", "/model/m\u00e9/invoke", "/openai/deployments/gpt%2d5",
    ),
    TWO: (
        "/model/m/openai/deployments/n/chat", "/model/model/m/invoke",
        "/openai/deployments/m/models/n:predict", "/models/m:a/models/n:b",
        "/MODEL/m/model/n/invoke",
    ),
    VERB: (
        "/v1/projects/p/locations/l/endpoints/1:rawPredict", "/v1/tunedModels/m:generate",
        "/v1beta/models/org/m:generateContent", "/v1beta/models/m:8b:generateContent",
        "/v1/x:predict/", "/models/m:predict/endpoints/1:predict",
        "/openai/deployments/m/x:predict",
    ),
    CASE: (
        "/MODEL/m/invoke", "/Model/m/invoke", "/v1/FILES", "/v1/Files/", "/v1/batcheS",
        "/openai/Deployments/m/chat", "/OpenAI/deployments/m", "/v1beta/Models/m:generate",
        "/Engines/m/completions", "/model/m/Files",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("path", "why"), [(path, why) for why, paths in UNCLEAR.items() for path in paths]
)
def test_a_path_that_two_readers_may_read_differently_is_unclear(
    path: str, why: str
) -> None:
    assert unclear(path) == f"it is not certain what its path names: {why}"
