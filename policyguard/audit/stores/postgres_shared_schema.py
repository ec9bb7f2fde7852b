"""The tables of what a fleet shares beside its logs: approvals, counts, the shelf.

The shelf is what others have said of checkpoints. Owner: whoever prepares the database. Rows are changed by the functions alone, which have
their owner's rights: `policyguard_writer` may call them. `policyguard_eraser` may delete
approvals. `policyguard_anchor` may add to the shelf, and reads no content.

INVARIANT: `reserve` reads and adds under one lock, so that of calls at once each sees the
others. `take` holds the rows of its approvals from its check to its commit. The key of
the counts is never replaced, and never made where somebody was counted.
"""

from __future__ import annotations

from typing import Final, LiteralString

# The first number of `pg_advisory_xact_lock` is `LOCKS` of the writers; the second is
# beyond those of logs and of the gate.
SHARED: Final[LiteralString] = """
CREATE TABLE policyguard.approval (
  id text PRIMARY KEY, tenant text NOT NULL, caller text NOT NULL,
  bundle text NOT NULL, note text NOT NULL, used bigint NOT NULL DEFAULT 0,
  revocation text
);
CREATE INDEX approval_scope ON policyguard.approval (tenant, caller, bundle);
CREATE FUNCTION policyguard.take(ids text[], most bigint[]) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ BEGIN
  PERFORM 1 FROM policyguard.approval WHERE id = ANY (ids) ORDER BY id FOR UPDATE;
  IF cardinality(ids) <> (
    SELECT count(DISTINCT a.id) FROM unnest(ids, most) AS x (of_id, uses)
    JOIN policyguard.approval a ON a.id = x.of_id
    WHERE a.used < x.uses AND a.revocation IS NULL
  ) THEN
    RETURN false;
  END IF;
  UPDATE policyguard.approval SET used = used + 1 WHERE id = ANY (ids);
  RETURN true;
END $$;
CREATE FUNCTION policyguard.revoke(of_id text, by_note text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ BEGIN
  UPDATE policyguard.approval SET revocation = by_note
  WHERE id = of_id AND revocation IS NULL;
  RETURN FOUND;
END $$;
CREATE TABLE policyguard.count_key (
  one smallint PRIMARY KEY DEFAULT 0 CHECK (one = 0),
  key bytea NOT NULL CHECK (length(key) = 32)
);
CREATE TABLE policyguard.seen (
  scope text NOT NULL, category text NOT NULL, person bytea NOT NULL,
  reservation text NOT NULL, at bigint NOT NULL,
  PRIMARY KEY (scope, category, person, reservation)
);
CREATE INDEX seen_reservation ON policyguard.seen (reservation);
CREATE TABLE policyguard.unnamed (
  scope text NOT NULL, category text NOT NULL, call text NOT NULL,
  reservation text NOT NULL, at bigint NOT NULL, n bigint NOT NULL,
  PRIMARY KEY (scope, category, call)
);
CREATE INDEX unnamed_reservation ON policyguard.unnamed (reservation);
CREATE FUNCTION policyguard.count_under(fresh bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ BEGIN
  PERFORM pg_advisory_xact_lock(1885828210, 1000001);
  IF EXISTS (SELECT FROM policyguard.count_key) THEN
    RETURN;
  ELSIF EXISTS (SELECT FROM policyguard.seen) THEN
    RAISE EXCEPTION 'policyguard.count_key is empty, and people were counted under its'
      ' key: restore it';
  END IF;
  INSERT INTO policyguard.count_key (key) VALUES (fresh);
END $$;
CREATE FUNCTION policyguard.reserve(
  scopes text[], categories text[], sinces bigint[], unnamed_of bigint[],
  share_of integer[], persons bytea[], of_reservation text, of_call text,
  of_at bigint, keep boolean
) RETURNS bigint[] LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$ DECLARE
  counts bigint[] := '{}';
  here bytea[];
  named bigint;
  unnamed bigint;
BEGIN
  PERFORM pg_advisory_xact_lock(1885828210, 1000001);
  FOR i IN 1 .. cardinality(scopes) LOOP
    SELECT coalesce(array_agg(x.p), '{}') INTO here
      FROM unnest(share_of, persons) AS x (s, p) WHERE x.s = i;
    SELECT count(DISTINCT e.person) INTO named FROM policyguard.seen e
      WHERE e.scope = scopes[i] AND e.category = categories[i] AND e.at > sinces[i]
        AND NOT EXISTS (SELECT FROM unnest(here) AS h (p) WHERE h.p = e.person);
    SELECT coalesce(sum(e.n), 0) INTO unnamed FROM policyguard.unnamed e
      WHERE e.scope = scopes[i] AND e.category = categories[i] AND e.at > sinces[i]
        AND e.call <> of_call;
    counts := counts || (named + unnamed);
  END LOOP;
  IF keep THEN
    INSERT INTO policyguard.seen AS e (scope, category, person, reservation, at)
      SELECT DISTINCT scopes[x.s], categories[x.s], x.p, of_reservation, of_at
      FROM unnest(share_of, persons) AS x (s, p)
      ON CONFLICT (scope, category, person, reservation)
      DO UPDATE SET at = excluded.at;
    INSERT INTO policyguard.unnamed (scope, category, call, reservation, at, n)
      SELECT y.s, y.c, of_call, of_reservation, of_at, y.n
      FROM unnest(scopes, categories, unnamed_of) AS y (s, c, n) WHERE y.n > 0
      ON CONFLICT DO NOTHING;
  END IF;
  RETURN counts;
END $$;
CREATE FUNCTION policyguard.settle(of_reservation text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ BEGIN
  IF of_reservation = '' THEN
    RETURN;
  END IF;
  PERFORM pg_advisory_xact_lock(1885828210, 1000001);
  INSERT INTO policyguard.seen AS e (scope, category, person, reservation, at)
    SELECT scope, category, person, '', at FROM policyguard.seen
    WHERE reservation = of_reservation
    ON CONFLICT (scope, category, person, reservation)
    DO UPDATE SET at = greatest(e.at, excluded.at);
  DELETE FROM policyguard.seen WHERE reservation = of_reservation;
  UPDATE policyguard.unnamed SET reservation = '' WHERE reservation = of_reservation;
END $$;
CREATE FUNCTION policyguard.release(of_reservation text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ BEGIN
  IF of_reservation = '' THEN
    RAISE EXCEPTION 'what counts for good is not released';
  END IF;
  PERFORM pg_advisory_xact_lock(1885828210, 1000001);
  DELETE FROM policyguard.seen WHERE reservation = of_reservation;
  DELETE FROM policyguard.unnamed WHERE reservation = of_reservation;
END $$;
CREATE TABLE policyguard.shelf (
  slot text NOT NULL, name text NOT NULL, version bigint NOT NULL,
  data bytea NOT NULL CHECK (length(data) <= 1048576),
  PRIMARY KEY (slot, name, version)
);
CREATE FUNCTION policyguard.shelve(of_slot text, of_name text, of_data bytea)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ BEGIN
  IF NOT EXISTS (SELECT FROM policyguard.head WHERE slot = of_slot) THEN
    RAISE EXCEPTION 'there is no log of slot %', of_slot;
  ELSIF of_name = 'state.json' THEN
    INSERT INTO policyguard.shelf (slot, name, version, data)
      VALUES (of_slot, of_name, 0, of_data)
      ON CONFLICT (slot, name, version) DO UPDATE SET data = excluded.data;
  ELSE
    INSERT INTO policyguard.shelf (slot, name, version, data)
      SELECT of_slot, of_name, coalesce(max(version), 0) + 1, of_data
      FROM policyguard.shelf WHERE slot = of_slot AND name = of_name;
  END IF;
END $$;
CREATE TRIGGER refuse BEFORE UPDATE OR DELETE ON policyguard.shelf
  FOR EACH ROW WHEN (OLD.name <> 'state.json') EXECUTE FUNCTION policyguard.refuse();
CREATE TRIGGER refuse_all BEFORE TRUNCATE ON policyguard.shelf
  EXECUTE FUNCTION policyguard.refuse();
CREATE TRIGGER refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON policyguard.count_key
  EXECUTE FUNCTION policyguard.refuse();
CREATE TRIGGER refuse BEFORE TRUNCATE ON policyguard.approval
  EXECUTE FUNCTION policyguard.refuse()"""
GRANTS: Final[LiteralString] = """
GRANT INSERT (id, tenant, caller, bundle, note) ON policyguard.approval
  TO policyguard_writer;
GRANT EXECUTE ON FUNCTION policyguard.take, policyguard.revoke, policyguard.count_under,
  policyguard.reserve, policyguard.settle, policyguard.release TO policyguard_writer;
GRANT EXECUTE ON FUNCTION policyguard.shelve TO policyguard_writer, policyguard_anchor;
GRANT USAGE ON SCHEMA policyguard TO policyguard_anchor;
GRANT SELECT ON policyguard.trail, policyguard.trust, policyguard.entry,
  policyguard.checkpoint, policyguard.head, policyguard.shelf TO policyguard_anchor;
GRANT SELECT ON policyguard.approval, policyguard.shelf TO policyguard_reader;
GRANT SELECT, DELETE ON policyguard.approval TO policyguard_eraser"""
