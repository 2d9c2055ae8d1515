"""Understanding a sound before it is matched: key, tuning, time, level, and what kind it is."""

from deepdiva.hearing.heard import Heard, key_name, understand

__all__ = ["Heard", "key_name", "understand"]
