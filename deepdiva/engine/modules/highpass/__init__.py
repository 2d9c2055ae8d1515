"""High-passes: `step(x, p, s) -> (y, s)`."""
