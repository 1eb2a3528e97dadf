"""Parquet data sets of people: schema, reading, writing, pairs."""
