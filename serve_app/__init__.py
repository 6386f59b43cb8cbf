"""The platform as one Ray Serve application: gateway, two HTTP APIs, the task runner."""
