"""Predictions: the images of shots."""
