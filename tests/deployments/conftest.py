"""No model hub; Ray Serve, imported once with its own deprecation warnings out of the way."""

import os
import warnings

# Read when huggingface_hub is imported: no test asks the network for a model.
os.environ["HF_HUB_OFFLINE"] = "1"
# Threads of torch sleep while they wait: on a busy machine spinning ones hold each other up.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

with warnings.catch_warnings():
    # Its settings classes pass extra keywords to pydantic's Field, which is deprecated there.
    warnings.simplefilter("ignore", DeprecationWarning)
    import ray.serve  # noqa: F401
