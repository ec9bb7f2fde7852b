"""What every entry of a catalog is: said by somebody, on some day, for some time."""

from __future__ import annotations

from datetime import date
from typing import Self

from pydantic import model_validator

from policyguard.vocabulary.value import Instant, Text, Value


class Sourced(Value):
    """Is anything that someone has to have said, somewhere, at some time."""

    source: Text
    """Where this can be read: a document and its section, or a path."""
    as_of: date
    replaces: bool = False
    """Set in an overlay that means to replace a shipped entry of the same id."""


class Window(Value):
    """Is a span of time `[since, until)`; the source says why."""

    since: Instant | None = None
    until: Instant | None = None
    verified: bool = False
    """Whether a person has checked both instants against the source; unsaid: nobody."""
    source: Text | None = None

    @model_validator(mode="after")
    def _runs_forward(self) -> Self:
        if self.since and self.until and self.since >= self.until:
            raise ValueError("a window must end after it begins")
        return self
