"""What each model family knows: loading, prompts, arguments of a pipeline call, latents."""
