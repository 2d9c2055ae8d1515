"""Effects: stereo, in place, after the voices of a patch are summed."""
