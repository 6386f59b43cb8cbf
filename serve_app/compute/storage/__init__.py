"""Pictures: upload and download."""
