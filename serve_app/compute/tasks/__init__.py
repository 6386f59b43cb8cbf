"""Tasks: submit, watch, cancel."""
