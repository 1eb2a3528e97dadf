"""Seeds -> data set of rendered dancers with exact truth."""
