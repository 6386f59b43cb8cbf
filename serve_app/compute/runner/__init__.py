"""The runner: claims tasks that can start now, and sees each of them through."""
