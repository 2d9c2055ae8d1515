"""Test sets: named sounds with a note and, where known, their patches.

| module | what it holds |
|---|---|
| `testset` | a test set on disk |
| `named_testset` | what a test set with a name of its own can do |
| `testset_registry` | all of these, one row each, and the user's cache |
| `diva50`, `embedded50`, `flow64`, `panel200` | one file for each |
| `fetching` | files from the net or a folder, with checksums |
| `instruments` | notes of a sound font or of recordings |
| `make_testset` | test sets that a renderer plays |

Importing this package loads nothing.
"""
