"""Speaks with a PostgreSQL server: sessions that are durable and that do not hang.

The only module that imports psycopg, when the first session begins: it is an extra.
A password is in the URL at most, never in a message.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, LiteralString, overload

from policyguard.audit.stores.database import immortalise
from policyguard.audit.stores.place import is_url
from policyguard.errors import ConfigurationError, OutOfReachError, TrailError

if TYPE_CHECKING:
    import psycopg

OLDEST_SERVER: Final = 140_000
_DEFAULTS: Final = {
    "application_name": "policyguard",
    "connect_timeout": "10",
    # A server that vanished without a word is noticed in half a minute.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
_SESSION: Final[tuple[LiteralString, ...]] = (
    "SET synchronous_commit = on",
    "SET lock_timeout = '15s'",
    "SET statement_timeout = '60s'",
    "SET idle_in_transaction_session_timeout = '60s'",
    # A client that vanished without a word holds its log no longer than this.
    "SET tcp_keepalives_idle = 10",
    "SET tcp_keepalives_interval = 5",
    "SET tcp_keepalives_count = 3",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Is one database of a PostgreSQL server, by its connection URI (libpq, 34.1.1.2)."""

    url: str = field(repr=False)

    @property
    def where(self) -> str:
        """The place without user, password and options, for messages."""
        rest = self.url.partition("://")[2].partition("?")[0].rpartition("@")[2]
        return f"postgresql://{rest}"

    def open(self, *, write: bool) -> psycopg.Connection[Any]:
        """Begin a session; each statement is a transaction of its own.

        With more than one address in the URI, the first that answers and may be
        written, if that is what it is for, is taken.

        Raises:
            ConfigurationError: psycopg is not installed, or the URI is none.
            TrailError: the server cannot be reached, or loses what it has committed.
        """
        driver = _psycopg()
        with self.speaking():
            try:
                given = driver.conninfo.conninfo_to_dict(self.url)
            except driver.ProgrammingError as error:
                raise ConfigurationError(
                    f"`{self.where}` is no connection URI:"
                    f" {_first_line(error)}: write it as"
                    " postgresql://user@host:5432/database"
                ) from error
            chosen = {**_DEFAULTS, **{k: v for k, v in given.items() if v is not None}}
            if write:
                chosen.setdefault("target_session_attrs", "read-write")
            connection: psycopg.Connection[Any]
            connection = driver.connect(autocommit=True, **chosen)
            try:
                _prepare(connection, write=write, where=self.where)
            except BaseException:
                connection.close()
                raise
        return connection

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """Turn what the driver raises in a block into one kind of error.

        Raises:
            TrailError: the server refused, or is gone.
        """
        driver = _psycopg()
        try:
            yield
        except driver.errors.InsufficientPrivilege as error:
            raise OutOfReachError(
                f"`{self.where}` does not permit it: {_first_line(error)}: have its"
                " owner grant policyguard_writer or policyguard_reader"
            ) from error
        except (driver.errors.UndefinedTable, driver.errors.InvalidSchemaName) as e:
            if '.trail"' in str(e) or isinstance(e, driver.errors.InvalidSchemaName):
                raise missing(self.where) from e
            raise outgrown(self.where) from e
        except driver.errors.UndefinedFunction as error:
            raise outgrown(self.where) from error
        except driver.errors.RaiseException as error:
            raise TrailError(f"{_first_line(error)}") from error
        except driver.OperationalError as error:
            # Away, restarting, full or too slow: nothing of what it holds is wrong.
            raise OutOfReachError(
                f"cannot use `{self.where}`: {_first_line(error)}: check the server"
            ) from error
        except driver.Error as error:
            raise TrailError(
                f"cannot use `{self.where}`: {_first_line(error)}: check the server"
            ) from error


@overload
def server_of(place: str) -> Server: ...
@overload
def server_of(place: object) -> Server | None: ...


def server_of(place: object) -> Server | None:
    """Return the server of a connection URI; of `None` there is none.

    Raises:
        ConfigurationError: it is anything else.
    """
    if place is None:
        return None
    if not is_url(place):
        raise ConfigurationError(
            f"`{place}` is no connection URI: a trail in PostgreSQL has its lock"
            " database on a server, too: write postgresql://user@host:5432/database"
        )
    return Server(url=place)


def missing(where: str) -> TrailError:
    """Return the error for a database that has no trail."""
    return TrailError(
        f"there is no trail in `{where}`: have its owner run `policyguard audit"
        " prepare URL`, or correct the URL"
    )


def outgrown(where: str) -> TrailError:
    """Return the error for tables that an older version has made."""
    return TrailError(
        f"the tables in `{where}` are of an older version of policyguard: have their"
        " owner run `policyguard audit prepare URL` again, which adds what is missing"
    )


def is_lost(error: BaseException) -> bool:
    """Say whether an error means that the session is gone, and not the trail."""
    return isinstance(error, _psycopg().OperationalError)


def let_go(connection: psycopg.Connection[Any]) -> None:
    """Let go of a session in a forked child, without a word to the server.

    The child's copy of the socket is closed, so that the session ends with the parent;
    the object has to outlive the interpreter's shutdown, which would end the session.
    """
    with contextlib.suppress(Exception):
        os.close(connection.pgconn.socket)
    immortalise(connection)


def _prepare(connection: psycopg.Connection[Any], *, write: bool, where: str) -> None:
    if connection.info.server_version < OLDEST_SERVER:
        raise TrailError(
            f"`{where}` is PostgreSQL {connection.info.server_version // 10_000}: use"
            f" {OLDEST_SERVER // 10_000} or later"
        )
    if not write:
        connection.read_only = True
        return
    with connection.pipeline():
        for statement in _SESSION:
            connection.execute(statement)
        found = connection.execute("SELECT current_setting('fsync')").fetchone()
    if found != ("on",):
        raise TrailError(
            f"`{where}` runs with fsync off: no record would be durable: switch it on"
        )


def _first_line(error: Exception) -> str:
    diagnosis = getattr(getattr(error, "diag", None), "message_primary", None)
    text = str(diagnosis or error).strip() or type(error).__name__
    return text.splitlines()[0].rstrip(".")


def _psycopg() -> Any:
    try:
        import psycopg
        import psycopg.conninfo
    except ImportError as error:
        raise ConfigurationError(
            "a trail in PostgreSQL needs psycopg: install `policyguard-ai[postgres]`"
        ) from error
    return psycopg
