"""Brings the tables of a trail in PostgreSQL up that an older version has made.

Owner: whoever prepares the database. All is one transaction: a crash leaves the tables
as they were. Writers may run meanwhile; they wait where a table is changed.

INVARIANT: nothing is removed, and no row of a log is touched. What is missing is added,
functions and triggers are replaced by today's, and the whole is compared with what a
fresh preparation makes: what is not the same then is refused, and stays as it was.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, LiteralString

from policyguard.audit.stores.postgres_schema import (
    LOCK_TABLES,
    ROLES,
    TABLES,
    VERSION,
    has_schema,
    read_name,
)
from policyguard.errors import ConfigurationError, TrailError

if TYPE_CHECKING:
    import psycopg

    from policyguard.audit.stores.postgres_server import Server

_AGAIN: Final = (
    (r"\bCREATE (SCHEMA|TABLE|INDEX) ", r"CREATE \1 IF NOT EXISTS "),
    (r"\bCREATE (FUNCTION|TRIGGER) ", r"CREATE OR REPLACE \1 "),
)
_WANTED: Final = "policyguard_wanted"
# In the order of `append`, so that of a writer and this one waits, and not both.
_HOLD: Final[LiteralString] = """
LOCK TABLE policyguard.head, policyguard.content, policyguard.entry,
  policyguard.checkpoint, policyguard.key, policyguard.trust
  IN SHARE ROW EXCLUSIVE MODE"""
_SHAPE: Final[LiteralString] = """
SELECT 'column ' || c.relname || '.' || a.attname || ' '
    || format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull::text || a.attgenerated::text
    || coalesce(' ' || pg_get_expr(d.adbin, d.adrelid), '')
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
    AND NOT a.attisdropped
  LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
  WHERE c.relkind = 'r' AND c.relnamespace = %(schema)s::regnamespace
UNION ALL SELECT 'constraint ' || c.relname || ' ' || pg_get_constraintdef(k.oid)
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
  WHERE k.connamespace = %(schema)s::regnamespace
UNION ALL SELECT 'index ' || pg_get_indexdef(i.indexrelid)
  FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
  WHERE c.relnamespace = %(schema)s::regnamespace
UNION ALL SELECT 'function ' || pg_get_functiondef(p.oid)
  FROM pg_proc p WHERE p.pronamespace = %(schema)s::regnamespace
UNION ALL SELECT 'trigger ' || pg_get_triggerdef(t.oid)
  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
  WHERE c.relnamespace = %(schema)s::regnamespace AND NOT t.tgisinternal"""


def bring_up(
    server: Server, *, lock: Server | None = None, name: str | None = None
) -> str:
    """Add to the tables of a trail what an older version has not made.

    Args:
        server: The database, as the role that owns the tables.
        lock: The lock database, likewise.
        name: The trail's name, if it is to be compared.

    Returns:
        The trail's name.

    Raises:
        TrailError: nothing is missing, a newer version made the tables, somebody has
            changed them, or the server does not permit it.
        ConfigurationError: the trail has another name.
    """
    with server.speaking(), server.open(write=True) as connection:
        own = read_name(connection, where=server.where)
        if name is not None and name != own:
            raise ConfigurationError(
                f"the trail in `{server.where}` is named `{own}` and not `{name}`:"
                " leave the name away"
            )
        with connection.transaction():
            connection.execute(_HOLD)
            changed = _bring_up(connection, TABLES, schema="policyguard", server=server)
            connection.execute("UPDATE policyguard.trail SET format = %s", (VERSION,))
    if lock is not None:
        with lock.speaking(), lock.open(write=True) as other, other.transaction():
            changed |= _bring_up(
                other, [LOCK_TABLES], schema="policyguard_lock", server=lock
            )
    if not changed:
        raise TrailError(
            f"`{server.where}` has the tables of a trail already, and lacks nothing:"
            " open it, or choose another database"
        )
    return own


def _bring_up(
    connection: psycopg.Connection[Any],
    tables: Sequence[LiteralString],
    *,
    schema: str,
    server: Server,
) -> bool:
    """Make what is missing; say whether anything was."""
    if not has_schema(connection, schema=schema):
        raise TrailError(
            f"`{server.where}` has never remembered this trail: give the lock database"
            " that it was prepared with"
        )
    before = _shape(connection, schema=schema)
    connection.execute(ROLES)
    for made in tables:
        connection.execute(_again(made))
    after = _shape(connection, schema=schema)
    for made in tables:
        if "GRANT" not in made or "CREATE" in made:
            connection.execute(_elsewhere(made, schema=schema))
    wanted = _shape(connection, schema=_WANTED)
    connection.execute(f"DROP SCHEMA {_WANTED} CASCADE".encode())
    for lacking in sorted({_named(item, schema=schema) for item in wanted} - after):
        what = " ".join(lacking.split()[:2])
        raise TrailError(
            f"the tables in `{server.where}` cannot be brought up: the {what} is"
            " another one: somebody has changed it: prepare a new database"
        )
    return before != after


def _shape(connection: psycopg.Connection[Any], *, schema: str) -> set[str]:
    """Return what a schema is made of, an item a line."""
    # Names are written with their schema where it is not on the path.
    connection.execute("SET LOCAL search_path = pg_catalog")
    rows = connection.execute(_SHAPE, {"schema": schema}).fetchall()
    return {str(row[0]) for row in rows}


def _again(tables: str) -> bytes:
    """Return statements that make what is missing, and replace what can be replaced."""
    for pattern, made in _AGAIN:
        tables = re.sub(pattern, made, tables)
    return tables.encode()


def _elsewhere(tables: str, *, schema: str) -> bytes:
    """Return the same statements for a schema that stands beside."""
    moved = re.sub(rf"\b{schema}\b(?!_)", _WANTED, tables)
    # Only its owner uses it, for a moment.
    return re.sub(r"(?s)\b(?:GRANT|REVOKE) [^;]*;?", "", moved).encode()


def _named(item: str, *, schema: str) -> str:
    return item.replace(_WANTED, schema)
