"""Backgrounds: what is behind the person."""
