"""Losses that several systems use; each gives named terms."""
