"""Understanding a sound before it is matched: key, tuning, time, level, and what kind it is."""

from deepdiva.hearing.heard import Heard, hear_target, understand

__all__ = ["Heard", "hear_target", "understand"]
