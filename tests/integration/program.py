"""The command line as tests run it: in this process, or as the program that it is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner, Result

from policyguard.cli import main

COMMAND: Final = Path(sys.executable).with_name("policyguard")
CALL: Final[dict[str, Any]] = {
    "at": "2026-07-10T12:00:00Z",
    "tenant": {
        "id": "acme",
        "sectors": [],
        "contracts": [
            {
                "operator": "scaleway",
                "dpa": True,
                "training": False,
                "sub_processors": True,
                "remote_access_countries": ["FR"],
            }
        ],
    },
    "caller": {"id": "alice@acme.example"},
    "purpose": {"kind": "inference"},
    "context": {"dod_contract": False, "state_body": "none"},
    "exporter": {"establishment": "DE"},
    "data": {"classes": ["pii"], "subjects": ["DE"]},
    "model": "glm-5.2",
    "route": ["glm-5.2@api.scaleway.ai"],
    "asked": {"model": "glm-5.2", "host": "api.scaleway.ai"},
}
DENIED: Final = {**CALL, "route": ["glm-5.2@open.bigmodel.cn"]}
HOSTILE: Final = "x\x1b[2J\x9b1m\u202e\x07"
"""What a client may have typed: it clears a screen, sets a colour, turns text round."""


def run(*arguments: object, stdin: str | None = None) -> Result:
    """Run the command line in this process."""
    return CliRunner().invoke(main, [str(item) for item in arguments], input=stdin)


def run_program(
    *arguments: object, restricted: bool = False, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run the installed program.

    Args:
        arguments: Its arguments.
        restricted: Whether file permissions bind it even if it is run by root.
        variables: Set in its environment.
    """
    if restricted and os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("root is bound by no permission, and there is no setpriv here")
    prefix = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    return subprocess.run(
        [
            *(prefix if restricted and os.geteuid() == 0 else ()),
            str(COMMAND),
            *(str(item) for item in arguments),
        ],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        env={**os.environ, **variables},
        timeout=60,
    )


def written(folder: Path, document: object) -> Path:
    """Write a document as JSON, and return its path."""
    path = folder / "call.json"
    path.write_text(json.dumps(document))
    return path


def files_in(folder: Path) -> dict[Path, bytes | None]:
    """Return every file with its bytes, and every folder."""
    return {
        path: path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def refused(
    done: Result | subprocess.CompletedProcess[str], *, says: str, code: int = 2
) -> None:
    """Expect one line on standard error, and nothing else."""
    found = done.exit_code if isinstance(done, Result) else done.returncode
    assert (found, done.stdout) == (code, ""), done.stderr
    assert done.stderr.startswith("policyguard: ")
    assert done.stderr.count("\n") == 1, done.stderr
    assert "fault of policyguard" not in done.stderr
    assert says in done.stderr
