"""A body in three dimensions: its mesh, posed by landmarks, fitted to a photo."""
