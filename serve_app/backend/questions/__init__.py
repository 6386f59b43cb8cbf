"""Questions to language models about products and looks."""
