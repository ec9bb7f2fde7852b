"""Asks a program of OPA many questions at once, for whoever compares engines.

Each run reads the policy from files of its own and answers all questions, so that no
server has to be started and no port is taken. OPA gives a whole run up for one question
on which rules conflict: then the questions are halved until that one is alone.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import orjson

from policyguard.canonical import Json
from policyguard.engines.protocol import PolicySet
from policyguard.errors import ConfigurationError

_QUERY: Final = (
    "answers := {{key: answer | some key, question in input.questions;"
    " answer := {entrypoint} with input as question}}"
)


def answers_of(
    program: Path, policy: PolicySet, questions: Sequence[Json]
) -> list[Json]:
    """Return OPA's decision on each question; `None` where it has none.

    Args:
        program: OPA's program.
        policy: The rules and the catalog.
        questions: What it is asked.

    Raises:
        ConfigurationError: the program cannot be run, or does not load the policy.
    """
    with TemporaryDirectory() as folder:
        held = Path(folder, "policy")
        for name, text in policy.modules.items():
            file = held / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
        (held / "data.json").write_bytes(orjson.dumps(dict(policy.data)))
        asked = _Asked(program, held, Path(folder, "input.json"), policy.entrypoint)
        asked.require_loads()
        return asked.answers(questions)


class _Asked:
    def __init__(self, program: Path, held: Path, file: Path, entrypoint: str) -> None:
        self._file = file
        self._command = [str(program), "eval", "--format=json", f"--data={held}"]
        self._command += [f"--input={file}", _QUERY.format(entrypoint=entrypoint)]

    def require_loads(self) -> None:
        done = self._run([])
        if done.returncode:
            said = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
            raise ConfigurationError(f"OPA does not load the policy: {said[:2_000]}")

    def answers(self, questions: Sequence[Json]) -> list[Json]:
        if not questions:
            return []
        done = self._run(questions)
        if done.returncode == 0:
            found = _bound(done.stdout)
            return [found.get(str(number)) for number in range(len(questions))]
        if len(questions) == 1:
            return [None]
        middle = len(questions) // 2
        return [*self.answers(questions[:middle]), *self.answers(questions[middle:])]

    def _run(self, questions: Sequence[Json]) -> subprocess.CompletedProcess[bytes]:
        named = {str(number): question for number, question in enumerate(questions)}
        self._file.write_bytes(orjson.dumps({"questions": named}))
        try:
            return subprocess.run(  # noqa: S603 -- the program that the author names
                self._command, capture_output=True, check=False
            )
        except OSError as error:
            raise ConfigurationError(f"OPA cannot be run: {error}") from error


def _bound(output: bytes) -> dict[str, Json]:
    try:
        answers: Any = orjson.loads(output)["result"][0]["bindings"]["answers"]
        return dict(answers)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise ConfigurationError("OPA's output is none of `opa eval`") from error
