"""Logging in: passwords and tokens, limits on guessing, and forgotten passwords.

What must be remembered of a refusal (a failure that counts, a session that ends) is committed in a
transaction of its own before the refusal is raised.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from uuid import UUID

from db.models import User
from db.repositories.logins import LoginRepository, RecentFailures
from db.repositories.users import UserRepository, UserWriter
from serve_app.backend.login.schemas import TokenRead
from serve_app.core.errors import BadRequest, TooManyRequests, Unauthorized
from serve_app.core.passwords import hash_password, verify_password
from serve_app.core.resources import Resources
from serve_app.core.tokens import TokenKind, password_stamp

_WRONG = "Incorrect email or password"


class InvalidResetToken(BadRequest):
    """The link of a password mail is used up, too old, or not ours."""

    code = "invalid_reset_token"
    default_detail = "This link is not good any more; ask for a new one"


async def log_in(resources: Resources, email: str, password: str, address: str) -> TokenRead:
    """Tokens for an address and its password.

    Raises:
        TooManyRequests: too many logins to the account, or from the network address, were refused.
        Unauthorized: the password is wrong, or there is no such account, or it is closed.
    """
    await _refuse_guessing(resources, email, address)
    async with resources.database.read() as session:
        user = await UserRepository(session).find(email)
    right, renewed = await verify_password(password, user.password_hash if user else None)
    async with resources.database.write() as write:
        logins = LoginRepository(write)
        if user is not None and right and user.is_active:
            await logins.forgive(email)
            if renewed is not None:
                await UserWriter(write).update(user.id, {"password_hash": renewed})
            lasts = timedelta(days=resources.settings.accounts.refresh_token_days)
            login = await logins.begin(user.id, lasts)
            return _tokens(resources, user.id, login.id, login.refresh_id)
        await logins.note_failure(email, address)
    raise Unauthorized(_WRONG)


async def _refuse_guessing(resources: Resources, email: str, address: str) -> None:
    limits = resources.settings.accounts
    window = timedelta(minutes=limits.failure_window_minutes)
    async with resources.database.write() as session:
        logins = LoginRepository(session)
        of_account = await logins.failures_of_account(email, window, limits.failures_per_account)
        from_address = await logins.failures_from(address, window, limits.failures_per_address)
    _refuse(of_account, limits.failures_per_account, window)
    _refuse(from_address, limits.failures_per_address, window)


def _refuse(recent: RecentFailures, limit: int, window: timedelta) -> None:
    if recent.count >= limit and recent.oldest is not None:
        left = recent.oldest + window - datetime.now(UTC)
        raise TooManyRequests(
            max(1, math.ceil(left.total_seconds())), "Too many failed logins, try again later"
        )


async def refresh(resources: Resources, token: str) -> TokenRead:
    """New tokens for a refresh token, which is then used up.

    Raises:
        Unauthorized: it is not good; if it was used before, its whole login has ended now.
    """
    claims = resources.tokens.read(token, TokenKind.REFRESH)
    if claims.session_id is None:
        raise Unauthorized(Unauthorized.invalid_credentials)
    async with resources.database.write() as session:
        login = await LoginRepository(session).rotate(claims.session_id, claims.token_id)
        user = await UserRepository(session).get(claims.user_id)
    if login is None or user is None or not user.is_active:
        raise Unauthorized(Unauthorized.invalid_credentials)
    return _tokens(resources, user.id, login.id, login.refresh_id)


def _tokens(resources: Resources, user_id: UUID, session_id: UUID, refresh_id: UUID) -> TokenRead:
    settings = resources.settings.accounts
    tokens = resources.tokens
    access = timedelta(seconds=settings.access_token_seconds)
    lasts = timedelta(days=settings.refresh_token_days)
    return TokenRead(
        access_token=tokens.issue(TokenKind.ACCESS, user_id, access, session_id=session_id),
        refresh_token=tokens.issue(
            TokenKind.REFRESH, user_id, lasts, token_id=refresh_id, session_id=session_id
        ),
        token_type="bearer",  # noqa: S106 - the name of a kind of token
        expires_in=settings.access_token_seconds,
    )


async def mail_reset_link(resources: Resources, email: str, base_url: str) -> None:
    """Send the owner of an address a link to a new password, if it has an account."""
    async with resources.database.read() as session:
        user = await UserRepository(session).find(email)
    if user is None or not user.is_active:
        return
    minutes = resources.settings.accounts.password_reset_minutes
    token = resources.tokens.issue(
        TokenKind.PASSWORD_RESET,
        user.id,
        timedelta(minutes=minutes),
        stamp=password_stamp(user.password_hash),
    )
    await resources.mailer.send(
        user.email,
        "Your new Sartiq password",
        "Somebody, you we hope, asked for a new password for your Sartiq account.\n\n"
        f"Open this link within {minutes} minutes to choose one:\n"
        f"{base_url}/reset-password?token={token}\n\n"
        "If it was not you, ignore this mail: nothing has changed.\n",
    )


async def reset_password(resources: Resources, token: str, password: str) -> User:
    """Set a new password by the token of the mail; every login of the account ends.

    Raises:
        InvalidResetToken: the token is not good, or was used already.
    """
    try:
        claims = resources.tokens.read(token, TokenKind.PASSWORD_RESET)
    except Unauthorized:
        raise InvalidResetToken from None
    hashed = await hash_password(password)
    async with resources.database.write() as session:
        users = UserWriter(session)
        user = await users.lock(claims.user_id)
        if user is None or not user.is_active or password_stamp(user.password_hash) != claims.stamp:
            raise InvalidResetToken
        await users.update(user.id, {"password_hash": hashed})
        await LoginRepository(session).end_all(user.id)
        await LoginRepository(session).forgive(user.email)
    return user
