"""The group of all commands, which turns every failure into one line and an exit code.

Exit codes: 0 for yes, 1 for no, 2 for a question that could not be answered, 130 when
interrupted, 141 when whoever reads the output has gone. A failure is one line on
standard error that says what to do; nothing that was given or read can put control
characters there.
"""

from __future__ import annotations

import logging
import os
import re
import sqlite3
import sys
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from policyguard.cli.terminal import printable
from policyguard.errors import PolicyGuardError

UNANSWERED: Final = 2
INTERRUPTED: Final = 130
BROKEN_PIPE: Final = 141
_QUOTED: Final = re.compile(r"'([^']*)'")


class CommandLine(click.Group):
    """Is the program; its failures are one line each."""

    def main(
        self,
        args: Any = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT002 -- click's signature
        **extra: Any,
    ) -> Any:
        """Run the command line and exit, as `click.Command.main` does."""
        name = prog_name or "policyguard"
        if not standalone_mode:
            return super().main(
                args, name, complete_var, standalone_mode=False, **extra
            )
        _be_an_application()
        try:
            # Click ends with `SystemExit` where its reader has gone; see `_Checked`.
            code = super().main(
                args, name, complete_var, standalone_mode=False, **extra
            )
            sys.stdout.flush()
        except BrokenPipeError:
            _leave_pipe()
        except (click.Abort, KeyboardInterrupt):
            _fail("interrupted", code=INTERRUPTED)
        except click.ClickException as error:
            _fail(_usage(error))
        except PolicyGuardError as error:
            _fail(str(error))
        except sqlite3.Error as error:
            _fail(f"a database of the trail cannot be read: {error}: restore it")
        except OSError as error:
            _fail(_system(error))
        except Exception as error:
            if sys.flags.dev_mode:
                raise
            _fail(
                f"{type(error).__name__}: {error}: this is a fault of policyguard:"
                " run it with `PYTHONDEVMODE=1` for the details"
            )
        sys.exit(code if isinstance(code, int) else 0)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; let nobody else decide what a broken pipe means."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            _leave_pipe()


def one_line(text: str) -> str:
    """Return text without line ends and control characters, for a terminal."""
    return printable(" ".join(text.split()))


def _fail(message: str, *, code: int = UNANSWERED) -> NoReturn:
    click.echo(f"policyguard: {one_line(message)}", err=True)
    sys.exit(code)


def _be_an_application() -> None:
    """Set up what a library leaves to its application: logging and the output's form."""
    logger = logging.getLogger("policyguard")
    if not logger.handlers:
        # What is worth a line, the commands say themselves.
        logger.addHandler(logging.NullHandler())
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            # Closed by whoever started the program: it does not want to be told.
            nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 -- for good
            setattr(sys, name, nowhere)
        stream = getattr(sys, name)
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            # A terminal that lacks a character must not stop a verification.
            reconfigure(errors="replace")


def _leave_pipe() -> NoReturn:
    # Python flushes at exit, which would fail again, aloud.
    if hasattr(sys.stdout, "fileno"):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(BROKEN_PIPE)


def _usage(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "policyguard"
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        known = sorted(getattr(error.ctx.command, "commands", {}))
        text = f"give a command: {', '.join(known)}" if known else "give an argument"
    else:
        text = _QUOTED.sub(r"`\1`", error.format_message()).rstrip(".")
        text = f"{text[:1].lower()}{text[1:]}"
    return f"{text}: see `{path} --help`"


def _system(error: OSError) -> str:
    reason = (error.strerror or type(error).__name__).lower()
    where = f" `{error.filename}`" if error.filename else ""
    return (
        f"cannot use{where or ' a file'}: {reason}: correct the path or its permissions"
    )
