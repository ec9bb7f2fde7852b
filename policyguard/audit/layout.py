"""Where everything of a trail is, and how its small files are written.

    DIR/trail.json              format and name of the trail
    DIR/trust                   a verifier key for each log (C2SP tlog-policy)
    DIR/callers.sqlite          callers behind pseudonyms; erasable
    DIR/people.sqlite           whom records are about, with their data keys; erasable
    DIR/counters.sqlite         counts of distinct people, by keyed hashes
    DIR/keys/counters.key       the key of these hashes
    DIR/approvals.sqlite        what people have approved, and how often it served
    DIR/keys/<slot>.pem         the log's private key, mode 0600
    DIR/keys/<slot>.next.pem    the key that takes over, while a rotation lasts
    DIR/keys/vault.key          wraps the data keys; only where prompts are kept
    DIR/logs/<slot>/log.sqlite  records, head and checkpoints
    DIR/logs/<slot>/vault.sqlite  what was asked, and the salts; erasable
    DIR/logs/<slot>/vault.gate  locked for a moment by whoever writes the vault
    DIR/logs/<slot>/outside/    checkpoints that others have cosigned or time-stamped
    DIR/logs/<slot>/claim       locked by the process that writes the log
    DIR/versions/bundle/<digest>.tar.gz   each bundle that decided
    DIR/versions/catalog/<digest>.json    each catalog that it decided from
    LOCK/trail.json             the same name, and whether its creation was finished
    LOCK/<slot>.sqlite          the newest head of the log: the lock database
    LOCK/policy.json            the bundle that was in use last
    LOCK/<name>.begun           `DIR/<name>.sqlite` was begun: callers, people, counters
    LOCK/<slot>.closed          the log's key was compromised: it is never claimed again
    LOCK/gate                   locked while a trail or a log is created

INVARIANT: LOCK remembers every log that was ever begun, and each file that all writers
share. What it remembers and DIR has not is missing, never new.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from policyguard.canonical import canonical_bytes, parse_json
from policyguard.errors import (
    ConfigurationError,
    FormatError,
    OutOfReachError,
    TrailError,
)

FORMAT: Final = 1
OWNER_ONLY: Final = 0o600
_OUT_OF_REACH: Final = {errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE}
_PRIVATE_FOLDER: Final = 0o700
_MAX_SMALL_FILE: Final = 1 << 20
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9./-]{0,127}")
_HEAD: Final = ".sqlite"
_SLOT: Final = re.compile(r"[a-z]{1,8}-[0-9]{1,3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Knows the paths of one trail."""

    directory: Path
    lock: Path
    lock_every: int = 1
    """The lock database is told of one head in so many."""

    @classmethod
    def of(cls, directory: str | os.PathLike[str], lock: Path | None = None) -> Layout:
        """Return the layout of a trail; its lock database is beside it by default."""
        place = Path(directory).absolute()
        return cls(
            directory=place,
            lock=lock.absolute() if lock else place.with_name(f"{place.name}.lock"),
        )

    @property
    def identity(self) -> Path:
        """The file with the trail's name."""
        return self.directory / "trail.json"

    @property
    def remembered(self) -> Path:
        """The lock database's memory of the trail's name."""
        return self.lock / "trail.json"

    @property
    def gate(self) -> Path:
        """What is locked while something is created."""
        return self.lock / "gate"

    @property
    def trust(self) -> Path:
        """The verifier keys of all logs."""
        return self.directory / "trust"

    @property
    def callers(self) -> Path:
        """The callers behind the pseudonyms."""
        return self.directory / "callers.sqlite"

    @property
    def versions(self) -> Path:
        """The bundles and catalogs that decisions were made from."""
        return self.directory / "versions"

    @property
    def policy(self) -> Path:
        """The lock database's memory of the bundle that was in use last."""
        return self.lock / "policy.json"

    @property
    def people(self) -> Path:
        """The people whom records are about."""
        return self.directory / "people.sqlite"

    @property
    def vault_key(self) -> Path:
        """The key that wraps the data keys of people."""
        return self.directory / "keys" / "vault.key"

    @property
    def counters(self) -> Path:
        """The counts of distinct people."""
        return self.directory / "counters.sqlite"

    @property
    def counters_key(self) -> Path:
        """The key under which people are counted."""
        return self.directory / "keys" / "counters.key"

    @property
    def approvals(self) -> Path:
        """The approvals that people have signed, with their uses."""
        return self.directory / "approvals.sqlite"

    def key(self, slot: str) -> Path:
        """Return the private key of a log."""
        return self.directory / "keys" / f"{slot}.pem"

    def next_key(self, slot: str) -> Path:
        """Return the private key that takes a log over, while its rotation lasts."""
        return self.directory / "keys" / f"{slot}.next.pem"

    def begun(self, shared: Path) -> Path:
        """Return the lock database's memory of a file that all writers share."""
        return self.lock / f"{shared.stem}.begun"

    def closed(self, slot: str) -> Path:
        """Return the file that says that a log is never claimed again."""
        return self.lock / f"{slot}.closed"

    def folder(self, slot: str) -> Path:
        """Return the folder of a log."""
        return self.directory / "logs" / slot

    def log(self, slot: str) -> Path:
        """Return the database of a log."""
        return self.folder(slot) / "log.sqlite"

    def vault(self, slot: str) -> Path:
        """Return the vault of a log."""
        return self.folder(slot) / "vault.sqlite"

    def outside(self, slot: str) -> Path:
        """Return the folder with what others have said about a log's checkpoints."""
        return self.folder(slot) / "outside"

    def claim(self, slot: str) -> Path:
        """Return the file that the writer of a log keeps locked."""
        return self.folder(slot) / "claim"

    def head(self, slot: str) -> Path:
        """Return the lock database of a log."""
        return self.lock / f"{slot}{_HEAD}"

    @staticmethod
    def slot_of(origin: str) -> str:
        """Return the slot that an origin ends with."""
        return origin.rpartition("/")[2]

    def slots(self) -> list[str]:
        """Return the slots that the trail or its lock database has, sorted.

        Raises:
            OutOfReachError: the folders cannot be listed.
        """
        found = set(_listed(self.directory / "logs"))
        found |= {
            name.removesuffix(_HEAD)
            for name in _listed(self.lock)
            if name.endswith(_HEAD)
        }
        return sorted(slot for slot in found if _SLOT.fullmatch(slot))


def _listed(folder: Path) -> list[str]:
    """Return what a folder has; one that is not there has nothing."""
    try:
        # Not `glob`, which finds nothing in a folder that may not be read.
        return os.listdir(folder)  # noqa: PTH208 -- names alone are wanted
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise OutOfReachError(
            f"cannot list `{folder}`: {_reason(error)}: check its permissions and its"
            " disk"
        ) from error


def format_identity(name: str, *, finished: bool = True) -> bytes:
    """Return the bytes of a `trail.json`."""
    document: dict[str, object] = {"format": FORMAT, "name": name}
    if not finished:
        document["creating"] = True
    return canonical_bytes(document) + b"\n"


def read_identity(path: Path) -> tuple[str, bool]:
    """Read a `trail.json`: the name, and whether its creation was finished.

    Raises:
        TrailError: it cannot be read, or is not one that was written here.
    """
    data = read_small(path)
    try:
        document = parse_json(data)
    except FormatError as error:
        raise TrailError(f"`{path}` is damaged: {error}: restore it") from error
    name = document.get("name") if isinstance(document, dict) else None
    for finished in (True, False):
        if (
            isinstance(name, str)
            and _NAME.fullmatch(name)
            and data == format_identity(name, finished=finished)
        ):
            return name, finished
    raise TrailError(
        f"`{path}` is not of a trail that this version reads: restore it, or use the"
        " version of policyguard that wrote it"
    )


def require_name(name: str) -> str:
    """Return a name, if it can be the first part of an origin.

    Raises:
        ConfigurationError: it cannot.
    """
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"`{name}` is no name for a trail: write it as acme.example/policyguard"
        )
    return name


def new_name() -> str:
    """Return a name for a trail that was given none."""
    return f"policyguard.local/{secrets.token_hex(4)}"


def make_folder(path: Path) -> None:
    """Create a folder that only its owner enters, with its parents.

    Raises:
        TrailError: it cannot be created.
    """
    try:
        path.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
    except OSError as error:
        raise TrailError(
            f"cannot create `{path}`: {_reason(error)}: choose a place that this"
            " process may write"
        ) from error


def read_small(path: Path) -> bytes:
    """Read a small file.

    Raises:
        TrailError: it cannot be read, is no regular file, or is not small.
    """
    try:
        # Non-blocking: a pipe in a copy that somebody handed out must not hold us.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise TrailError(f"`{path}` is no regular file: restore it")
            data = file.read(_MAX_SMALL_FILE + 1)
    except OSError as error:
        if is_out_of_reach(error):
            raise OutOfReachError(
                f"cannot read `{path}`: {_reason(error)}: check its permissions"
            ) from error
        raise TrailError(
            f"cannot read `{path}`: {_reason(error)}: correct the path, or restore it"
        ) from error
    if len(data) > _MAX_SMALL_FILE:
        raise TrailError(f"`{path}` is larger than {_MAX_SMALL_FILE} bytes: restore it")
    return data


def write_small(path: Path, data: bytes) -> None:
    """Replace a small file, whole or not at all, durably.

    Raises:
        TrailError: it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(draft, flags, OWNER_ONLY), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise TrailError(
            f"cannot write `{path}`: {_reason(error)}: choose a place that this"
            " process may write"
        ) from error


def identity_of(path: str | Path) -> tuple[int, int]:
    """Return which file stands at a path: device and inode.

    Raises:
        TrailError: there is none.
    """
    try:
        # Not `Path.stat()`, which takes twice as long: each commit asks this of three.
        status = os.stat(path)  # noqa: PTH116
    except OSError as error:
        raise TrailError(
            f"cannot find `{path}`: {_reason(error)}: restore it"
        ) from error
    return status.st_dev, status.st_ino


def require_same(path: str | Path, *, opened: tuple[int, int]) -> None:
    """Refuse a path at which another file stands than the one that was opened.

    SQLite would go on writing to a file that has been removed or replaced.

    Raises:
        TrailError: there is another, or none.
    """
    if identity_of(path) != opened:
        raise TrailError(f"`{path}` was replaced while it was in use: restore it")


def is_out_of_reach(error: BaseException) -> bool:
    """Say whether an error is about who reads, and not about what is there."""
    return isinstance(error, OSError) and error.errno in _OUT_OF_REACH


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
