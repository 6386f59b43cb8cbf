"""Images of a shot: composed, queued, drawn from their tasks, made again."""
