"""Pictures of subjects."""
