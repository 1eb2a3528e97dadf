"""Rendered people with exact truth."""
