"""Amplifiers: `step((sound, envelope), p, s) -> ((output, feedback), s)`."""
