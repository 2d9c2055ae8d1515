"""From what a user says to what a user gets: the ways through the rooms, without a command line.

`match` goes from a sound to a preset by search, `predict` by a network alone. The command line and
`import deepdiva` offer the same: both call what stands here.
"""
