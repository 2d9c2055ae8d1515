"""Oscillator panels: `step((phase1, increment1, ..., white), p, s) -> ((mix, noise, first), s)`.

Phases in cycles, increments in cycles per sample; the mix still has the splines' droop, `first` is
oscillator 1 at unit gain, for filter FM.
"""
