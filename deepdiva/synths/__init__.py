"""Synthesizers: a folder for each holds all that is known of one alone."""
