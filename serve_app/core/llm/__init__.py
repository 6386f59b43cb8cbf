"""What language models are asked about pictures and products, and the answers they may give."""
