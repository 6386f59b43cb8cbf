"""Shot types: what a shot shows, and from where."""
