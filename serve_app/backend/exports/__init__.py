"""Approved images as files to deliver."""
