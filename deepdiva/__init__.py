"""Match the sound of a synthesizer: audio in, a preset for u-he Diva out.

The package does nothing on import. Start at `deepdiva.search.refine` (sound to patch),
`deepdiva.synths.diva.preset` (files), `deepdiva.renderer` (patch to sound), or at the command line:
`deepdiva --help`.
"""

__version__ = "0.1.0"
