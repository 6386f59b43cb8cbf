"""Secrets that must be read again, such as those that sign webhooks: sealed in the database."""

from __future__ import annotations

import base64
import hmac

from cryptography.fernet import Fernet, InvalidToken

from serve_app.core.errors import SartiqError


class SecretUnreadable(SartiqError):
    """A secret was sealed by another ``SARTIQ_SECRET_KEY``."""

    code = "secret_unreadable"
    default_detail = "The secret cannot be read any more: rotate it"


class Vault:
    """Seals and opens text (Fernet: AES-128 and HMAC-SHA256).

    Args:
        secret: the installation's; a key of its own is derived from it.
    """

    def __init__(self, secret: str) -> None:
        key = hmac.digest(secret.encode(), b"sartiq/vault/v1", "sha256")
        self._fernet = Fernet(base64.urlsafe_b64encode(key))

    def seal(self, text: str) -> str:
        """The text, unreadable."""
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """The text.

        Raises:
            SecretUnreadable: it was sealed by another key.
        """
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            raise SecretUnreadable from error
