"""The network that answers a sound of any key and length with patches of the whole panel.

| module | what it holds |
|---|---|
| `views` | what is heard of a sound: one vector |
| `network` | encoder and autoregressive classes, in PyTorch, for training |
| `player` | the same with numpy alone, for prediction |
| `predictor` | from a sound to candidates |
| `joint` | the same with some candidates of the network of 11 parameters |
| `learner`, `source` | loss, metrics and batches of a training |
| `sounds` | fresh sounds in numbered shards |

The variables themselves are in `deepdiva.synths.diva.panel_code`. Importing this package loads
nothing.
"""
