"""The text side: a byte-level BPE tokenizer and an untrained CLIP text encoder for it."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Final

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch import nn
from torch.nn import functional
from tqdm import trange
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from training.pretraining import parallel
from training.pretraining.config import PretrainingConfig, TextConfig
from training.pretraining.optimization import Optimization
from training.pretraining.precision import bfloat16
from training.pretraining.renderer.attributes import (
    AGES,
    ALL_FRAMINGS,
    BACKGROUNDS,
    BODY_TYPES,
    COLOURS,
    GARMENTS,
    HAIR_COLOURS,
    HAIR_STYLES,
    LIGHTINGS,
    PATTERNS,
    POSES,
    SKIN_TONES,
    SUBJECTS,
    VIEWS,
    sample_scene,
)
from training.pretraining.renderer.prompts import describe, with_unknown_words
from training.pretraining.renderer.words import NEGATIVE_PROMPTS
from training.pretraining.renders import scene_at
from training.pretraining.workspace import Workspace, load_state, save_state

LENGTH = 77
_END_OF_WORD = "</w>"


def corpus(config: PretrainingConfig) -> list[str]:
    """The prompts that decide which words become one token."""
    rng = random.Random(config.renders.seed)
    scenes = (scene_at(config.renders.seed, index) for index in range(config.text.corpus))
    return [describe(scene, rng) for scene in scenes] + list(NEGATIVE_PROMPTS) * 20


def train_tokenizer(prompts: list[str], vocabulary: int) -> CLIPTokenizer:
    """Train the tokenizer; every byte is in its alphabet, so that no word is unknown."""
    layout = CLIPTokenizer()
    backend = Tokenizer(models.BPE(end_of_word_suffix=_END_OF_WORD))
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = layout.backend_tokenizer.pre_tokenizer
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend.train_from_iterator(
        prompts,
        trainers.BpeTrainer(
            vocab_size=vocabulary,
            initial_alphabet=alphabet,
            end_of_word_suffix=_END_OF_WORD,
            show_progress=False,
        ),
    )
    learnt = _learnt(backend)
    tokens = alphabet + [letter + _END_OF_WORD for letter in alphabet]
    tokens += ["".join(pair) for pair in learnt]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    vocab = {token: index for index, token in enumerate(dict.fromkeys(tokens))}
    return CLIPTokenizer(vocab=vocab, merges=learnt, model_max_length=LENGTH)


def _learnt(backend: Tokenizer) -> list[tuple[str, str]]:
    merges = json.loads(backend.to_str())["model"]["merges"]
    return [(first, second) for first, second in merges]


def load_tokenizer(config: PretrainingConfig, workspace: Workspace) -> CLIPTokenizer:
    """The tokenizer of this work directory, trained when there is none yet."""
    folder: Path = workspace.tokenizer
    if not folder.exists():
        tokenizer = train_tokenizer(corpus(config), config.text.vocabulary)
        partial = folder.with_name(".tokenizer.partial")
        tokenizer.save_pretrained(str(partial))
        partial.rename(folder)
    return CLIPTokenizer.from_pretrained(str(folder))


def build_encoder(config: TextConfig, tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """An untrained text encoder whose hidden states the denoiser attends to."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=config.width,
            intermediate_size=config.width * 4,
            projection_dim=config.width,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            max_position_embeddings=LENGTH,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


#: What is learnt to be read out of prompts and of pictures: attribute of the scene → its values.
ATTRIBUTES: Final[dict[str, tuple[str, ...]]] = {
    "garment": tuple(GARMENTS),
    "colour": tuple(COLOURS),
    "pattern": PATTERNS,
    "subject": SUBJECTS,
    "skin": tuple(SKIN_TONES),
    "hair_style": HAIR_STYLES,
    "hair_colour": tuple(HAIR_COLOURS),
    "pose": POSES,
    "age": AGES,
    "body": BODY_TYPES,
    "view": VIEWS,
    "framing": ALL_FRAMINGS,
    "background": BACKGROUNDS,
    "lighting": LIGHTINGS,
}


def token_ids(tokenizer: CLIPTokenizer, prompts: list[str]) -> torch.Tensor:
    """Prompts → (n, 77) token ids, padded and cut as the pipeline does."""
    encoded = tokenizer(
        prompts, padding="max_length", truncation=True, max_length=LENGTH, return_tensors="pt"
    )
    ids: torch.Tensor = encoded.input_ids
    return ids


def train_encoder(config: PretrainingConfig, workspace: Workspace) -> None:
    """Train the text encoder in this process to tell the attributes of a scene from its prompt.

    Trained by the denoiser's loss alone it settles on the background, which covers most of a
    picture, and forgets garment and colour. The attributes are read from the mean over all
    positions, which is what an untrained cross attention sees. Nothing is done when it is there.
    """
    path = workspace.text_encoder
    if path.exists():
        return
    recipe = config.text
    torch.manual_seed(config.renders.seed)
    tokenizer = load_tokenizer(config, workspace)
    encoder = build_encoder(recipe, tokenizer)
    # Plain matrix products are trained faster than the fused kernel, as in the denoiser.
    encoder.set_attn_implementation("eager")
    # Words must stand out from positions, or the layers average them away.
    nn.init.normal_(encoder.get_input_embeddings().weight, std=0.2)
    heads = nn.ModuleList(nn.Linear(recipe.width, len(names)) for names in ATTRIBUTES.values())
    optimization = Optimization([encoder, heads], recipe.optimizer, recipe.steps)
    rng = random.Random(f"{config.renders.seed}:text:{parallel.rank()}")
    quiet = parallel.rank() > 0
    for step in (bar := trange(recipe.steps, desc="text encoder", mininterval=5, disable=quiet)):
        scenes = [sample_scene(rng) for _ in range(recipe.batch // parallel.size())]
        prompts = [describe(scene, rng, complete=rng.random() < 0.5) for scene in scenes]
        prompts = [
            with_unknown_words(prompt, rng) if rng.random() < recipe.unknown_words else prompt
            for prompt in prompts
        ]
        with bfloat16():
            states = encoder(token_ids(tokenizer, prompts))[0].mean(1)
        loss = torch.zeros(())
        for head, (name, names) in zip(heads, ATTRIBUTES.items(), strict=True):
            expected = torch.tensor([names.index(getattr(scene, name)) for scene in scenes])
            loss = loss + functional.cross_entropy(head(states.float()), expected)
        optimization.step(loss, step)
        bar.set_postfix(loss=f"{float(loss.detach()):.2f}", refresh=False)
    if parallel.rank() == 0:
        save_state(path, {"encoder": encoder.state_dict()})


def load_encoder(
    config: PretrainingConfig, workspace: Workspace, tokenizer: CLIPTokenizer
) -> CLIPTextModel:
    """The trained text encoder, frozen."""
    state = load_state(workspace.text_encoder)
    if state is None:
        raise FileNotFoundError(f"no text encoder in {workspace.root}; run that stage first")
    encoder = build_encoder(config.text, tokenizer)
    encoder.load_state_dict(state["encoder"])
    return encoder.eval().requires_grad_(False)
