"""dancepipe: one photo and one dance video in, a video of that person dancing out."""

__version__ = "0.1.0"
