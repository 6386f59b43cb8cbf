"""Brands: whose products are photographed."""
