"""Adapters: listed, uploaded, removed."""
