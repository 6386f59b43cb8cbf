"""The Backend API: catalog, shootings, review and accounts; one folder per resource."""
