"""Fixtures live in tests/fixtures; each module of them is named here, after those it imports."""

pytest_plugins = [
    "tests.fixtures.database",
    "tests.fixtures.storage",
    "tests.fixtures.web",
    "tests.fixtures.platform",
    "tests.fixtures.api",
    "tests.fixtures.studio",
    "tests.fixtures.workflows",
    "tests.fixtures.hosted.plugin",
]
