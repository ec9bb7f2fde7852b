"""Places that a checkpoint is sent to: a command, a directory, a URL.

A sink is memory that the writer cannot take back: another machine's repository, a
write-once volume, a mailbox. It is told by `policyguard audit anchor`, or by a thread
beside the one that writes the log: what a sink does delays no decision.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from policyguard.audit.layout import read_small, write_small
from policyguard.audit.outside.post import DEADLINE_SECONDS, post
from policyguard.errors import OutsideError, TamperedError, TrailError
from policyguard.signing.text import excerpt
from policyguard.tlog import Checkpoint

COMMAND_SECONDS: Final = 60.0
_MAX_ANSWER_BYTES: Final = 65_536
_SHOWN: Final = 200


class Sink(Protocol):
    """Takes checkpoints."""

    @property
    def name(self) -> str:
        """What it is called where its state is shown."""
        ...

    def send(self, checkpoint: Checkpoint, *, note: str) -> None:
        """Take a checkpoint.

        Args:
            checkpoint: What it says.
            note: The signed checkpoint, byte for byte, with what cosigns it.

        Raises:
            OutsideError: it was not taken.
            TamperedError: it contradicts what was taken before.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSink:
    """Runs a program that reads the checkpoint on its standard input.

    POLICYGUARD_ORIGIN and POLICYGUARD_SIZE are in its environment.
    """

    command: Sequence[str]
    deadline: float = COMMAND_SECONDS

    @property
    def name(self) -> str:
        """The command's program."""
        return f"command {Path(self.command[0]).name}"

    def send(self, checkpoint: Checkpoint, *, note: str) -> None:
        """Run the command; exit code 0 says that it has taken the checkpoint.

        Raises:
            OutsideError: it cannot be run, takes too long, or has another exit code.
        """
        try:
            done = subprocess.run(  # noqa: S603 -- the settings name it
                list(self.command),
                input=note.encode(),
                env={
                    **os.environ,
                    "POLICYGUARD_ORIGIN": checkpoint.origin,
                    "POLICYGUARD_SIZE": str(checkpoint.size),
                },
                capture_output=True,
                timeout=self.deadline,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise OutsideError(
                f"the command `{self.command[0]}` took more than {self.deadline:g}"
                " seconds"
            ) from error
        except OSError as error:
            raise OutsideError(
                f"the command `{self.command[0]}` cannot be run:"
                f" {(error.strerror or 'error').lower()}"
            ) from error
        if done.returncode:
            said = " ".join(done.stderr.decode("utf-8", "replace").split())[:_SHOWN]
            raise OutsideError(
                f"the command `{self.command[0]}` ended with {done.returncode}:"
                f" {excerpt(said) or 'it said nothing'}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectorySink:
    """Writes each checkpoint to a file of its own, and never over another one."""

    directory: Path

    @property
    def name(self) -> str:
        """The directory."""
        return f"directory {self.directory}"

    def send(self, checkpoint: Checkpoint, *, note: str) -> None:
        """Write the file, or compare it with the one that is there.

        Raises:
            OutsideError: it cannot be written or read.
            TamperedError: there is another checkpoint of that size.
        """
        origin = checkpoint.origin.replace("/", "_")
        path = self.directory / f"{origin}@{checkpoint.size}.checkpoint"
        try:
            if not path.exists():
                write_small(path, note.encode())
                return
            known = read_small(path).partition(b"\n\n")[0] + b"\n"
        except TrailError as error:
            raise OutsideError(str(error)) from error
        if known != checkpoint.format().encode():
            raise TamperedError(
                f"the log {checkpoint.origin} is not the one whose checkpoint is in"
                f" `{path}`: there are two histories of its first {checkpoint.size}"
                " records"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlSink:
    """Posts the checkpoint to a URL; a status of 200 to 299 says that it is taken."""

    url: str
    deadline: float = DEADLINE_SECONDS

    @property
    def name(self) -> str:
        """The URL."""
        return f"url {self.url}"

    def send(self, checkpoint: Checkpoint, *, note: str) -> None:
        """Post the checkpoint as plain text.

        Raises:
            OutsideError: there is no answer, or another status.
        """
        answer = post(
            self.url,
            note.encode(),
            content_type="text/plain; charset=utf-8",
            limit=_MAX_ANSWER_BYTES,
            deadline=self.deadline,
        )
        if not answer.is_ok:
            raise OutsideError(
                f"`{excerpt(self.url)}` has not taken the checkpoint of size"
                f" {checkpoint.size}: status {answer.status}"
            )
