"""Presidio, as far as it needs no model: it adds, opens nothing, and is named if absent."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import guards
import pytest

from policyguard import Guard, NoDecision
from policyguard.detection.presidio import NUMBERS, presidio_detectors
from policyguard.detection.search import MOST_WITH_MORE, search
from policyguard.errors import ConfigurationError
from policyguard.settings import DetectionSettings
from policyguard.vocabulary.found import Found, FoundCount

try:
    import presidio_analyzer
except ImportError:
    presidio_analyzer = None

installed = pytest.mark.skipif(
    presidio_analyzer is None, reason="the extra `presidio` is not installed"
)


def test_without_it_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)

    with pytest.raises(ConfigurationError, match=r"policyguard-ai\[presidio\]"):
        presidio_detectors()


@installed
def test_it_adds_what_has_check_digits_and_opens_no_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[object] = []

    def connect(*address: object) -> None:
        opened.append(address)
        raise OSError

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", connect)
    more = presidio_detectors()

    found = search("PESEL 44051401359, mail jane@example.org", more=more)
    wrong = search("PESEL 44051401358, order 12345678", more=more)
    called = search("reach me under 030 901820", more=more)

    assert found.kinds == (
        FoundCount(kind="email", count=1),
        FoundCount(kind="national_id", count=1),
    )
    assert (wrong.kinds, opened) == ((), [])
    assert called.kinds == (FoundCount(kind="phone", count=1),)
    assert len(NUMBERS) == 16


@installed
def test_a_text_that_is_long_for_it_is_not_searched() -> None:
    text = "x" * (MOST_WITH_MORE + 1)

    assert search(text, more=presidio_detectors()) == Found(complete=False)
    assert search(text).complete


@installed
def test_a_guard_that_settings_tell_to_searches_with_it(tmp_path: Path) -> None:
    known = guards.settings(tmp_path)
    asked = DetectionSettings(undeclared="refuse", presidio=True)
    facts = {**guards.TICKETS, "data": {"classes": ["none"]}}
    chosen = known.model_copy(update={"detection": asked})
    with Guard(settings=chosen, clock=lambda: guards.SUMMER) as guard:
        decorate = guard.bind(**facts).guarded(model="glm-5.2", host="api.scaleway.ai")
        echo = decorate(lambda text: text)
        with pytest.raises(NoDecision, match="national_id 1x"):
            echo("PESEL 44051401359")

        assert echo("no number") == "no number"
