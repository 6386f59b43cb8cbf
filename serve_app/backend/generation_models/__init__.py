"""Which models can be asked for images."""
