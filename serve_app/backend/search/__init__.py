"""Search across resources."""
