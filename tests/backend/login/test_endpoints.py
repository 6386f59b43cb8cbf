"""Logging in, staying logged in, and getting back in."""

from __future__ import annotations

import asyncio
import re
import time
from datetime import timedelta
from email.message import Message
from typing import Any

import httpx
import pytest
from aiosmtpd.handlers import Message as MessageHandler
from aiosmtpd.smtp import SMTP
from jose import jwt
from sqlalchemy import select

from configs.settings import AccountSettings, MailSettings
from db.models import LoginSession, User
from serve_app.core.tokens import TokenKind
from serve_app.gateway import BACKEND_BASE
from tests.factories.users import PASSWORD, make_user
from tests.fixtures.api import Gateway, running_gateway

LOGIN = "/login/access-token"
REFUSED = {"detail": "Could not validate credentials"}
WRONG = {"detail": "Incorrect email or password"}


@pytest.fixture
async def user(gateway: Gateway) -> User:
    return await make_user(gateway.resources.database)


@pytest.fixture
async def api(gateway: Gateway):
    async with gateway.client(None, BACKEND_BASE) as client:
        yield client


async def log_in(api: httpx.AsyncClient, email: str, password: str = PASSWORD) -> httpx.Response:
    return await api.post(LOGIN, data={"username": email, "password": password})


async def who(api: httpx.AsyncClient, token: str) -> httpx.Response:
    return await api.post("/login/test-token", headers={"Authorization": f"Bearer {token}"})


async def refresh(api: httpx.AsyncClient, token: str) -> httpx.Response:
    return await api.post("/login/refresh-token", json={"refresh_token": token})


async def test_a_login_answers_tokens(api: httpx.AsyncClient, user: User) -> None:
    response = await log_in(api, user.email.upper())
    assert response.status_code == 200
    tokens = response.json()
    assert (tokens["token_type"], tokens["expires_in"]) == ("bearer", 3600)
    me = (await who(api, tokens["access_token"])).json()
    assert (me["email"], me["full_name"]) == (user.email, "Ada Lovelace")
    assert "password_hash" not in me
    # A refresh token opens nothing.
    assert (await who(api, tokens["refresh_token"])).json() == REFUSED


@pytest.mark.parametrize(
    ("email", "password"), [("nobody@example.com", PASSWORD), (None, "wrong"), (None, "")]
)
async def test_what_is_wrong_is_not_told(
    api: httpx.AsyncClient, user: User, email: str | None, password: str
) -> None:
    response = await log_in(api, email or user.email, password)
    if password:
        assert (response.status_code, response.json()) == (401, WRONG)
        assert response.headers["WWW-Authenticate"] == "Bearer"
    else:
        assert response.status_code in {401, 422}


async def test_a_closed_account_is_out_at_once(
    gateway: Gateway, api: httpx.AsyncClient, user: User
) -> None:
    tokens = (await log_in(api, user.email)).json()
    async with gateway.resources.database.write() as session:
        (await session.get_one(User, user.id)).is_active = False
    assert (await who(api, tokens["access_token"])).json() == REFUSED
    assert (await refresh(api, tokens["refresh_token"])).json() == REFUSED
    assert (await log_in(api, user.email)).json() == WRONG


async def test_a_refresh_token_is_good_once_and_its_reuse_ends_the_login(
    api: httpx.AsyncClient, user: User
) -> None:
    first = (await log_in(api, user.email)).json()
    elsewhere = (await log_in(api, user.email)).json()
    second = (await refresh(api, first["refresh_token"])).json()
    assert (await who(api, second["access_token"])).status_code == 200
    # Whoever held the first one: thief or victim.
    assert (await refresh(api, first["refresh_token"])).status_code == 401
    assert (await refresh(api, second["refresh_token"])).status_code == 401
    assert (await who(api, second["access_token"])).status_code == 401
    assert (await who(api, elsewhere["access_token"])).status_code == 200


async def test_of_refreshes_at_once_one_wins(api: httpx.AsyncClient, user: User) -> None:
    token = (await log_in(api, user.email)).json()["refresh_token"]
    answers = await asyncio.gather(*(refresh(api, token) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401, 401]


async def test_logging_out_ends_the_login(api: httpx.AsyncClient, user: User) -> None:
    tokens = (await log_in(api, user.email)).json()
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert (await api.post("/logout", headers=bearer)).status_code == 204
    assert (await who(api, tokens["access_token"])).json() == REFUSED
    assert (await refresh(api, tokens["refresh_token"])).json() == REFUSED
    assert (await api.post("/logout")).json() == {"detail": "Not authenticated"}


def tampered(gateway: Gateway, user: User, **changes: Any) -> dict[str, str]:
    """Tokens that are almost good, by what is wrong with them."""
    tokens = gateway.resources.tokens
    good = tokens.issue(TokenKind.ACCESS, user.id, timedelta(hours=1), session_id=user.id)
    claims = jwt.get_unverified_claims(good)
    key = tokens._key
    head, body, signature = good.split(".")
    none = jwt.encode(claims, key).split(".")[1]
    return {
        "none": f"eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{none}.",
        "another algorithm": jwt.encode(claims, key, algorithm="HS512"),
        "another key": jwt.encode(claims, "guessed"),
        "the raw secret": jwt.encode(claims, gateway.settings.secret_key.get_secret_value()),
        "another audience": jwt.encode({**claims, "aud": "somebody"}, key),
        "another issuer": jwt.encode({**claims, "iss": "somebody"}, key),
        "expired": jwt.encode({**claims, "exp": int(time.time()) - 1}, key),
        "no expiry": jwt.encode({k: v for k, v in claims.items() if k != "exp"}, key),
        "another kind": jwt.encode({**claims, "typ": "refresh"}, key),
        "no login": jwt.encode({k: v for k, v in claims.items() if k != "sid"}, key),
        "a login that is not": good,
        "no id": jwt.encode({**claims, "sub": "1"}, key),
        "cut": f"{head}.{body}.{signature[:-4]}",
        "changed": f"{head}.{body[:-2]}AA.{signature}",
        "nonsense": "a.b.c",
        "an api key": "sk_test_unknown",
    }


async def test_bad_tokens(gateway: Gateway, api: httpx.AsyncClient, user: User) -> None:
    for what, token in tampered(gateway, user).items():
        for url in ("/users/me", "/users/"):
            response = await api.get(url, headers={"Authorization": f"Bearer {token}"})
            assert (response.status_code, response.json()) == (401, REFUSED), what
    assert (await api.get("/users/me")).json() == {"detail": "Not authenticated"}


@pytest.fixture
async def strict(own_gateway: Gateway):
    accounts = AccountSettings(failures_per_account=3, failures_per_address=6)
    settings = own_gateway.settings.model_copy(update={"accounts": accounts})
    async with running_gateway(settings) as gateway:
        yield gateway


async def test_guessing_has_an_end(strict: Gateway) -> None:
    database = strict.resources.database
    victim, other, third = [await make_user(database) for _ in range(3)]
    async with strict.client(None, BACKEND_BASE) as api:
        for _ in range(3):
            assert (await log_in(api, victim.email, "guess")).status_code == 401
        # Not even with the right password, and with the time until it may.
        blocked = await log_in(api, victim.email)
        assert blocked.status_code == 429
        assert 0 < blocked.json()["retry_after"] <= 15 * 60
        assert blocked.headers["Retry-After"] == str(blocked.json()["retry_after"])
        # A login that succeeds clears its own account.
        for _ in range(2):
            await log_in(api, other.email, "guess")
        assert (await log_in(api, other.email)).status_code == 200
        for _ in range(3):
            await log_in(api, "nobody@example.com", "guess")
        # From this address no account can be tried any more.
        assert (await log_in(api, third.email)).status_code == 429


class Mailbox(MessageHandler):
    def __init__(self) -> None:
        super().__init__()
        self.mails: list[Message] = []

    def handle_message(self, message: Message) -> None:
        self.mails.append(message)


@pytest.fixture
async def mailed(own_gateway: Gateway):
    """A gateway with a mail server, and what arrives there."""
    mailbox = Mailbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(mailbox), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    mail = MailSettings(host="127.0.0.1", port=port, starttls=False)
    settings = own_gateway.settings.model_copy(update={"mail": mail})
    async with server, running_gateway(settings) as gateway:
        yield gateway, mailbox.mails


async def test_a_forgotten_password(mailed: tuple[Gateway, list[Message]]) -> None:
    gateway, mails = mailed
    user = await make_user(gateway.resources.database)
    async with gateway.client(None, BACKEND_BASE) as api:
        before = (await log_in(api, user.email)).json()
        answers = [
            (await api.post(f"/password-recovery/{email}"))
            for email in (user.email, "nobody@example.com")
        ]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[0].json() == answers[1].json()
        (mail,) = mails
        assert mail["To"] == user.email
        text = mail.get_payload(decode=True)
        assert isinstance(text, bytes)
        found = re.search(r"token=(\S+)", text.decode())
        assert found is not None
        token = found[1]
        assert (await who(api, token)).json() == REFUSED
        body = {"token": token, "new_password": "another horse battery"}
        weak = await api.post("/reset-password/", json={**body, "new_password": "s3cr3t"})
        assert weak.json()["detail"][0]["loc"] == ["body", "new_password"]
        assert "s3cr3t" not in weak.text
        assert (await api.post("/reset-password/", json=body)).status_code == 200
        # The link is used up, the old password gone, and every login over.
        assert (await api.post("/reset-password/", json=body)).status_code == 400
        assert (await log_in(api, user.email)).json() == WRONG
        assert (await who(api, before["access_token"])).json() == REFUSED
        assert (await log_in(api, user.email, "another horse battery")).status_code == 200


async def test_without_a_mail_server_the_log_has_the_link(
    gateway: Gateway, api: httpx.AsyncClient, user: User, caplog: pytest.LogCaptureFixture
) -> None:
    await api.post(f"/password-recovery/{user.email}")
    assert "token=" in caplog.text


async def test_the_first_superuser_is_there(gateway: Gateway, api: httpx.AsyncClient) -> None:
    response = await log_in(api, "admin@sartiq.local", "of nobody")
    me = (await who(api, response.json()["access_token"])).json()
    assert (me["is_superuser"], me["role"]) == (True, "owner")


async def test_expired_logins_are_removed_by_the_next(
    gateway: Gateway, api: httpx.AsyncClient, user: User
) -> None:
    from db.repositories import LoginRepository

    async with gateway.resources.database.write() as session:
        await LoginRepository(session).begin(user.id, timedelta(seconds=-1))
    await log_in(api, user.email)
    async with gateway.resources.database.read() as session:
        query = select(LoginSession).where(LoginSession.user_id == user.id)
        assert len(list(await session.scalars(query))) == 1
