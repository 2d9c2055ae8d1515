"""Main filters: `step(x, p, s) -> (y, s)`."""
