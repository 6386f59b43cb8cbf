"""Why a platform did not come up."""


class StartupError(RuntimeError):
    """The platform did not come up; the text says which part and why."""
