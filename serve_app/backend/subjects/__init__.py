"""Subjects: the identities that wear the products."""
