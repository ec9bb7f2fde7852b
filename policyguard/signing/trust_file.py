"""The trust file of a verifier: which logs, which witnesses, which quorum.

The format is https://c2sp.org/tlog-policy: lines `log <vkey> [<url>]`,
`witness <name> <vkey> [<url>]`, `group <name> <all|any|k> <name>…` and one
`quorum <name|none>`; blank lines and lines that start with `#` are ignored. A file
without witnesses may leave the quorum away, which then is `none`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from policyguard.errors import ConfigurationError, FormatError
from policyguard.signing.keyring import SignatureType, VerifierKey
from policyguard.signing.text import decode_decimal, decode_text, excerpt

NO_QUORUM: Final = "none"
MAX_TRUST_FILE_BYTES: Final = 1_000_000
_ITEM: Final = re.compile(r"[^ \t]+")
_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_NOT_IN_ITEM: Final = re.compile(r"[\x00-\x20\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedLog:
    """A log whose checkpoints are accepted; the key's name is the log's origin."""

    key: VerifierKey
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedWitness:
    """A witness, under a name that has a meaning in this file only."""

    name: str
    key: VerifierKey
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessGroup:
    """Witnesses and groups of which `threshold` have to agree (`all`, `any`, `k`)."""

    name: str
    threshold: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustFile:
    """Everything that a trust file says, in the order in which it says it."""

    logs: tuple[TrustedLog, ...] = ()
    witnesses: tuple[TrustedWitness, ...] = ()
    groups: tuple[WitnessGroup, ...] = ()
    quorum: str = NO_QUORUM

    def __post_init__(self) -> None:
        """Refuse names that are missing, taken or used twice, and wrong keys."""
        _refuse_wrong_keys(self)
        _refuse_wrong_items(self)
        _refuse_wrong_names(self)

    @classmethod
    def parse(cls, text: str | bytes) -> TrustFile:
        """Read a trust file.

        Raises:
            FormatError: a line is not one of the format; the message has its number.
        """
        decoded = decode_text(text, what="the trust file", limit=MAX_TRUST_FILE_BYTES)
        if _FORBIDDEN.search(decoded):
            raise FormatError("the trust file has a control character")
        lines = _Lines(logs=[], witnesses=[], groups=[], quorums=[], names=set())
        for number, line in enumerate(decoded.split("\n"), start=1):
            items = _ITEM.findall(line)
            if items and not items[0].startswith("#"):
                try:
                    lines.add(items)
                except FormatError as cause:
                    raise FormatError(f"trust file, line {number}: {cause}") from cause
        return lines.close()

    def format(self) -> str:
        """Return the file's text; `parse` gives an equal value back."""
        lines = [
            *(_line("log", log.key.format(), log.url) for log in self.logs),
            *(
                _line("witness", witness.name, witness.key.format(), witness.url)
                for witness in self.witnesses
            ),
            *(
                _line("group", group.name, group.threshold, *group.members)
                for group in self.groups
            ),
            _line("quorum", self.quorum),
        ]
        return "".join(lines)

    def log_keys(self) -> tuple[VerifierKey, ...]:
        """Return the keys of all logs, for a verifier that knows no witnesses.

        Raises:
            ConfigurationError: the quorum asks for cosignatures, which would go
                unverified.
        """
        if self.quorum != NO_QUORUM:
            raise ConfigurationError(
                f"the trust file demands the quorum `{excerpt(self.quorum)}`, and "
                "cosignatures are not verified here: use a file with `quorum none`"
            )
        return tuple(log.key for log in self.logs)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lines:
    """What has been read of a file so far; names must precede their use."""

    logs: list[TrustedLog]
    witnesses: list[TrustedWitness]
    groups: list[WitnessGroup]
    quorums: list[str]
    names: set[str]

    def add(self, items: list[str]) -> None:
        """Read one line, split at its white space."""
        match items:
            case ["log", vkey, *url] if len(url) <= 1:
                self.logs.append(TrustedLog(key=VerifierKey.parse(vkey), url=_url(url)))
            case ["witness", name, vkey, *url] if len(url) <= 1:
                key = VerifierKey.parse(vkey)
                self.witnesses.append(TrustedWitness(name=name, key=key, url=_url(url)))
                self.names.add(name)
            case ["group", name, threshold, *members] if members:
                self._refuse_undefined(*members)
                self.groups.append(
                    WitnessGroup(name=name, threshold=threshold, members=tuple(members))
                )
                self.names.add(name)
            case ["quorum", name] if not self.quorums:
                if name != NO_QUORUM:
                    self._refuse_undefined(name)
                self.quorums.append(name)
            case ["quorum", _]:
                raise FormatError("there is a second quorum: keep one")
            case _:
                raise FormatError(
                    f"`{excerpt(' '.join(items))}` is not a line of a trust file: "
                    "write `log <vkey>`"
                )

    def _refuse_undefined(self, *names: str) -> None:
        for name in names:
            if name not in self.names:
                raise FormatError(f"`{excerpt(name)}` is not defined above this line")

    def close(self) -> TrustFile:
        """Return the whole file as a value."""
        if self.witnesses and not self.quorums:
            raise FormatError(
                "the trust file names witnesses and no quorum: "
                "add `quorum <name>` or `quorum none`"
            )
        return TrustFile(
            logs=tuple(self.logs),
            witnesses=tuple(self.witnesses),
            groups=tuple(self.groups),
            quorum=self.quorums[0] if self.quorums else NO_QUORUM,
        )


def _url(items: list[str]) -> str | None:
    return items[0] if items else None


def _line(*items: str | None) -> str:
    return " ".join(item for item in items if item is not None) + "\n"


def _refuse_wrong_keys(file: TrustFile) -> None:
    for log in file.logs:
        if log.key.signature_type is not SignatureType.ED25519:
            raise FormatError(
                f"the key of log `{excerpt(log.key.key_name)}` is of type "
                f"`{log.key.alg}`, not `ed25519`"
            )
    for witness in file.witnesses:
        if witness.key.signature_type is SignatureType.ED25519:
            raise FormatError(
                f"the key of witness `{excerpt(witness.name)}` is a log's key: "
                "a witness has a cosignature key (type 0x04 or 0x06)"
            )
    for kind, keys in (
        ("log", [log.key.public_key for log in file.logs]),
        ("witness", [witness.key.public_key for witness in file.witnesses]),
    ):
        if len(set(keys)) != len(keys):
            raise FormatError(f"two {kind} lines of the trust file have one public key")


def _refuse_wrong_items(file: TrustFile) -> None:
    items = [
        *(log.url for log in file.logs if log.url is not None),
        *(witness.url for witness in file.witnesses if witness.url is not None),
        *(witness.name for witness in file.witnesses),
        *(group.name for group in file.groups),
    ]
    for item in items:
        if not item or _NOT_IN_ITEM.search(item):
            raise FormatError(
                f"`{excerpt(item)}` is empty or has white space or a control character"
            )


def _refuse_wrong_names(file: TrustFile) -> None:
    defined: set[str] = {NO_QUORUM}
    members: set[str] = set()
    for witness in file.witnesses:
        _define(witness.name, defined)
    for group in file.groups:
        _refuse_wrong_threshold(group)
        for member in group.members:
            # A witness that counted twice could fill a quorum alone.
            if member == NO_QUORUM or member not in defined or member in members:
                raise FormatError(
                    f"group `{excerpt(group.name)}` has the member "
                    f"`{excerpt(member)}`, which is undefined or in a group already"
                )
            members.add(member)
        _define(group.name, defined)
    if file.quorum not in defined:
        raise FormatError(f"the quorum `{excerpt(file.quorum)}` is not defined")


def _define(name: str, defined: set[str]) -> None:
    if name in defined:
        raise FormatError(f"the name `{excerpt(name)}` is taken: choose another")
    defined.add(name)


def _refuse_wrong_threshold(group: WitnessGroup) -> None:
    if group.threshold in {"all", "any"} and group.members:
        return
    number = decode_decimal(group.threshold, what="the threshold")
    if not 1 <= number <= len(group.members):
        raise FormatError(
            f"group `{excerpt(group.name)}` has {len(group.members)} members: the "
            f"threshold `{number}` cannot be met or means nothing"
        )
