"""Search for the patch whose sound is nearest to a target.

A *strategy* proposes batches of points of a parameter space in [0, 1] and is told their distances;
it never sees audio. `refine` renders and scores what it proposes. A *start* says what is known
before the search, from a predictor or from the partials measured in the target.
"""
