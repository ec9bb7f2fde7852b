"""What the words of clients mean in one catalog, remembered.

Owner: the policy that it belongs to; all threads share it, and none takes a lock: one
that loses a race looks the same words up once more. The same words give the same values,
so that what is written of them is found by identity.

INVARIANT: whoever asks chooses the words, so nothing is remembered that is longer than
words of a call are (`Asked` bounds the host): memory is bounded, whatever is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from policyguard.catalog.catalog import Catalog
from policyguard.guard.describe import Described
from policyguard.vocabulary.call import Asked

MOST_WORDS: Final = 4_096
"""Of clients, of which it is remembered what they mean."""
_LONGEST_NAME: Final = 256
_LONGEST_PATH: Final = 1_024


class Meant(NamedTuple):
    """Is what a client's words mean."""

    asked: Asked
    model: str | None
    route: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Meanings:
    """Finds what words mean in a catalog."""

    catalog: Catalog
    _known: dict[tuple[str | None, str | None, str, bool], Meant] = field(
        init=False, repr=False, default_factory=dict
    )

    def of(self, described: Described) -> Meant:
        """Return what the words of a call mean.

        Raises:
            ValidationError: its host is longer than any.
        """
        words = (described.model, described.host, described.path, described.opaque)
        found = self._known.get(words)
        if found is None:
            found = self._found(described)
            if _is_short(described):
                if len(self._known) >= MOST_WORDS:
                    self._known.clear()
                self._known[words] = found
        return found

    def _found(self, described: Described) -> Meant:
        name = described.model if len(described.model or "") <= _LONGEST_NAME else None
        known = self.catalog.resolve(
            asked_model=name, host=described.host, path=described.path
        )
        asked = Asked(model=name, host=described.host, opaque=described.opaque)
        return Meant(asked=asked, model=known.model, route=(known.deployment,))


def _is_short(described: Described) -> bool:
    return (
        len(described.model or "") <= _LONGEST_NAME
        and len(described.path) <= _LONGEST_PATH
    )
