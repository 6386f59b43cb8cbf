"""Trainings of subjects and products, from their own pictures."""
