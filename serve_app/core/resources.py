"""What a process that serves requests or runs tasks holds open, made once and handed around."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from configs.catalog import Catalog, ModelEntry, load_catalog
from configs.plans import Plans, load_plans
from configs.presets import load_presets
from configs.settings import Settings, SettingsError
from db.migrate import is_current, upgrade
from db.models import Role
from db.repositories.limits import LimitWriter
from db.repositories.organizations import OrganizationWriter
from db.repositories.presets import sync_standard
from db.repositories.users import UserWriter
from db.session import Database, WriteSession
from serve_app.core.addresses import Resolver, resolve
from serve_app.core.changes import Changes
from serve_app.core.estimates import Estimator
from serve_app.core.events.feed import Feeds
from serve_app.core.fetch import Fetcher
from serve_app.core.mail import Mailer
from serve_app.core.passwords import hash_password
from serve_app.core.providers.registry import Providers
from serve_app.core.rate_limits import RateLimiter
from serve_app.core.storage.base import ObjectStore
from serve_app.core.storage.factory import open_store
from serve_app.core.storage.signing import UrlSigner
from serve_app.core.tokens import Tokens
from serve_app.core.vault import Vault


@dataclass(frozen=True, slots=True)
class Resources:
    """Open connections and loaded catalogs of one process.

    ``default_organization`` owns what is done with the bootstrap ``API_KEY``. ``gpu`` says whether
    the cluster has one, and so which models of the catalog may be asked for.
    """

    settings: Settings
    catalog: Catalog
    plans: Plans
    database: Database
    store: ObjectStore
    signer: UrlSigner
    tokens: Tokens
    vault: Vault
    mailer: Mailer
    fetcher: Fetcher
    changes: Changes
    feeds: Feeds
    limiter: RateLimiter
    providers: Providers
    estimator: Estimator
    default_organization: UUID
    gpu: bool

    @property
    def models(self) -> list[ModelEntry]:
        """The models that can be asked for here."""
        return self.catalog.available(gpu=self.gpu, providers=self.providers.names)


@asynccontextmanager
async def open_resources(
    settings: Settings, *, gpu: bool, resolver: Resolver = resolve
) -> AsyncIterator[Resources]:
    """Connect to the database and the object store; close both at the end.

    ``resolver`` finds the addresses of the hosts that clients name.

    In production the schema is the operator's to upgrade; elsewhere it is brought up to date here.

    Raises:
        SettingsError: no database is configured, or in production its schema is old.
    """
    plans = load_plans(settings)
    store = open_store(settings)
    changes = Changes()
    database = Database.connect(settings)
    providers = Providers(settings)
    limiter = RateLimiter(database, plans, counts=settings.limits.requests)
    try:
        await _prepare_schema(settings, database)
        async with database.write() as session:
            organization = await OrganizationWriter(session).ensure_default()
            await _ensure_superuser(settings, session, organization.id)
            await sync_standard(session, load_presets())
            limits = LimitWriter(session)
            await limits.sync(plans)
            await limits.put_on(organization.id, settings.platform_tier)
        yield Resources(
            settings=settings,
            catalog=load_catalog(settings),
            plans=plans,
            database=database,
            store=store,
            signer=UrlSigner(settings.secret_key.get_secret_value()),
            tokens=Tokens(settings.secret_key.get_secret_value()),
            vault=Vault(settings.secret_key.get_secret_value()),
            mailer=Mailer(settings.mail, show_text=settings.environment != "production"),
            fetcher=Fetcher(settings.fetch, resolver),
            changes=changes,
            feeds=Feeds(database, changes, settings.events),
            providers=providers,
            limiter=limiter,
            estimator=Estimator(database, limiter),
            default_organization=organization.id,
            gpu=gpu,
        )
    finally:
        await providers.aclose()
        await database.close()
        await store.aclose()


async def _ensure_superuser(
    settings: Settings, session: WriteSession, organization_id: UUID
) -> None:
    """Make the first account, once; later its password is its owner's to change."""
    users = UserWriter(session)
    email = settings.first_superuser_email
    if await users.find(email) is not None:
        return
    password = settings.first_superuser_password.get_secret_value()
    user = await users.create(
        email=email,
        password_hash=await hash_password(password),
        full_name=None,
        is_superuser=True,
    )
    # None: another process was quicker.
    if user is not None:
        await users.join(user.id, organization_id, Role.OWNER)


async def _prepare_schema(settings: Settings, database: Database) -> None:
    async with database.read() as session:
        if await is_current(session):
            return
    if settings.environment == "production":
        raise SettingsError("the database has an old schema; run `sartiq db upgrade`")
    assert settings.database_url is not None
    await upgrade(settings.database_url.get_secret_value())
