"""`sartiq doctor`: what is wrong with this machine, and what to do about it."""

from serve_app.cli.doctor.command import doctor

__all__ = ["doctor"]
