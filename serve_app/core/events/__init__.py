"""The event log as clients read it: in pages, and as a stream."""
