"""How long tasks will wait and run, from what was measured of earlier ones."""

from serve_app.core.estimates.estimator import Estimate, Estimator

__all__ = ["Estimate", "Estimator"]
