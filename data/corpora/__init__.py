"""Data sets: many sounds with known patches, made in parallel, read memory-mapped.

| module | what it holds |
|---|---|
| `faults` | silent, clipping and broken sounds: found, counted, redrawn |
| `dataset_settings` | all that decides the bytes of a data set |
| `batch_maker` | the sounds of one batch, block by block |
| `description` | `dataset.json`, by which a data set describes itself and a run resumes |
| `generate`, `backends` | a whole data set, on threads, processes or a cluster |
| `dataset` | reading a data set |
| `inspection`, `contact_sheet` | what is in it, as numbers and as a picture |
| `feature_files` | the features of a data set, on disk |

Importing this package loads nothing.
"""
