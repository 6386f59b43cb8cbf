"""Uploads: files that are put straight into storage."""
