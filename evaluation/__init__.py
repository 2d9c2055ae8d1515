"""Evaluation: metrics, contenders, the batch run, its statistics and its report."""
