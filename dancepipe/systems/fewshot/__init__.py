"""Few-shot-vid2vid (Wang et al., NeurIPS 2019), single frames: weights made from the reference."""
