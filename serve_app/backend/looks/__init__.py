"""Looks: products on a subject in a style."""
