"""Pictures and captions as the denoiser takes them: encoded ahead, or whenever they are seen."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch

from training.dataset import Picture
from training.families.base import Distribution, Prompts, Trainable


@dataclass(frozen=True, slots=True)
class Encoded:
    """Rows of one shape."""

    latents: Distribution
    prompts: Prompts


class Encoder:
    """Encodes rows of a set of pictures.

    What is kept is the distribution of the latents, from which every step draws anew: with and
    without the cache a run sees the same.

    Args:
        model: whose autoencoder and text encoders are used.
        pictures: the set.
        cache_latents: encode each picture once.
        cache_prompts: encode each caption once.
    """

    def __init__(
        self,
        model: Trainable,
        pictures: Sequence[Picture],
        *,
        cache_latents: bool,
        cache_prompts: bool,
    ) -> None:
        self._model = model
        self.pictures = pictures
        self._cache_latents, self._cache_prompts = cache_latents, cache_prompts
        self._latents: dict[int, Distribution] = {}
        self._prompts: dict[str, Prompts] = {}

    def warm(self, index: int) -> None:
        """Encode one picture and its caption ahead, as far as they are kept."""
        if self._cache_latents:
            self._distribution(index)
        if self._cache_prompts:
            self._prompt(self.pictures[index].caption)

    def rows(self, indices: Sequence[int], silent: Collection[int] = ()) -> Encoded:
        """The rows of some pictures of one size; those at the places ``silent`` have no caption."""
        pictures = [self.pictures[index] for index in indices]
        if self._cache_latents:
            each = [self._distribution(index) for index in indices]
            latents = Distribution(
                torch.cat([d.mean for d in each]), torch.cat([d.std for d in each])
            )
        else:
            latents = self._model.encode_pictures([picture.pixels for picture in pictures])
        captions = [
            "" if place in silent else picture.caption for place, picture in enumerate(pictures)
        ]
        return Encoded(latents, self._prompt_rows(captions))

    def _prompt_rows(self, captions: list[str]) -> Prompts:
        if not self._cache_prompts:
            return self._model.encode_prompts(captions)
        each = [self._prompt(caption) for caption in captions]
        return {name: torch.cat([row[name] for row in each]) for name in each[0]}

    def _distribution(self, index: int) -> Distribution:
        if index not in self._latents:
            pixels = self.pictures[index].pixels
            self._latents[index] = self._model.encode_pictures([pixels])
        return self._latents[index]

    @torch.no_grad()
    def _prompt(self, caption: str) -> Prompts:
        if caption not in self._prompts:
            self._prompts[caption] = self._model.encode_prompts([caption])
        return self._prompts[caption]
