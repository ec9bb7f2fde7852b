"""Tests of validating policy in a process of its own."""

from __future__ import annotations

import os
import subprocess

import pytest
from unit.engines.tiny_policy import policy

from policyguard.engines import apart
from policyguard.engines.apart import validate_apart
from policyguard.errors import EngineLoadError

MAIN = "package policyguard.main\n\n"


def test_a_good_policy_is_accepted() -> None:
    validate_apart(policy())


def test_a_refusal_says_what_loading_here_would_say() -> None:
    with pytest.raises(EngineLoadError, match=r"broken\.rego:4"):
        validate_apart(
            policy(modules={"broken.rego": "package policyguard.main\n\nx := {\n"})
        )


HANGING = """
import regorus, sys
sys.stdin.buffer.read()
text = "package hangs\\nx := " + "[" * 60 + "]" * 60
regorus.Engine().add_policy("hangs.rego", text)
"""


def test_a_parser_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    # What is known to hang it is refused before; this is what nobody knows yet.
    ended: list[int] = []
    real = subprocess.Popen.kill
    monkeypatch.setattr(
        subprocess.Popen, "kill", lambda it: (ended.append(it.pid), real(it))
    )
    monkeypatch.setattr(apart, "_PROGRAM", f"import json, sys\n{HANGING}")

    with pytest.raises(EngineLoadError, match=r"not loaded within 2 seconds"):
        validate_apart(policy(), deadline=2)

    (child,) = ended
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_a_crash_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        apart, "_PROGRAM", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    )

    with pytest.raises(EngineLoadError, match=r"crashed on the policy \(status -9\)"):
        validate_apart(policy())


def test_a_process_that_cannot_begin_is_a_refusal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(apart.sys, "executable", "/nonexistent/python")

    with pytest.raises(EngineLoadError, match="no process could be started"):
        validate_apart(policy())
