from __future__ import annotations

import asyncio

import pytest
from pydantic import SecretStr
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, InvalidRequestError

from configs.sections import DatabaseSettings
from configs.settings import Settings
from db.listen import Notification
from db.models import ApiKey, Organization
from db.repositories import OrganizationWriter
from db.session import Database
from db.url import DatabaseUrlError
from tests.factories.organizations import make_organization
from tests.fixtures.database import execute


async def slugs(database: Database) -> list[str]:
    async with database.read() as session:
        return list(await session.scalars(select(Organization.slug)))


async def fail_after_writing(database: Database) -> None:
    async with database.write() as session:
        await OrganizationWriter(session).create(name="Lost", slug="lost")
        raise ZeroDivisionError


async def test_a_write_is_committed_and_an_error_rolls_it_back(own_database: Database) -> None:
    await make_organization(own_database, slug="kept")
    with pytest.raises(ZeroDivisionError):
        await fail_after_writing(own_database)
    assert await slugs(own_database) == ["kept"]


async def test_a_read_session_cannot_write(own_database: Database) -> None:
    with pytest.raises(DBAPIError, match="read-only transaction"):
        async with own_database.read() as session:
            await session.execute(text("DELETE FROM organizations"))


async def test_a_read_session_holds_no_transaction_open(own_database: Database) -> None:
    state = text("SELECT state FROM pg_stat_activity WHERE pid = :pid")
    async with own_database.read() as session:
        pid = await session.scalar(text("SELECT pg_backend_pid()"))
        async with own_database.read() as other:
            assert await other.scalar(state, {"pid": pid}) == "idle"
        # What is committed meanwhile is seen.
        await make_organization(own_database, slug="meanwhile")
        assert list(await session.scalars(select(Organization.slug))) == ["meanwhile"]


async def test_a_forgotten_eager_load_is_an_error(database: Database) -> None:
    organization = await make_organization(database)
    async with database.write() as session:
        session.add(ApiKey(organization_id=organization.id, name="k", prefix="sk_", hash="0" * 64))
        await session.flush()
        session.expunge_all()
        key = await session.scalar(select(ApiKey))
        assert key is not None
        with pytest.raises(InvalidRequestError, match="lazy='raise'"):
            _ = key.organization


async def test_settings_reach_the_server(own_database_url: str) -> None:
    settings = Settings(
        database_url=SecretStr(own_database_url),
        database=DatabaseSettings(statement_timeout_seconds=2),
    )
    database = Database.connect(settings, application_name="sartiq test")
    async with database.read() as session:
        assert await session.scalar(text("SHOW application_name")) == "sartiq test"
        assert await session.scalar(text("SHOW timezone")) == "UTC"
        with pytest.raises(DBAPIError, match="statement timeout"):
            await session.execute(text("SELECT pg_sleep(60)"))
    await database.close()


def test_without_a_url_the_error_says_what_to_do() -> None:
    with pytest.raises(DatabaseUrlError, match="DATABASE_URL is not set"):
        Database.connect(Settings(database_url=None))


async def test_listening_survives_a_lost_connection(
    own_database: Database, own_database_url: str
) -> None:
    heard: asyncio.Queue[Notification] = asyncio.Queue()
    gaps: asyncio.Queue[None] = asyncio.Queue()
    await own_database.listen(
        ["sartiq_tasks"], heard.put_nowait, on_gap=lambda: gaps.put_nowait(None)
    )
    async with asyncio.timeout(20):
        await gaps.get()
        await execute(own_database_url, "NOTIFY sartiq_tasks, 'generation'")
        assert await heard.get() == Notification("sartiq_tasks", "generation")
        await execute(
            own_database_url,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'sartiq listen'",
        )
        # Told that wake-ups may have been missed, and listening again.
        await gaps.get()
        await execute(own_database_url, "NOTIFY sartiq_tasks, 'upscaling'")
        assert await heard.get() == Notification("sartiq_tasks", "upscaling")
    assert heard.empty()


async def test_what_follows_the_end_of_a_transaction(own_database: Database) -> None:
    done: list[str] = []

    async def note(what: str) -> None:
        done.append(f"{what} {await slugs(own_database)}")

    async def break_down() -> None:
        raise OSError

    async with own_database.write() as session:
        session.after_commit(break_down)  # logged, and of no consequence
        session.after_commit(lambda: note("committed"))
        session.after_rollback(lambda: note("never"))
        await OrganizationWriter(session).create(name="Kept", slug="kept")
    assert done == ["committed ['kept']"]

    async def fail() -> None:
        async with own_database.write() as session:
            session.after_commit(lambda: note("never"))
            session.after_rollback(lambda: note("rolled back"))
            await OrganizationWriter(session).create(name="Lost", slug="lost")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert done[1:] == ["rolled back ['kept']"]
