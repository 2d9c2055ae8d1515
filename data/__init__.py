"""Data sets to learn from, their features, and test sets to measure with.

| module | what it holds |
|---|---|
| `sampling` | how patches are drawn |
| `prior` | distributions of whole patches: human, uniform, around a folder of presets |
| `quality`, `sound_kernel` | silent, clipping and broken sounds: found, counted, redrawn |
| `settings` | all that decides the bytes of a data set |
| `batch` | the sounds of one batch, block by block |
| `npy`, `checksum` | `.npy` files that are written in pieces and appear whole |
| `description` | `dataset.json`, by which a data set describes itself and a run resumes |
| `generate`, `backends` | a whole data set, on threads, processes or a cluster |
| `dataset` | reading a data set |
| `inspection`, `contact_sheet` | what is in it, as numbers and as a picture |
| `feature_files` | the features of a data set, on disk |
| `sound_set`, `test_sets`, `known_set` | named sounds with a note and, where known, their patches |
| `diva50`, `embedded50`, `rendered_set` | where the sounds of a test set come from |

Importing this package loads nothing.
"""
