"""Generators: one package each, and the files that their weights lie in."""
