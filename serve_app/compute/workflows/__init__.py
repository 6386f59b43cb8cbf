"""Workflows: pipelines of steps, each carried out by tasks of the queue."""
