"""Comments about shots."""
