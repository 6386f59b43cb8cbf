"""How the bundled model `atelier-tiny` is made: drawn data, autoencoder, denoiser, export."""
