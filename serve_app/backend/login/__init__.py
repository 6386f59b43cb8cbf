"""Logging in and out, and forgotten passwords."""
