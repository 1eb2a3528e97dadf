"""CoCosNet (Zhang et al., CVPR 2020): correspondence of pose and picture, then translation."""
