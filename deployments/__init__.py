"""Ray Serve model deployments. Pure: they know no database, no HTTP and no storage."""
