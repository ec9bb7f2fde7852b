"""`python tests/services.py`: the servers that tests need, started for the tests alone.

A PostgreSQL of Debian's package (`apt-get install postgresql`), on loopback, on a port
of its own, in a temporary directory that goes with it. Durable as in earnest: `fsync` is
on. Tests start one for themselves; `make services` shows that it can be started.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

PACKAGED = Path("/usr/lib/postgresql")


def binaries() -> Path | None:
    """Return the directory of PostgreSQL's programs, the newest ones."""
    found = sorted(PACKAGED.glob("*/bin/postgres"), key=lambda path: path.parts[-3])
    if found:
        return found[-1].parent
    beside = shutil.which("postgres")
    return Path(beside).parent if beside else None


@dataclass(slots=True, kw_only=True)
class Postgres:
    """Is one server with its data directory."""

    folder: Path
    port: int
    programs: Path
    process: subprocess.Popen[bytes] | None = field(default=None)

    @classmethod
    def create(cls, folder: Path) -> Postgres:
        """Make the data directory; the superuser is `owner`, without a password."""
        programs = binaries()
        assert programs is not None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        folder.chmod(0o700)
        if os.geteuid() == 0:
            os.chown(folder, _account().pw_uid, _account().pw_gid)
        server = cls(folder=folder, port=port, programs=programs)
        command = [
            programs / "initdb",
            "--pgdata",
            folder / "data",
            "--username=owner",
            "--auth=trust",
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C",
        ]
        subprocess.run(command, check=True, capture_output=True, **server._somebody())
        return server

    def start(self, *, fsync: str = "on") -> None:
        """Start the server, and wait until it answers."""
        options = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "fsync": fsync,
            "shared_buffers": "16MB",
            "max_connections": 60,
            "log_min_messages": "fatal",
        }
        command: list[object] = [self.programs / "postgres", "-D", self.folder / "data"]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        # A server that was killed leaves its children for a moment.
        for _ in range(100):
            self.process = subprocess.Popen(
                [str(item) for item in command],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                **self._somebody(),
            )
            if self._answers():
                return
        raise RuntimeError("PostgreSQL does not start")

    def kill(self) -> None:
        """End the server and all that it has started, as a power failure would."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None
            # Its backends are sessions of their own.
            for pid in self._backends():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        """End the server."""
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(timeout=30)
            self.process = None

    def url(self, database: str = "postgres", *, user: str = "owner") -> str:
        """Return the connection URI of a database."""
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def _answers(self) -> bool:
        ready = [self.programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", self.port]
        command = [str(item) for item in ready]
        # After a power failure it recovers first, on a busy machine for a while.
        for _ in range(1_200):
            if self.process is None or self.process.poll() is not None:
                time.sleep(0.05)
                return False
            if subprocess.run(command, check=False).returncode == 0:
                return True
            time.sleep(0.05)
        return False

    def _backends(self) -> list[int]:
        found = []
        for path in Path("/proc").glob("[0-9]*/cwd"):
            with suppress(OSError):
                if path.readlink() == self.folder / "data":
                    found.append(int(path.parts[2]))
        return found

    def _somebody(self) -> dict[str, object]:
        """Say who runs the programs: they refuse to be root's."""
        if os.geteuid() != 0:
            return {}
        account = _account()
        return {"user": account.pw_uid, "group": account.pw_gid, "cwd": "/"}


def _account() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise RuntimeError("there is no account to run PostgreSQL")


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Start a server for a block."""
    with tempfile.TemporaryDirectory(prefix="pg-", dir="/tmp") as folder:
        server = Postgres.create(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.kill()


def main() -> int:
    """Start each service once, and say what is there."""
    programs = binaries()
    if programs is None:
        sys.stderr.write("PostgreSQL is missing: apt-get install postgresql\n")
        return 1
    with postgres() as server:
        version = subprocess.run(
            [server.programs / "postgres", "--version"],
            check=True,
            capture_output=True,
            text=True,
        )
        sys.stdout.write(f"{version.stdout.strip()} answers on port {server.port}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
