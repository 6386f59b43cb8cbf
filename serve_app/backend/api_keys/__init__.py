"""Keys by which an organization's programs use the Compute API."""
