"""Networks and baselines that go from a sound to patches without a search.

| module | what it holds |
|---|---|
| `predictor` | the one interface: `Predictor`, `Candidates` |
| `baselines` | `mean` and `nearest`, which learn nothing |
| `cnn`, `lstm`, `regression` | the 2021 project's two networks, and the predictor around them |
| `representation`, `encoder`, `posterior`, `estimation` | the default network, from end to end |
| `targets` | patches as classes and continuous values |
| `selection` | which of the candidates is nearest to the sound |
| `settings`, `sources`, `online`, `augmentation`, `training` | how networks are trained |
| `weights`, `checkpoint` | what is kept on disk |

Importing this package loads nothing; PyTorch is imported by the modules that need it.
"""
