"""`make sdks`: run the tests of the guarded clients with other versions of the SDKs.

    python tests/sdks.py [--few] [SET …]

Each set is installed beside the locked packages, which it hides, and the tests run as
they are: every file of integration tests that imports an SDK, or our adapter for one.
What an old version lacks is skipped by name. `--few` runs the matrix of ways out, the
shapes of denials, the batches and the quick adapters alone, as `make oldest` does in CI.
The set `lowest` has the lower bounds of all other dependencies, and tests of its own.
The set `proxy` has what LiteLLM's proxy needs, by its lock file, and `frameworks` others
that stand on an SDK. Exits with 1 if a set fails.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / ".tools" / "sdks"
SETS = {
    # The oldest that the extras allow, and the oldest that go with those.
    "oldest": ("--require-hashes", "-r", "requirements/oldest.lock"),
    # The oldest of everything else that `pyproject.toml` names, and what goes with those.
    "lowest": ("--require-hashes", "-r", "requirements/lowest.lock"),
    # No older model of Anthropic's goes with the SDK that its extra allows.
    "oldest-claude": (
        *("langchain-anthropic==1.7.7", "langchain-core==1.6.10", "anthropic==2.0.0"),
    ),
    # The first of openai that stands on httpx2.
    "first-3": ("openai==3.0.0", "anthropic==2.0.0"),
    "newest": (
        *("openai", "anthropic", "httpx2", "httpcore2"),
        *("langchain", "langchain-core", "langchain-openai", "langchain-anthropic"),
        *("langgraph", "langgraph-prebuilt", "litellm", "mcp", "mcp-types", "botocore"),
    ),
    # The newest of frameworks that stand on an SDK, with what they lack.
    "frameworks": (
        *("openai-agents", "griffe", "griffelib"),
        *("pydantic-ai-slim", "pydantic-graph", "logfire-api", "genai-prices"),
        *("haystack-ai", "lazy-imports", "filetype", "networkx", "posthog"),
        "instructor",
    ),
    "proxy": ("--require-hashes", "-r", "requirements/litellm-proxy.lock"),
}
OF = {
    "lowest": (
        *(
            "../unit/test_canonical.py",
            "../unit/test_settings.py",
            "../unit/vocabulary",
        ),
        *(
            "../unit/signing",
            "../unit/integrations",
            "../unit/engines/test_opa_http.py",
        ),
        *(
            "../unit/audit/test_leaf.py",
            "../unit/catalog/weights/test_signature.py",
            "../unit/detection/test_presidio.py",
        ),
        *("test_callers_asgi.py", "test_cli_check.py", "test_cli_outside.py"),
        *("test_postgres_keys.py", "test_trace.py", "test_watching.py"),
        "test_cli_policy_matrix.py::test_a_picture_has_a_legend_and_digests_and_is_the_same_each_time",
    ),
    "frameworks": ("test_other_frameworks.py",),
    # What is locked of the rest of LangChain does not go with it.
    "oldest-claude": (
        "test_langchain.py::test_anthropics_models_are_protected_for_both_kinds_of_calls",
        "test_langchain.py::test_every_client_that_a_model_holds_is_protected[anthropic]",
    ),
    "proxy": ("test_litellm_proxy.py",),
}
"""What runs with a set in place of `tests()`."""
FEW = (
    "test_batches.py",
    "test_boto3.py",
    "test_mcp.py",
    "test_wire_denial.py",
    "test_wire_matrix.py",
)
IMPORTS_AN_SDK = re.compile(
    r"^ *(?:import|from) .*\b"
    r"(?:anthropic|boto3|botocore|httpx2?|langchain\w*|litellm|mcp|openai)\b",
    re.MULTILINE,
)
ELSEWHERE = {*OF["frameworks"], *OF["proxy"]}
"""What would skip beside any other set."""


def tests() -> tuple[str, ...]:
    """Return the files of integration tests that an SDK's version matters to."""
    found = sorted((ROOT / "tests" / "integration").glob("test_*.py"))
    return tuple(
        path.name
        for path in found
        if path.name not in ELSEWHERE and IMPORTS_AN_SDK.search(path.read_text("utf-8"))
    )


def main(names: list[str]) -> int:
    """Install each set that is named, or all, and run the tests with it."""
    few = "--few" in names
    wanted = [name for name in names if name != "--few"] or list(SETS)
    unknown = sorted(set(wanted) - SETS.keys())
    if unknown:
        sys.stderr.write(f"no set `{unknown[0]}`: there are {', '.join(SETS)}\n")
        return 2
    failed = [name for name in wanted if not _passes(name, few=few)]
    sys.stdout.write(f"failed: {', '.join(failed) or 'none'}\n")
    return 1 if failed else 0


def _passes(name: str, *, few: bool) -> bool:
    place = PLACE / name
    sys.stdout.write(f"{name}: {' '.join(SETS[name])}\n")
    sys.stdout.flush()
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run(
        [*pip, "--upgrade", "--target", str(place), *SETS[name]], check=True, cwd=ROOT
    )
    chosen = OF.get(name, FEW if few else tests())
    tests_at = ROOT / "tests" / "integration"
    paths = [str((tests_at / test).resolve()) for test in chosen]
    # Each process would start a proxy of its own.
    at_once = "0" if name == "proxy" else "auto"
    path = os.pathsep.join(filter(None, [str(place), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", at_once, *paths],
        env={**os.environ, "PYTHONPATH": path},
        check=False,
        cwd=ROOT,
    )
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
