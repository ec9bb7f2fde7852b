"""The tables of the vault in PostgreSQL that are about people, and who may use them.

Owner: whoever prepares the database. Writers add rows, and change and remove none;
`policyguard_eraser` may delete. `policyguard_reader` reads whom records are about and
sealed prompts; the vault key, which is locked under the fleet's passphrase, only writers
read, and who is granted that besides.
"""

from __future__ import annotations

from typing import Final, LiteralString

PEOPLE: Final[LiteralString] = """
CREATE TABLE policyguard.vault_key (
  one smallint PRIMARY KEY DEFAULT 0 CHECK (one = 0), locked bytea NOT NULL
);
CREATE TABLE policyguard.person (
  pseudonym text PRIMARY KEY, salt bytea NOT NULL, id text NOT NULL UNIQUE,
  key bytea NOT NULL
);
CREATE TABLE policyguard.prompt (
  slot text NOT NULL, record text NOT NULL, body bytea NOT NULL, key bytea,
  PRIMARY KEY (slot, record)
);
CREATE TABLE policyguard.about (
  slot text NOT NULL, record text NOT NULL, person text NOT NULL,
  PRIMARY KEY (slot, person, record)
);
CREATE INDEX about_record ON policyguard.about (slot, record);
CREATE TRIGGER refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON policyguard.vault_key
  EXECUTE FUNCTION policyguard.refuse()"""
GRANTS: Final[LiteralString] = """
GRANT INSERT ON policyguard.vault_key, policyguard.person, policyguard.prompt,
  policyguard.about TO policyguard_writer;
GRANT SELECT ON policyguard.person, policyguard.prompt, policyguard.about
  TO policyguard_reader;
GRANT SELECT, DELETE ON policyguard.person, policyguard.prompt, policyguard.about
  TO policyguard_eraser"""
