"""Data set -> weights: stage 1 the flow attention network, stage 2 the enhancer."""
