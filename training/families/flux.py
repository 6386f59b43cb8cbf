"""FLUX.1."""

from __future__ import annotations

import torch

from training.families.base import Conditions, Prompts, Trainable
from training.objectives import Flow, Objective


class TrainableFlux(Trainable):
    """Adapters on attention and feed-forward layers of the transformer; on CLIP if asked for.

    Latents are packed 2x2 for the transformer, and unpacked again, so that losses are over
    (n, C, h, w) as everywhere.
    """

    denoiser_targets = (
        *("attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0"),
        *("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj", "attn.to_add_out"),
        *("ff.net.0.proj", "ff.net.2", "ff_context.net.0.proj", "ff_context.net.2"),
    )

    # Its blocks have no more.
    further_targets = ()

    def objective(self) -> Objective:
        """A flow."""
        return Flow()

    def denoise(
        self,
        noisy: torch.Tensor,
        timesteps: torch.Tensor,
        prompts: Prompts,
        conditions: Conditions,
    ) -> torch.Tensor:
        """One call of the transformer."""
        del conditions
        count, channels, height, width = noisy.shape
        pipeline, transformer = self.pipeline, self.family.denoiser
        image_ids = pipeline._prepare_latent_image_ids(
            count, height // 2, width // 2, self.device, self.dtype
        )
        states = prompts["prompt_embeds"]
        # Dev is distilled from guidance, and 1 is none; schnell takes no such value.
        guided = transformer.config.guidance_embeds
        guidance = torch.ones(count, device=self.device) if guided else None
        packed: torch.Tensor = transformer(
            hidden_states=pipeline._pack_latents(noisy, count, channels, height, width).to(
                self.dtype
            ),
            timestep=timesteps,
            guidance=guidance,
            pooled_projections=prompts["pooled_prompt_embeds"],
            encoder_hidden_states=states,
            txt_ids=torch.zeros(states.shape[1], 3, device=self.device, dtype=self.dtype),
            img_ids=image_ids,
            return_dict=False,
        )[0]
        factor = pipeline.vae_scale_factor
        unpacked: torch.Tensor = pipeline._unpack_latents(
            packed, height * factor, width * factor, factor
        )
        return unpacked
