"""`make sdks`: run the tests of the guarded clients with other versions of the SDKs.

    python tests/sdks.py [--few] [SET …]

Each set is installed beside the locked packages, which it hides, and the tests run as
they are. What an old version lacks is skipped by name. `--few` runs the matrix of ways
out, the shapes of denials and the batches alone, as `make oldest` does in CI. The set
`proxy` has what LiteLLM's proxy needs, by its lock file, and `frameworks` others that
stand on an SDK. Exits with 1 if a set fails.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / ".tools" / "sdks"
SETS = {
    # The oldest that the extras allow; httpx2 as old as these take.
    "oldest": (
        *("openai==2.54.0", "distro", "tqdm", "sniffio"),
        *("anthropic==2.0.0", "httpx2==2.7.0"),
    ),
    # The first of openai that stands on httpx2.
    "first-3": ("openai==3.0.0", "anthropic==2.0.0"),
    "newest": ("openai", "anthropic", "httpx2"),
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
    "frameworks": ("test_other_frameworks.py",),
    "proxy": ("test_litellm_proxy.py",),
}
"""What runs with a set in place of `TESTS`."""
FEW = ("test_batches.py", "test_wire_denial.py", "test_wire_matrix.py")
TESTS = (
    "test_anthropic.py",
    "test_batches.py",
    "test_doctor.py",
    "test_httpx_clients.py",
    "test_openai_attempts.py",
    "test_openai_calls.py",
    "test_openai_describe.py",
    "test_openai_overrides.py",
    "test_openai_streams.py",
    "test_served.py",
    "test_wire_body.py",
    "test_wire_denial.py",
    "test_wire_form.py",
    "test_wire_matrix.py",
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
    httpx2 = [item for item in SETS[name] if item.startswith("httpx2==")]
    wanted = [*SETS[name], *(item.replace("httpx2", "httpcore2") for item in httpx2)]
    sys.stdout.write(f"{name}: {', '.join(wanted)}\n")
    sys.stdout.flush()
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run(
        [*pip, "--upgrade", "--target", str(place), *wanted], check=True, cwd=ROOT
    )
    chosen = OF.get(name, FEW if few else TESTS)
    tests = [str(ROOT / "tests" / "integration" / test) for test in chosen]
    # Each process would start a proxy of its own.
    at_once = "0" if name == "proxy" else "auto"
    path = os.pathsep.join(filter(None, [str(place), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", at_once, *tests],
        env={**os.environ, "PYTHONPATH": path},
        check=False,
        cwd=ROOT,
    )
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
