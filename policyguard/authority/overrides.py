"""Overrides of rules: what one has to be, before a bundle is softened by it.

An override that has ended, is badly signed, is for another tenant or softens what may
not be softened is an error when the settings are read, and never passed over: whoever
wrote it believes that it holds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

from policyguard.authority.people import People
from policyguard.authority.statement import open_statement, sign_statement
from policyguard.errors import AuthorityError
from policyguard.signing.signer import Signer
from policyguard.vocabulary.override import Override

LONGEST: Final = timedelta(days=366)
KIND: Final = "override"
_MAX_BYTES: Final = 64 * 1024


class RuleState(Protocol):
    """Is what is asked of a rule."""

    @property
    def regime(self) -> str:
        """Say of which body of law it is."""

    @property
    def locked(self) -> bool:
        """Say whether no override may soften it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overriding:
    """Signs overrides, and reads those that count."""

    people: People
    rule: Callable[[str], RuleState | None]
    """Finds a rule of the bundle."""
    tenant: str

    def sign(self, override: Override, *, signer: Signer, now: datetime) -> str:
        """Return an override as its author has signed it.

        Raises:
            AuthorityError: the signer may not soften this rule, or nobody may.
        """
        note = sign_statement(override, kind=KIND, signer=signer)
        self.open(note, now=now)
        return note

    def load(self, path: Path, *, now: datetime) -> tuple[Override, str]:
        """Read the override in a file; return it with what was signed.

        Raises:
            AuthorityError: it cannot be read, or does not count; names the file.
        """
        try:
            with path.open("rb") as file:
                data = file.read(_MAX_BYTES)
        except OSError as error:
            raise AuthorityError(
                f"cannot read the override `{path}`:"
                f" {(error.strerror or 'error').lower()}: correct the path under"
                " [authority], or take it out"
            ) from error
        try:
            text = data.decode("utf-8", errors="replace")
            return self.open(text, now=now), text
        except AuthorityError as error:
            raise AuthorityError(f"`{path}`: {error}") from error

    def open(self, note: str, *, now: datetime) -> Override:
        """Return what a signed override says, if it counts at an instant or will.

        Raises:
            AuthorityError: it does not.
        """
        override, name = open_statement(
            note, kind=KIND, form=Override, people=self.people, role="overrider"
        )
        if name != override.author:
            raise AuthorityError(
                f"`{name}` has signed in the name of `{override.author}`"
            )
        self._require_softenable(override)
        if override.tenant != self.tenant:
            raise AuthorityError(
                f"the override is for tenant `{override.tenant}`, and this is"
                f" `{self.tenant}`: sign one for this tenant"
            )
        if not override.since < override.until <= override.since + LONGEST:
            raise AuthorityError(
                "the override ends before it begins, or lasts longer than"
                f" {LONGEST.days} days: sign a shorter one"
            )
        if override.until <= now:
            raise AuthorityError(
                f"the override of `{override.rule}` has ended on"
                f" {override.until:%Y-%m-%d}: take it out of the settings, or sign a new"
                " one"
            )
        return override

    def _require_softenable(self, override: Override) -> None:
        rule = self.rule(override.rule)
        if rule is None:
            raise AuthorityError(
                f"there is no rule `{override.rule}` to soften: `policyguard policy list`"
                " shows all"
            )
        if rule.locked:
            raise AuthorityError(
                f"`{override.rule}` is locked: no override softens it, whoever signs"
            )
        person = self.people.find(override.author, role="overrider")
        if person is None or not person.covers(rule=override.rule, regime=rule.regime):
            raise AuthorityError(
                f"`{override.author}` may not soften `{override.rule}`: add the rule or"
                " its regime to the line in the file of people, or ask another overrider"
            )
