"""Processes that train together, on this machine."""

import os
import subprocess
import sys
import textwrap

import psutil

from configs.settings import CHECKOUT

_SCRIPT = """
    import time

    from training.pretraining import parallel

    if __name__ == "__main__":
        parallel.run(2, time.sleep, 120)
"""


def test_they_end_with_their_parent_even_if_they_had_only_begun(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(textwrap.dedent(_SCRIPT), encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    with subprocess.Popen([sys.executable, script], env=environment) as started:
        parent = psutil.Process(started.pid)
        workers: list[psutil.Process] = []
        while len(workers) < 2:
            assert started.poll() is None
            workers = [one for one in parent.children() if "spawn_main" in " ".join(one.cmdline())]
        started.kill()
    _, alive = psutil.wait_procs(workers, timeout=60)
    for one in alive:
        one.kill()
    assert not alive
