"""Trainings: what both APIs take and answer about them."""
