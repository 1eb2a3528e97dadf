"""The networks of the paper, their losses and their weights."""
