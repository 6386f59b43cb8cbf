"""Mail to people, through the SMTP server of the settings."""

from __future__ import annotations

import asyncio
import logging
import smtplib
import ssl
from email.message import EmailMessage

from configs.settings import MailSettings

logger = logging.getLogger(__name__)


class Mailer:
    """Sends mail; where no server is set, it says in the log what it would have sent.

    Args:
        settings: the server and the sender.
        show_text: put the text into the log as well, links included: in development only.
    """

    def __init__(self, settings: MailSettings, *, show_text: bool) -> None:
        self._settings = settings
        self._show_text = show_text

    async def send(self, to: str, subject: str, text: str) -> None:
        """Hand one mail over; failing at that is logged, because nobody waits for it."""
        if self._settings.host is None:
            what = f"\n{text}" if self._show_text else ""
            logger.warning("no mail server is set; mail to %s: %s%s", to, subject, what)
            return
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self._settings.sender, to, subject
        message.set_content(text)
        try:
            await asyncio.to_thread(self._hand_over, message)
        except (OSError, smtplib.SMTPException):
            logger.exception("mail to %s was not sent: %s", to, subject)

    def _hand_over(self, message: EmailMessage) -> None:
        settings = self._settings
        assert settings.host is not None
        with smtplib.SMTP(settings.host, settings.port, timeout=settings.timeout_seconds) as server:
            if settings.starttls:
                server.starttls(context=ssl.create_default_context())
            if settings.username is not None:
                server.login(settings.username, settings.password.get_secret_value())
            server.send_message(message)
