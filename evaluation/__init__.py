"""Evaluation: metrics, methods, the batch run, its statistics and its report."""
