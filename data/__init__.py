"""Data sets to learn from, their features, and test sets to measure with.

| module | what it holds |
|---|---|
| `corpora` | data sets of many sounds with known patches, and their features |
| `testsets` | named sounds with a note and, where known, their patches |
| `sampling` | how patches are drawn |
| `prior_sampling` | patches from a prior of `deepdiva.synths.diva.prior` |
| `npy`, `checksum` | `.npy` files that are written in pieces and appear whole |
| `sound_kernel` | levels and checksums of many sounds, compiled |

Importing this package loads nothing.
"""
