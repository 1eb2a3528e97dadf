"""Real pictures + made pictures -> votes of volunteers on which one is real, and the JND table
of the paper (section 4.4)."""
