"""Whoever looks for new policy goes on looking, whatever befalls one look."""

from __future__ import annotations

import threading

from policyguard.guard.policy import Turn
from policyguard.reload.looking import Looking


def test_a_library_that_panics_ends_no_looks() -> None:
    looks, again = [], threading.Event()

    def look() -> bool:
        looks.append("looked")
        if len(looks) == 1:
            raise SystemExit
        again.set()
        return False

    looking = Looking(look, turn=Turn(), seconds=0.001)
    looking.start()
    found = again.wait(20)
    looking.close()

    assert found
    assert looking.failures == 1
