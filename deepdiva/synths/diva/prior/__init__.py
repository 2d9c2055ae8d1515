"""Distributions of whole Diva patches, to learn from and to search with.

| module | what it holds |
|---|---|
| `base` | `Prior`: `sample(count, seed, note)` and `log_density(patches)` |
| `human` | patches like those of human presets, from the tables beside it |
| `musical` | what a patch must do to be heard as a note |
| `folder` | a folder of presets, crossed and jittered |
| `uniform` | every value equally often |
| `tables`, `marginals` | the tables, and what they say of one parameter |
| `registry` | `prior_for("human")`, `prior_for("uniform")`, `prior_for(FOLDER)` |
| `drawing` | a prior as the sampling of a data set |
| `picture` | histograms of a prior beside the tables |
| `cells` | the distribution of one parameter |
| `streams` | random numbers by counter |

| table | what it holds |
|---|---|
| `chain.csv` | share of each oscillator, high-pass and filter together |
| `effects.csv` | share of what is in both effect slots together; 0 is off |
| `values.csv` | by parameter and state: share of values (`5=0.63`) and intervals (`1..3=0.06`) |
| `routes.csv` | by modulation and model: share of sources with a depth / without (`15=0.69/0.05`) |
| `accepted.csv` | by chain: share of draws that keep the musical constraints |

Importing this package loads nothing.
"""
