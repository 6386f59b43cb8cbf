"""What the processes of the platform tell about themselves: reports, metrics, logs, traces."""
