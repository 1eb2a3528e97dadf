"""The paper's network: stage 1 flow attention, stage 2 enhancer."""
