"""`make pretrain-smoke`: every stage from nothing to a pipeline, in two processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionInstructPix2PixPipeline

from training.pretraining.workspace import read_log


@pytest.mark.timeout(400)
def test_all_stages_run_in_order_and_end_with_a_pipeline(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "training.pretraining", "--smoke", "--work-dir", str(tmp_path)]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env={**os.environ}, timeout=380
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for stage in ("renders", "autoencoder", "latents", "text", "denoiser", "reward", "alignment"):
        assert f"pretraining: {stage}" in done.stderr
    for stage in ("autoencoder", "denoiser", "reward", "alignment"):
        assert read_log(tmp_path / "log.jsonl", stage), stage
    pipeline = StableDiffusionInstructPix2PixPipeline.from_pretrained(
        str(tmp_path / "export"), dtype=torch.float32
    )
    assert all(value.isfinite().all() for value in pipeline.unet.parameters())
