"""What the lanes are told before they play.

A lane is one voice of one patch. `deepdiva.engine.mapping` fills these arrays from patches, in
physical units; the kernel reads them and knows nothing of knobs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Columns of `Voices.values`.
(
    FREQUENCY_1,  # Hz, of the first oscillator
    FREQUENCY_2,
    WAVE_1,  # 1 triangle, 2 saw, 3 pulse, 4 noise
    WAVE_2,  # 1 saw, 2 square, 3 narrow pulse, 4 ring modulation
    LEVEL_1,  # knob, 0..1
    LEVEL_2,
    WIDTH_1,  # share of the cycle in which the pulse is high, 0..1
    WIDTH_2,
    PHASE_1,  # at the start, cycles
    PHASE_2,
    NOISE,  # where in the noise the voice starts, 0..1
    HP_PITCH,  # MIDI note of the corner
    HP_RESONANCE,  # knob, 0..1
    LP_PITCH,
    LP_RESONANCE,
    FILTER_FM,  # octaves
    VIBRATO,  # semitones
    LOUDNESS,  # volume and output, linear
    PAN,  # -1 left .. 1 right
    LEVEL_ENV_1,  # what velocity leaves of the envelope, 0..1
    LEVEL_ENV_2,
    STEPS_ENV_1,  # levels of a quantised envelope; 0: it moves smoothly
    STEPS_ENV_2,
    STEPS_AMPLIFIER,
    START_LEVEL,  # level that all envelopes start from, 0..1
    VELOCITY,  # 0..1
    KEY,  # modulation source KeyFollow
    RANDOM,  # modulation source Random, -1..1
    STACK,  # modulation source StackVoice, -1..1
    VOICE_MAP,  # modulation source VoiceMap, -1..1
    QUANTISE,  # levels per unit of the quantise processor
    LAG,  # seconds of the lag processor
    FIELDS,
) = range(33)

# Second axis of `Voices.envelopes`, its third, and its fourth.
SHAPE_ENV_1, SHAPE_ENV_2, SHAPE_AMPLIFIER = range(3)
ATTACK, DECAY, RELEASE = range(3)
FACTOR, STEP, BOTTOM = range(3)

# Third axis of `Voices.lfos`.
(
    LFO_RATE,  # Hz
    LFO_WAVE,  # 0 sine, 1 triangle, 2 saw up, 3 saw down, 4 high-low, 5 low-high, 6 hold, 7 glide
    LFO_PHASE,  # at the start, cycles
    LFO_FADE,  # seconds until it is fully in
    LFO_DEPTH,  # 0..1
    LFO_UNIPOLAR,
    LFO_SINGLE,  # 1: one cycle, then it holds
    LFO_FIELDS,
) = range(8)

# First axis of the routes: where modulation goes, and where the processors get it from.
(
    TO_TUNE_1,  # depth in semitones
    TO_TUNE_2,
    TO_LEVEL,  # depth 1: from silent to full
    TO_HP,  # depth in semitones
    TO_LP_1,
    TO_LP_2,
    TO_RESONANCE,  # depth 1: the whole knob
    TO_FILTER_FM,  # depth in octaves
    TO_AMPLITUDE,  # depth 1: doubles, or mutes
    TO_PAN,  # depth 1: from the middle to one side
    TO_LFO_1_DEPTH,
    TO_LFO_2_DEPTH,
    TO_LFO_1_RATE,  # depth in octaves
    TO_LFO_2_RATE,
    TO_RECTIFY,
    TO_INVERT,
    TO_QUANTISE,
    TO_LAG,
    TO_ADD_1,
    TO_ADD_2,
    TO_MULTIPLY_1,
    TO_MULTIPLY_2,
    ROUTES,
) = range(23)

# Modulation sources, as a preset's `#ms` list numbers them.
NONE, _WHEEL, _BEND, _CONTROL_A, _CONTROL_B, GATE, SOURCE_VELOCITY, _PRESSURE = range(8)
KEY_FOLLOW, KEY_FOLLOW_2, ALTERNATE, SOURCE_RANDOM, STACK_VOICE, SOURCE_VOICE_MAP = range(8, 14)
ENV_1, ENV_2, LFO_1, LFO_2, RECTIFY, INVERT, QUANT, LAGGED, ADDER, MULTIPLY = range(14, 24)
SOURCES = 24


@dataclass(frozen=True)
class Voices:
    """All lanes of a batch, lanes of one patch side by side.

    Attributes:
        values: (lanes, FIELDS) float64.
        envelopes: (lanes, 3, 3, 3) float64: envelope (1, 2, and what the amplifier follows), stage,
            and `factor, step, bottom` of `e <- max(bottom, factor * e + step)`, once a sample. An
            attack ends at 1.
        lfos: (lanes, 2, LFO_FIELDS) float64.
        sources: (lanes, ROUTES) int64, the modulation source of each route.
        depths: (lanes, ROUTES) float64.
        drift: (lanes, 2, nodes) float64: pitch of both oscillators off their tune, semitones, at
            nodes `drift_seconds` apart.
        patch: (lanes,) int64, the patch that a lane belongs to, ascending.
        moving: (patches,) bool: something but envelope 1 and drift moves in this patch.
    """

    values: NDArray[np.float64]
    envelopes: NDArray[np.float64]
    lfos: NDArray[np.float64]
    sources: NDArray[np.int64]
    depths: NDArray[np.float64]
    drift: NDArray[np.float64]
    patch: NDArray[np.int64]
    moving: NDArray[np.bool_]
