"""Work on machines of a Ray cluster: one executor for all commands that spread work."""
