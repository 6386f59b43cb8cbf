"""The Compute API: tasks, storage, and the runner that carries tasks out."""
