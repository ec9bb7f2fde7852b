"""Who asked, and whom a record is about: the names of one process's records.

Owner: one process; all its threads share it, one at a time. A forked child makes its
own and must `leak` this one. What names is durable before the record that it names.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from policyguard.audit.people import People
from policyguard.audit.stores.fleet import Fleet
from policyguard.audit.vault import Callers
from policyguard.errors import PolicyGuardError, TrailError

if TYPE_CHECKING:
    from policyguard.audit.layout import Layout
    from policyguard.audit.people import Person
    from policyguard.audit.stores.postgres_callers import PostgresCallers
    from policyguard.audit.stores.postgres_people import PostgresPeople
    from policyguard.audit.vault import SealedPrompt
    from policyguard.signing.key_source import KeySource

T = TypeVar("T")


class Names:
    """Opens callers and people when they are first needed, and anew after a failure."""

    __slots__ = ("_callers", "_keys", "_lock", "_people", "_place")

    def __init__(self, place: Layout | Fleet, *, keys: KeySource) -> None:
        """Open nothing yet; the keys say what a fleet's vault key is locked under."""
        self._place = place
        self._keys = keys
        self._lock = threading.Lock()
        self._callers: Callers | PostgresCallers | None = None
        self._people: People | PostgresPeople | None = None

    def pseudonym(self, caller: str) -> str:
        """Return the pseudonym of a caller, and make it durable if it is new.

        Raises:
            TrailError: it could not be read or written.
        """

        def ask() -> str:
            if self._callers is None:
                self._callers = (
                    self._place.callers()
                    if isinstance(self._place, Fleet)
                    else Callers(self._place)
                )
            return self._callers.pseudonym(caller)

        return self._asked(ask, what="the caller")

    def people(self, named: AbstractSet[str]) -> Sequence[Person]:
        """Return people in the order of their pseudonyms, made durable if new.

        Raises:
            TrailError: they could not be read or written.
            ConfigurationError: a fleet's passphrase is missing, or another one.
        """
        return self._asked(lambda: self._kept().persons(named), what="the people")

    def seal(
        self, prompt: bytes, *, people: Sequence[Person], leaf: bytes
    ) -> SealedPrompt:
        """Seal a salted prompt under the keys of all whom it is about.

        Raises:
            TrailError: the keys could not be read or written.
            ConfigurationError: a fleet's passphrase is missing, or another one.
        """
        return self._asked(
            lambda: self._kept().seal(prompt, people=people, leaf=leaf),
            what="the people",
        )

    def close(self) -> None:
        """Close what is open."""
        with self._lock:
            self._give_up()

    def leak(self) -> None:
        """Let go of everything in a forked child, without closing it."""
        for part in (self._callers, self._people):
            if part is not None:
                part.leak()

    def _kept(self) -> People | PostgresPeople:
        if self._people is None:
            self._people = (
                self._place.people(self._keys)
                if isinstance(self._place, Fleet)
                else People(self._place)
            )
        return self._people

    def _asked(self, ask: Callable[[], T], *, what: str) -> T:
        with self._lock:
            try:
                return ask()
            except BaseException as error:
                self._give_up()
                if isinstance(error, PolicyGuardError) or not isinstance(
                    error, Exception
                ):
                    raise
                raise TrailError(f"{what} cannot be kept: {error}") from error

    def _give_up(self) -> None:
        """Close what is open: the next question opens it anew."""
        parts = (self._callers, self._people)
        self._callers = self._people = None
        for part in parts:
            if part is not None:
                # What has failed may fail to close.
                with suppress(Exception):
                    part.close()
