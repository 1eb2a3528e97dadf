"""Generators, one package or file each, behind one door (system.py), and the files that their
weights lie in."""
