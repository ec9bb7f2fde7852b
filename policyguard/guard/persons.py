"""The people whom a call is about, by ids that the caller's code knows them by.

The ids are used to count people once. They are in no question, no record and no log; the
counters keep a keyed hash in their place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from policyguard.errors import ConfigurationError

_GROUPS: Final = {"US": "us", "CN": "china"}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Persons:
    """Holds the ids of people; it shows none of them."""

    us: frozenset[str] = frozenset()
    """US persons (28 CFR 202.256)."""
    china: frozenset[str] = frozenset()
    """People whose data leaves China with the call."""

    def __repr__(self) -> str:
        """Show numbers alone."""
        return f"Persons(us={len(self.us)}, china={len(self.china)})"


NOBODY: Final = Persons()


def persons_of(form: object) -> Persons:
    """Return declared people in their full form.

    Args:
        form: Ids by group: `US` for US persons, `CN` for people in China; or `None`.

    Raises:
        ConfigurationError: another group, or ids that are no texts.
    """
    if form is None:
        return NOBODY
    if isinstance(form, Persons):
        return form
    if not isinstance(form, Mapping):
        raise ConfigurationError(
            f"`data.persons` is a {type(form).__name__}: give a mapping, as"
            ' `{"US": ["u-1", "u-2"]}`'
        )
    found: dict[str, frozenset[str]] = {}
    for group, ids in form.items():
        if group not in _GROUPS:
            raise ConfigurationError(
                f"`data.persons.{group}`: there is no such group: known are"
                f" {', '.join(sorted(_GROUPS))}"
            )
        if isinstance(ids, str) or not isinstance(ids, Iterable):
            raise ConfigurationError(f"`data.persons.{group}`: give a list of ids")
        known = list(ids)
        if not all(isinstance(item, str) and item for item in known):
            raise ConfigurationError(f"`data.persons.{group}`: an id is a text")
        found[_GROUPS[group]] = frozenset(known)
    return Persons(**found)
