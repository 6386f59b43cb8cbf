"""A view inside: queues, workers, tasks, figures."""
