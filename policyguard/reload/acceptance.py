"""Decides whether an offered bundle may take over; pure but for the keys' arithmetic.

A bundle is trusted by a key of the settings' file that signed it, or by its digest in
that file. With keys, revisions only rise: a genuine old bundle, put back by whoever
controls the server, is refused unless the file names that very revision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from policyguard.bundle.revision import is_older
from policyguard.bundle.signature import verify_files
from policyguard.bundle.source import Bundle, load_files
from policyguard.errors import BundleError, BundleRefused
from policyguard.reload.memory import Remembered
from policyguard.reload.offer import Offer
from policyguard.signing.jws import JwsKey
from policyguard.vocabulary.decision import BundleRef
from policyguard.vocabulary.record import PolicySource


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Is why a bundle is believed: keys, or one digest."""

    keys: tuple[JwsKey, ...] = ()
    scope: str = ""
    digest: str | None = None
    lower_to: str | None = None
    """The one older revision that may take over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """Is a bundle that may decide, once an engine takes it."""

    bundle: Bundle
    files: Mapping[str, bytes] = field(repr=False)
    source: PolicySource
    offered: str
    signed_by: str | None
    lowered: bool

    @property
    def ref(self) -> BundleRef:
        """Name the bundle as records do."""
        return BundleRef(revision=self.bundle.revision, digest=self.bundle.digest)


def accept(offer: Offer, *, trust: Trust, remembered: Remembered | None) -> Accepted:
    """Return the bundle of an offer that may take over.

    Args:
        offer: What was read.
        trust: Why it would be believed.
        remembered: What was in use before, if anything was.

    Raises:
        BundleRefused: it is no bundle, is not signed by a trusted key or has not the trusted
            digest, or is older than what was in use.
    """
    if offer.files is None:
        raise BundleRefused(offer.fault, code="bundle.unreadable", offered=offer.digest)
    signed_by = _verified(offer, offer.files, trust)
    try:
        bundle = load_files(offer.files, name=offer.name)
    except BundleError as error:
        raise BundleRefused(
            str(error), code="bundle.malformed", offered=offer.digest
        ) from error
    if not trust.keys:
        _require_digest(bundle, offer, trust)
        lowered = False
    else:
        lowered = _require_rising(bundle, offer, trust, remembered)
    return Accepted(
        bundle=bundle,
        files=offer.files,
        source=offer.source,
        offered=offer.digest,
        signed_by=signed_by,
        lowered=lowered,
    )


def _verified(offer: Offer, files: Mapping[str, bytes], trust: Trust) -> str | None:
    if not trust.keys:
        return None
    try:
        signed = verify_files(
            files, keys=trust.keys, scope=trust.scope, name=f"`{offer.name}`"
        )
    except BundleError as error:
        raise BundleRefused(
            str(error), code="bundle.signature", offered=offer.digest
        ) from error
    return signed.key


def _require_digest(bundle: Bundle, offer: Offer, trust: Trust) -> None:
    if trust.digest is None:
        raise BundleRefused(
            f"the bundle at `{offer.name}` is not trusted: after reading it, set"
            f' `digest = "{bundle.digest}"` under [bundle], or name the key that signed'
            " it under [[bundle.keys]]",
            code="bundle.signature",
            offered=offer.digest,
        )
    if bundle.digest != trust.digest:
        raise BundleRefused(
            f"the bundle at `{offer.name}` has digest `{bundle.digest}` and the trusted"
            f" one is `{trust.digest}`: restore it, or trust the new one knowingly",
            code="bundle.signature",
            offered=offer.digest,
        )


def _require_rising(
    bundle: Bundle, offer: Offer, trust: Trust, remembered: Remembered | None
) -> bool:
    last = None if remembered is None else remembered.signed
    if last is None or last.digest == bundle.digest:
        return False
    older = is_older(bundle.revision, last.revision)
    if trust.lower_to == bundle.revision:
        return older
    if older:
        raise BundleRefused(
            f"the bundle at `{offer.name}` has revision `{bundle.revision}`, which is"
            f" older than `{last.revision}`: sign a newer one, or go back knowingly with"
            f' `lower_to = "{bundle.revision}"` under [bundle]',
            code="bundle.revision",
            offered=offer.digest,
        )
    if not is_older(last.revision, bundle.revision):
        raise BundleRefused(
            f"the bundle at `{offer.name}` has revision `{bundle.revision}` again and"
            " other content: give it a revision of its own",
            code="bundle.revision",
            offered=offer.digest,
        )
    return False
