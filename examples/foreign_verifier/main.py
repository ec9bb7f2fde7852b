"""Make a small trail, let a verifier that knows nothing of us read it, and lie to it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

from policyguard import Guard, ModelCall, Settings
from policyguard.settings import TrailSettings

HERE = Path(__file__).parent


def verify(trail: Path) -> int:
    """Run the foreign verifier, and return its exit code."""
    command = [sys.executable, "-I", str(HERE / "verify.py"), str(trail)]
    return subprocess.run(command, check=False).returncode  # noqa: S603 -- our own file


def main() -> None:
    """Check two calls, verify their records elsewhere, then change one."""
    trail = Path.cwd() / "trail"
    with Guard(settings=Settings(trail=TrailSettings(directory=trail))) as guard:
        for host in ("api.scaleway.ai", "open.bigmodel.cn"):
            call = {
                "at": "2026-07-10T12:00:00Z",
                "tenant": {"id": "acme"},
                "asked": {"model": "glm-5.2", "host": host},
            }
            print(host, guard.check(ModelCall.model_validate(call)).verdict)
    assert verify(trail) == 0

    log = sqlite3.connect(trail / "logs/app-1/log.sqlite")
    with log:
        log.execute(
            "UPDATE entry SET body = CAST(replace(CAST(body AS TEXT),"
            " 'require_approval', 'allow') AS BLOB) WHERE idx = 1"
        )
    log.close()
    assert verify(trail) == 1


if __name__ == "__main__":
    main()
