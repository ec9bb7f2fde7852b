"""Makes the answer to a request whose caller could not be named, and cleans headers.

RFC 9457 for the body, RFC 6750 for the challenge. INVARIANT: nothing of the request is
repeated in the answer, and a client learns no more than the word of the reason.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from policyguard.errors import CallerRefused, ConfigurationError
from policyguard.guard.events import log
from policyguard.integrations.callers import Callers, Headers
from policyguard.vocabulary.call import Caller

Anonymous: TypeAlias = Literal["refuse", "pass"]
"""What becomes of a request that names nobody: `pass` runs the application without
a caller, and a guard that is bound with `FROM_CONTEXT` then refuses."""
_UNAUTHORIZED: Final = 401
_TITLES: Final = {_UNAUTHORIZED: "Unauthorized", 403: "Forbidden"}
_MISSING: Final = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Is what is sent in place of the application's answer."""

    status: int
    title: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


def named(
    callers: Callers, headers: Headers, *, peer: str | None, anonymous: Anonymous
) -> Caller | None:
    """Return the caller, or `None` where nobody may be named.

    Raises:
        CallerRefused: there is no caller, or none that is proved.
    """
    try:
        caller = callers.caller_of(headers, peer=peer)
    except CallerRefused as refused:
        log.info("caller.refused", reason=refused.reason, status=refused.status)
        raise
    except Exception as error:
        # Whatever goes wrong here names nobody.
        log.error("caller.not_named", reason=type(error).__name__)
        raise CallerRefused("the caller was not named", reason="trouble") from error
    if caller is None and anonymous != "pass":
        log.info("caller.refused", reason=_MISSING, status=_UNAUTHORIZED)
        raise CallerRefused("nobody names the caller", reason=_MISSING)
    return caller


def checked_anonymous(anonymous: str) -> None:
    """Make sure that a setting is one.

    Raises:
        ConfigurationError: it is not.
    """
    if anonymous not in {"refuse", "pass"}:
        raise ConfigurationError(f"`anonymous` is `{anonymous}`: say refuse or pass")


def challenge(callers: Callers, refused: CallerRefused) -> Mapping[str, str]:
    """Return the header that says how to prove oneself, for a 401."""
    if refused.status != _UNAUTHORIZED:
        return {}
    given = callers.challenge
    if given.startswith("Bearer") and refused.reason != _MISSING:
        given += ', error="invalid_token"'
    return {"www-authenticate": given}


def answer(callers: Callers, refused: CallerRefused) -> Answer:
    """Return what a client gets, as `application/problem+json`."""
    title = _TITLES.get(refused.status, _TITLES[403])
    problem = {
        "type": "about:blank",
        "title": title,
        "status": refused.status,
        "detail": f"the caller could not be named: {refused.reason}",
    }
    body = json.dumps(problem).encode("ascii")
    return Answer(
        status=refused.status,
        title=title,
        headers=(
            ("content-type", "application/problem+json"),
            ("content-length", str(len(body))),
            ("cache-control", "no-store"),
            *challenge(callers, refused).items(),
        ),
        body=body,
    )
