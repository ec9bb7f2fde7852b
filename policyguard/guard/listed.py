"""Refuses questions that say by which lists somebody is named, and name none of them.

Whoever writes `sdn` where the catalog has `ofac-sdn` has said that somebody is listed, and
would clear him by a slip: no rule asks for a list of that name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from policyguard.errors import EvaluationError

if TYPE_CHECKING:
    from policyguard.catalog.catalog import Catalog
    from policyguard.vocabulary.call import ModelCall


def require_known_lists(call: ModelCall, *, catalog: Catalog) -> None:
    """Refuse a question that names a list which the catalog has not.

    Raises:
        EvaluationError: it does; names it, and those that there are.
    """
    known = catalog.entries.lists
    unknown = sorted({name for name in _named(call) if name not in known})
    if unknown:
        raise EvaluationError(
            f"`listed` names `{unknown[0]}`, and the catalog has no such list: write one"
            f" of {', '.join(sorted(known)) or 'none'}",
            code="guard.question",
        )


def _named(call: ModelCall) -> Iterator[str]:
    own = call.caller.organisation if call.caller else None
    for organisation in (own, call.tenant.organisation):
        if organisation is not None:
            yield from organisation.listed or ()
            for owner in organisation.owners or ():
                yield from owner.listed or ()
