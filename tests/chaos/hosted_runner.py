"""A runner of hosted tasks as a process of its own, to be killed: ``python hosted_runner.py``.

Settings come from the environment, as in the platform.
"""

from __future__ import annotations

import asyncio
import os
import sys

from configs.settings import get_settings
from serve_app.compute.runner.runner import Runner
from serve_app.core.resources import open_resources
from tests.fixtures.models import FixedCapacity


async def main() -> None:
    async with open_resources(get_settings(), gpu=False) as resources:
        runner = Runner(
            f"runner-{os.getpid()}",
            resources,
            dict.fromkeys(resources.providers.names),
            lambda wake: FixedCapacity(500),
        )
        await runner.start()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
