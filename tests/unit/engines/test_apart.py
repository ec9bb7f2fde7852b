"""Tests of validating policy in a process of its own."""

from __future__ import annotations

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


def test_a_parser_that_hangs_is_ended() -> None:
    with pytest.raises(EngineLoadError, match=r"not loaded within 0\.01 seconds"):
        validate_apart(policy(), deadline=0.01)


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
