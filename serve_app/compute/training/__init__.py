"""Trainings: begin, watch, cancel."""
