"""Networks and baselines that go from a sound to patches without a search.

| module | what it holds |
|---|---|
| `predictor` | the one interface: `Predictor`, `Candidates` |
| `baselines` | `mean` and `nearest`, which learn nothing |
| `cnn`, `lstm`, `regression` | the 2021 project's two networks, and the predictor around them |
| `representation`, `encoder`, `posterior`, `estimation` | the network of few parameters |
| `posterior_player`, `arithmetic` | the same with numpy alone, which is what predictions use |
| `panel` | the network of the whole panel, a package of its own |
| `targets` | patches as classes and continuous values |
| `registry` | predictors and trained networks by name, one row each |
| `answers` | from a sound to a preset: candidates, the nearest, and how sure each value is |
| `interval_coverage` | whether intervals of a posterior hold what they promise |
| `selection` | which of the candidates is nearest to the sound |
| `training_settings`, `training_batches`, `online`, `augmentation` | what networks are trained on |
| `training`, `loss_history` | the training loop |
| `weights`, `checkpoint` | what is kept on disk |

Importing this package loads nothing; PyTorch is imported by the modules that need it.
"""
