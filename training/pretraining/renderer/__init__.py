"""A procedural renderer of fashion pictures: scene → on-model picture, product, prompt."""

from training.pretraining.renderer.attributes import Scene, sample_scene
from training.pretraining.renderer.compose import draw_on_model
from training.pretraining.renderer.product import draw_product
from training.pretraining.renderer.prompts import describe

__all__ = ["Scene", "describe", "draw_on_model", "draw_product", "sample_scene"]
