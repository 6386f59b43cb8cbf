"""Shootings: sessions that make the pictures of a collection."""
