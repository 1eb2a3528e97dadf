"""Scores of results: pairs of a data set, folders of pictures, finished videos."""
