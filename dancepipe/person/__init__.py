"""Where the person is: joints, mask, track, retargeting and the drawings that the networks read."""
