"""What tests against a PostgreSQL share: a server for each module, and its databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from services import Postgres, postgres


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


@pytest.fixture(scope="module")
def prepared(server: Postgres) -> tuple[str, str]:
    """A database with a trail that nobody has used and its lock database, to copy."""
    from fleet import NAME, database, logins

    from policyguard.audit.stores.postgres_schema import prepare_database
    from policyguard.audit.stores.postgres_server import Server

    made, lock = database(server), database(server)
    prepare_database(Server(url=made), lock=Server(url=lock), name=NAME)
    logins(made)
    return made, lock


@pytest.fixture
def pair(server: Postgres, prepared: tuple[str, str]) -> tuple[str, str]:
    """A database with such a trail and its lock database, as their owner."""
    from fleet import database

    made, lock = (database(server, like=url) for url in prepared)
    return made, lock


@pytest.fixture
def owned(server: Postgres, prepared: tuple[str, str]) -> str:
    """A database with such a trail, as its owner."""
    from fleet import database

    return database(server, like=prepared[0])


@pytest.fixture
def url(owned: str) -> str:
    """The same, as somebody who only writes."""
    from fleet import as_user

    return as_user(owned, "app")
