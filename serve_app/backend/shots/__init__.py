"""Shots: the deliverables, and the decisions about them."""
