"""Classifiers that say what a generated picture shows; they have seen renders only.

The recipe of the bundled model must not know them: what judges a model has no part in making it.
Their weights lie beside the benchmarks' results, so that figures of two models, or of two days,
come from the same judges. ``make judges`` trains them anew, as is needed when the renderer changes.
"""
