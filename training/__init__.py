"""LoRA training on Ray Train, and the pretraining of the bundled model."""
