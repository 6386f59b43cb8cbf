"""Products: the articles of the catalog."""
