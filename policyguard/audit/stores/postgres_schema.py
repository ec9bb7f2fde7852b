"""The tables of a trail in PostgreSQL, and who may do what with them.

Owner: whoever prepares the database, who should be nobody that writes records. Four
roles are granted to others: `policyguard_writer` adds and reads, `policyguard_reader`
reads all but keys, `policyguard_anchor` reads the logs and adds what witnesses say of
them. None of these may update or delete a row of any table;
`policyguard_eraser` may delete what the vault has, and nothing else: records are added by
a function that takes a log from one head to the next and never back. Keys are replaced
by one more, and taken away by another, for who has claimed the log alone. Whoever owns the
tables, and every superuser, can change them: `verify_trail` shows it, and a lock
database on another server shows a log that was put back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, LiteralString

from policyguard.audit.layout import new_name, require_name
from policyguard.audit.stores.postgres_people_schema import (
    GRANTS as PEOPLE_GRANTS,
)
from policyguard.audit.stores.postgres_people_schema import PEOPLE
from policyguard.audit.stores.postgres_server import missing
from policyguard.audit.stores.postgres_shared_schema import GRANTS, SHARED
from policyguard.errors import NewerTrailError, TrailError

if TYPE_CHECKING:
    import psycopg

    from policyguard.audit.stores.postgres_server import Server

VERSION: Final = 2
"""Of the tables, as the first column of `policyguard.trail` says. Those of version 1 may
lack some: they are used as they are until one is missed, and `bring_up` adds it."""
WRITER: Final = "policyguard_writer"
READER: Final = "policyguard_reader"
ANCHOR: Final = "policyguard_anchor"
ERASER: Final = "policyguard_eraser"
ROLES: Final[LiteralString] = """
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'policyguard_writer') THEN
    CREATE ROLE policyguard_writer NOLOGIN;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'policyguard_reader') THEN
    CREATE ROLE policyguard_reader NOLOGIN;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'policyguard_eraser') THEN
    CREATE ROLE policyguard_eraser NOLOGIN;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'policyguard_anchor') THEN
    CREATE ROLE policyguard_anchor NOLOGIN;
  END IF;
END $$"""
# INVARIANT: `id` is computed from the bytes of `body`; nothing that is looked up is
# stored a second time.
_TRAIL: Final[LiteralString] = """
CREATE SCHEMA policyguard;
CREATE TABLE policyguard.trail (
  one smallint PRIMARY KEY DEFAULT 0 CHECK (one = 0),
  format integer NOT NULL, name text NOT NULL
);
CREATE TABLE policyguard.trust (version integer PRIMARY KEY, text text NOT NULL);
CREATE TABLE policyguard.key (slot text PRIMARY KEY, pem bytea NOT NULL);
CREATE FUNCTION policyguard.id_of(body bytea) RETURNS text LANGUAGE sql IMMUTABLE STRICT
AS $$ SELECT pg_catalog.convert_from(body, 'UTF8')::pg_catalog.json ->> 'id' $$;
CREATE TABLE policyguard.entry (
  slot text NOT NULL, idx bigint NOT NULL, body bytea NOT NULL, leaf bytea NOT NULL,
  id text GENERATED ALWAYS AS (policyguard.id_of(body)) STORED,
  PRIMARY KEY (slot, idx), UNIQUE (slot, id)
);
CREATE TABLE policyguard.checkpoint (
  slot text NOT NULL, size bigint NOT NULL, note text NOT NULL,
  PRIMARY KEY (slot, size)
);
CREATE TABLE policyguard.head (
  slot text PRIMARY KEY, size bigint NOT NULL, frontier bytea NOT NULL,
  note text NOT NULL
) WITH (fillfactor = 20);
CREATE TABLE policyguard.content (
  slot text NOT NULL, record text NOT NULL, salt bytea NOT NULL, body bytea NOT NULL,
  PRIMARY KEY (slot, record)
);
CREATE TABLE policyguard.caller (
  pseudonym text PRIMARY KEY, salt bytea NOT NULL, id text NOT NULL UNIQUE
);
CREATE TABLE policyguard.version (
  kind text NOT NULL, digest text NOT NULL, data bytea NOT NULL,
  kept timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (kind, digest)
);
CREATE FUNCTION policyguard.append(
  of_slot text, before bigint, to_size bigint, to_frontier bytea, to_note text,
  bodies bytea[], leaves bytea[], records text[], salts bytea[], contents bytea[],
  keep boolean
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ BEGIN
  IF to_size <> before + cardinality(bodies) OR to_size = before THEN
    RAISE EXCEPTION 'a log grows by its records: from % to % it does not', before,
      to_size;
  ELSIF before = 0 THEN
    INSERT INTO policyguard.head VALUES (of_slot, to_size, to_frontier, to_note);
  ELSE
    UPDATE policyguard.head SET size = to_size, frontier = to_frontier, note = to_note
    WHERE slot = of_slot AND size = before;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'the log of slot % has another head than this process: stop the'
        ' other writer, then run policyguard audit verify', of_slot;
    END IF;
  END IF;
  INSERT INTO policyguard.content (slot, record, salt, body)
    SELECT of_slot, r, s, c FROM unnest(records, salts, contents) AS x (r, s, c);
  INSERT INTO policyguard.entry (slot, idx, body, leaf)
    SELECT of_slot, before + n - 1, b, l
    FROM unnest(bodies, leaves) WITH ORDINALITY AS x (b, l, n);
  IF keep THEN
    INSERT INTO policyguard.checkpoint VALUES (of_slot, to_size, to_note);
  END IF;
END $$;
CREATE TABLE policyguard.closed (slot text PRIMARY KEY, predecessor text NOT NULL);
CREATE FUNCTION policyguard.require_claimed(of_slot text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$ BEGIN
  IF NOT EXISTS (
    SELECT FROM pg_locks WHERE pid = pg_backend_pid() AND granted
      AND locktype = 'advisory' AND classid = 1885828210 AND objsubid = 2
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND objid = split_part(of_slot, '-', 2)::integer
        + CASE split_part(of_slot, '-', 1) WHEN 'cli' THEN 1000 ELSE 0 END
  ) THEN
    RAISE EXCEPTION 'this session has not claimed the log of slot %', of_slot;
  END IF;
END $$;
CREATE FUNCTION policyguard.rotate(
  of_slot text, to_size bigint, to_frontier bytea, to_note text, body bytea,
  leaf bytea, new_pem bytea, of_version integer, new_trust text
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ BEGIN
  PERFORM policyguard.require_claimed(of_slot);
  PERFORM policyguard.append(of_slot, to_size - 1, to_size, to_frontier, to_note,
    ARRAY[body], ARRAY[leaf], '{}', '{}', '{}', true);
  UPDATE policyguard.key SET pem = new_pem WHERE slot = of_slot;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'the key of the log of slot % is not kept here', of_slot;
  END IF;
  INSERT INTO policyguard.trust (version, text) VALUES (of_version, new_trust);
END $$;
CREATE FUNCTION policyguard.close(of_slot text, of_predecessor text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ BEGIN
  PERFORM policyguard.require_claimed(of_slot);
  INSERT INTO policyguard.closed (slot, predecessor) VALUES (of_slot, of_predecessor)
    ON CONFLICT (slot) DO UPDATE SET predecessor = excluded.predecessor;
  DELETE FROM policyguard.key WHERE slot = of_slot;
END $$;
CREATE FUNCTION policyguard.refuse() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN
  RAISE EXCEPTION 'rows of % are never changed or removed', TG_TABLE_NAME;
END $$;
CREATE TRIGGER refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON policyguard.entry
  EXECUTE FUNCTION policyguard.refuse();
CREATE TRIGGER refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON policyguard.checkpoint
  EXECUTE FUNCTION policyguard.refuse();
CREATE TRIGGER refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON policyguard.trust
  EXECUTE FUNCTION policyguard.refuse();
CREATE TRIGGER refuse BEFORE DELETE OR TRUNCATE ON policyguard.head
  EXECUTE FUNCTION policyguard.refuse()"""
_GRANTS: Final[LiteralString] = """
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA policyguard FROM PUBLIC;
GRANT USAGE ON SCHEMA policyguard TO policyguard_writer, policyguard_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA policyguard TO policyguard_writer;
GRANT INSERT ON policyguard.trust, policyguard.key, policyguard.caller,
  policyguard.version
  TO policyguard_writer;
GRANT EXECUTE ON FUNCTION policyguard.append, policyguard.rotate, policyguard.close
  TO policyguard_writer;
GRANT SELECT ON policyguard.trail, policyguard.trust, policyguard.entry,
  policyguard.checkpoint, policyguard.head, policyguard.content, policyguard.caller,
  policyguard.version
  TO policyguard_reader;
GRANT USAGE ON SCHEMA policyguard TO policyguard_eraser;
GRANT SELECT, DELETE ON policyguard.content, policyguard.caller TO policyguard_eraser"""
LOCK_TABLES: Final[LiteralString] = """
CREATE SCHEMA policyguard_lock;
CREATE TABLE policyguard_lock.trail (
  one smallint PRIMARY KEY DEFAULT 0 CHECK (one = 0), name text NOT NULL
);
CREATE TABLE policyguard_lock.head (
  origin text PRIMARY KEY, size bigint NOT NULL, note text NOT NULL
) WITH (fillfactor = 20);
CREATE FUNCTION policyguard_lock.advance(
  of_origin text, before bigint, to_size bigint, to_note text
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ BEGIN
  UPDATE policyguard_lock.head SET size = to_size, note = to_note
  WHERE origin = of_origin AND size = before AND to_size > before;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'the lock database has another head of % than this process: stop'
      ' the other writer, then run policyguard audit verify', of_origin;
  END IF;
END $$;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA policyguard_lock FROM PUBLIC;
GRANT USAGE ON SCHEMA policyguard_lock TO policyguard_writer, policyguard_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA policyguard_lock
  TO policyguard_writer, policyguard_reader;
GRANT INSERT ON policyguard_lock.head TO policyguard_writer;
GRANT EXECUTE ON FUNCTION policyguard_lock.advance TO policyguard_writer"""

TABLES: Final = (_TRAIL, SHARED, PEOPLE, _GRANTS, GRANTS, PEOPLE_GRANTS)


def prepare_database(
    server: Server, *, lock: Server | None = None, name: str | None = None
) -> str:
    """Make the tables and roles of a trail in a database that has none.

    Args:
        server: The database, as a role that may create schemas and roles. It owns the
            tables: let applications log in with another one, and grant that one
            `policyguard_writer`.
        lock: The database that remembers how long each log was: on another server, so
            that no backup puts back both.
        name: First part of each log's origin; without it a random one.

    Returns:
        The trail's name.

    Raises:
        TrailError: there is a trail already, or the server does not permit it.
        ConfigurationError: the name cannot be the beginning of an origin.
    """
    chosen = require_name(name) if name is not None else new_name()
    if lock is not None:
        # First the memory of having begun: what is lost afterwards is noticed.
        _make(lock, LOCK_TABLES, schema="policyguard_lock", name=chosen)
    _make(server, *TABLES, schema="policyguard", name=chosen)
    return chosen


def has_tables(server: Server) -> bool:
    """Say whether a database has the tables of a trail, of whichever version.

    Raises:
        TrailError: the server cannot be reached.
    """
    with server.speaking(), server.open(write=False) as connection:
        return has_schema(connection, schema="policyguard")


def has_schema(connection: psycopg.Connection[Any], *, schema: str) -> bool:
    """Say whether a database has a schema."""
    query = "SELECT 1 FROM pg_namespace WHERE nspname = %s"
    return connection.execute(query, (schema,)).fetchone() is not None


def read_name(connection: psycopg.Connection[Any], *, where: str) -> str:
    """Return the name of the trail in a database.

    Raises:
        TrailError: there is none, or a newer version has made its tables.
    """
    query = "SELECT format, name FROM policyguard.trail"
    row = connection.execute(query).fetchone()
    if row is None:
        raise missing(where)
    if row[0] > VERSION:
        raise NewerTrailError(
            f"the tables in `{where}` are of a newer version of policyguard: use that"
            " version here, too"
        )
    return str(row[1])


def _make(server: Server, *tables: LiteralString, schema: str, name: str) -> None:
    with server.speaking(), server.open(write=True) as connection:
        if has_schema(connection, schema=schema):
            raise TrailError(
                f"`{server.where}` has the tables of a trail already: open it, or"
                " choose another database"
            )
        with connection.transaction():
            connection.execute(ROLES)
            for made in tables:
                connection.execute(made)
            if schema == "policyguard":
                connection.execute(
                    "INSERT INTO policyguard.trail (format, name) VALUES (%s, %s)",
                    (VERSION, name),
                )
            else:
                connection.execute(
                    "INSERT INTO policyguard_lock.trail (name) VALUES (%s)", (name,)
                )
