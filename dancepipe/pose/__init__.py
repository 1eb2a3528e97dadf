"""Poses: skeletons as data, smoothing, other bodies, maps for the networks, scores."""
