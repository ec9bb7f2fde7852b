"""System calls that fail, or that kill whoever makes them: strace does it.

A process that has imported what is needed forks for each fault, strace takes hold of
the fork, and only then the work begins: a fault costs no start of an interpreter, and
the first call that is counted is the work's own. What a work says goes through a
socket, so that no `write` of its own is among the calls.

    with Failing() as failing:
        ran = failing.run("disk_work:write", trail, "fdatasync:error=EIO:when=3")
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NoReturn, Self

TESTS = Path(__file__).parent
STRACE = shutil.which("strace")
PATIENCE = 60
"""Seconds that a work may take."""
ROOM = 200_000_000
_ANY_TRACER = (0x59616D61, -1)

Say = Callable[[str], None]
Work = Callable[[Path, Say], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """Is what came of a work."""

    said: tuple[str, ...]
    raised: str | None
    """What it raised that it should not have, with its traceback."""
    killed: bool
    hit: bool
    """Whether a call of its failed, or it was killed: the fault had its call."""

    @property
    def told(self) -> set[str]:
        """What the work was told is kept."""
        return {line for line in self.said if not line.startswith("refused")}

    @property
    def refused(self) -> bool:
        """Whether the work was refused something."""
        return any(line.startswith("refused") for line in self.said)


@dataclass(slots=True, kw_only=True)
class Failing:
    """Is the process that forks."""

    process: subprocess.Popen[str] | None = field(default=None)

    def __enter__(self) -> Self:
        """Start it."""
        self.process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": f"{TESTS.parent}:{TESTS}"},
        )
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        if self.process is not None:
            self.process.communicate()
            self.process = None

    def run(self, work: str, place: Path, fault: str) -> Ran:
        """Let a work meet a fault.

        Args:
            work: `module:function`.
            place: What it works on.
            fault: As strace's `inject=` takes it.
        """
        process = self.process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps([work, str(place), fault]) + "\n")
        process.stdin.flush()
        return Ran(**json.loads(process.stdout.readline(), object_hook=_tuples))


@cache
def can_fail() -> bool:
    """Say whether strace is there, and permitted."""
    if STRACE is None:
        return False
    with tempfile.TemporaryDirectory() as folder, Failing() as failing:
        fault = "mkdir:error=EIO:when=1"
        return failing.run("failing:try_it", Path(folder) / "new", fault).hit


def in_memory() -> str | None:
    """Return a folder in memory, where there is one: faults need no disk."""
    place = Path("/dev/shm")
    roomy = place.is_dir() and shutil.disk_usage(place).free > ROOM
    return str(place) if roomy and os.access(place, os.W_OK) else None


def try_it(place: Path, say: Say) -> None:
    """Make a directory, for `can_fail`."""
    try:
        place.mkdir()
    except OSError as error:
        say(f"refused {error}")


def _tuples(found: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(v) if isinstance(v, list) else v for name, v in found.items()}


def _serve() -> None:
    warm: set[str] = set()
    for line in sys.stdin:
        name, place, fault = json.loads(line)
        module, _, function = name.partition(":")
        work: Work = getattr(importlib.import_module(module), function)
        if name not in warm:
            warm.add(name)
            _import_what_it_imports(work, Path(place))
        sys.stdout.write(json.dumps(_run(work, Path(place), fault)) + "\n")
        sys.stdout.flush()


def _import_what_it_imports(work: Work, place: Path) -> None:
    """Let the work run once on a copy, and import here what it has imported there."""
    read, write = os.pipe()
    if os.fork() == 0:
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "copy"
            shutil.copytree(place.parent, copy)
            work(copy / place.name, lambda _: None)
        os.write(write, json.dumps(sorted(sys.modules)).encode())
        os._exit(0)
    os.close(write)
    with open(read, encoding="utf-8") as names:  # noqa: PTH123 -- a pipe
        known = names.read()
    os.wait()
    for name in json.loads(known or "[]"):
        if name not in sys.modules:
            importlib.import_module(name)


def _run(work: Work, place: Path, fault: str) -> dict[str, Any]:
    here, there = socket.socketpair()
    child = os.fork()
    if child == 0:
        here.close()
        _work(work, place, there)
    there.close()
    calls = fault.partition(":")[0]
    with tempfile.NamedTemporaryFile() as log:
        # Without `-q` strace says when it has taken hold.
        command = [STRACE or "", "-f", "-o", log.name, "-e", f"trace={calls}"]
        tracer = subprocess.Popen(
            [*command, "-e", "signal=none", "-e", f"inject={fault}", "-p", str(child)],
            stderr=subprocess.PIPE,
        )
        assert tracer.stderr is not None
        held = b"attached" in tracer.stderr.readline()
        here.settimeout(PATIENCE)
        if held:
            here.send(b"begin\n")
        else:
            here.shutdown(socket.SHUT_RDWR)
        with here, here.makefile("r", encoding="utf-8") as lines:
            said = [line.removesuffix("\n") for line in lines]
        _, status = os.waitpid(child, 0)
        tracer.stderr.read()
        tracer.wait()
        injected = b"(INJECTED)" in Path(log.name).read_bytes()
    killed = os.WIFSIGNALED(status)
    raised = [json.loads(line[7:]) for line in said if line.startswith("raised ")]
    return {
        "said": [line for line in said if not line.startswith("raised ")],
        "raised": raised[0] if raised else None,
        "killed": killed,
        "hit": killed or injected,
    }


def _work(work: Work, place: Path, there: socket.socket) -> NoReturn:
    # Where only an ancestor may trace, strace is none.
    ctypes.CDLL(None).prctl(*_ANY_TRACER, 0, 0, 0)
    if there.recv(16):
        try:
            work(place, lambda line: there.sendall(f"{line}\n".encode()))
        except BaseException:  # noqa: BLE001 -- whoever asked is told of it
            text = json.dumps(traceback.format_exc())
            there.sendall(f"raised {text}\n".encode())
    # Not the interpreter's end: what it would do was the parent's to do.
    os._exit(0)


def main(_: Sequence[str] = ()) -> None:
    """Serve until nobody asks any more."""
    sys.modules["failing"] = sys.modules["__main__"]
    _serve()


if __name__ == "__main__":
    main()
