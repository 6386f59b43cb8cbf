"""Settings (the only reader of the environment) and the YAML catalogs."""
