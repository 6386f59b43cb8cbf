"""Who belongs to an organization."""
