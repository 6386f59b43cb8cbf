"""Resolutions: how large a deliverable is."""
