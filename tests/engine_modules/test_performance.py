"""How a note is played: chords, voice modes, wheels, glide, tuning, trimmers, arpeggiator."""

from dataclasses import replace

import numpy as np
import pytest

from deepdiva.errors import InvalidValueError
from deepdiva.note import Note
from deepdiva.performance import Performance
from deepdiva.synths.diva import DIVA, acting
from deepdiva.synths.diva.panel_renderer import PanelRenderer
from deepdiva.synths.diva.phrase import (
    DOWN,
    LEAP,
    PLAYED,
    REPEAT,
    ROUND,
    SERIAL,
    UP,
    UP_DOWN,
    UP_DOWN_TWICE,
    pattern,
    phrase,
)  # fmt: skip
from deepdiva.synths.diva.preset import Preset
from deepdiva.synths.diva.trimmers import Trimmers
from deepdiva.tuning import Tuning

RATE = 22050
NOTE = Note(pitch=48, length_seconds=0.5, render_seconds=0.6, sample_rate=RATE)
CALM = {"OSC.Drift": 0, "OPT.TSlop": 0, "OPT.CSlop": 0, "OPT.PSlop": 0, "OPT.ESlop": 0}
WAVE = {"OSC.Wave1": 1, "OSC.Vol1": 20, "HPF.Model": 0, "VCF1.Freq": 150, "ENV1.Atk": 0}


def patch_of(**values):
    return changed({**CALM, **WAVE, **{k.replace("_", ".", 1): v for k, v in values.items()}})


def changed(values):
    patch = DIVA.defaults()
    for name, value in values.items():
        patch[DIVA.index(name)] = value
    return patch


def played(patch, note=NOTE, trimmers=None, **performance):
    """Mono; oscillators begin at phase 0."""
    given = replace(trimmers or Trimmers(), oscillator_reset=True)
    even = np.zeros((8, 3))
    engine = PanelRenderer(even, performance=Performance(**performance), trimmers=given)
    return engine.render(patch[None], note)[0]


def semitones(sound, begin=0.1, end=0.4):
    """Pitch above that of key 48, by the strongest line."""
    piece = sound[round(begin * RATE) : round(end * RATE)]
    spectrum = np.abs(np.fft.rfft(piece * np.hanning(len(piece)), 1 << 18))
    hertz = spectrum.argmax() * RATE / (1 << 18)
    return 12.0 * np.log2(hertz / 440.0) + 69.0 - 48.0


def pitched(key, **values):
    return played(patch_of(**values), Note(**{**NOTE.to_dict(), "pitch": key}))


def test_a_chord_is_the_sum_of_its_keys():
    both = played(patch_of(), chord=(55,))
    assert np.allclose(both, pitched(48) + pitched(55), atol=1e-6)


def test_a_chord_passes_the_effects_together():
    """A Rotary's tube is not linear: what passes it together is not the sum of what passes it."""
    values = {"main_#FX1": 1, "FX1_Module": 4, "Rtary1_Drive": 90}
    both = played(patch_of(**values), chord=(55,))
    apart = pitched(48, **values) + pitched(55, **values)
    assert np.abs(both - apart).max() > 0.05 * np.abs(both).max()


def test_voices_of_a_chord_differ_where_the_circuits_do():
    patch = patch_of(OSC_VtoD=0, VCF1_FMSrc=13, VCF1_FMDpt=30, OPT_V2Mod=100)
    other = patch.copy()
    other[DIVA.index("OPT.V2Mod")] = -100.0
    assert np.array_equal(played(patch), played(other))
    assert not np.array_equal(played(patch, chord=(55,)), played(other, chord=(55,)))
    assert "OPT.V2Mod" in acting.acts(patch, Performance(chord=(55,)))


@pytest.mark.parametrize(
    ("mode", "priority", "sounding"), [(1, 0, 52), (1, 1, 41), (2, 2, 60), (0, 0, None)]
)
def test_one_voice_plays_the_key_that_comes_first(mode, priority, sounding):
    patch = patch_of(VCC_Mode=mode, VCC_Prior=priority)
    chord = played(patch, chord=(60, 41, 52))
    one = pitched(sounding or 48)
    assert np.array_equal(chord, one) == (sounding is not None)


def test_keys_beyond_the_polyphony_take_the_voices_of_the_first():
    patch = patch_of(VCC_Voices=0)
    events = phrase(patch, NOTE, Performance(chord=(60, 41)), 0, {})
    assert [event.key for event in events] == [60, 41]


def test_duo_gives_the_highest_key_to_the_other_oscillators():
    low = patch_of(VCC_Mode=3)
    assert semitones(played(low, chord=(60,))) == pytest.approx(0.0, abs=0.05)
    high = patch_of(VCC_Mode=3, OSC_Vol1=0, OSC_Vol2=20, OSC_OscMix=50)
    assert semitones(played(high, chord=(60,))) == pytest.approx(12.0, abs=0.05)


@pytest.mark.parametrize(("bend", "expected"), [(1.0, 7.0), (0.5, 3.5), (-1.0, -12.0)])
def test_the_pitch_wheel_bends_as_far_as_the_patch_says(bend, expected):
    patch = patch_of(VCC_PB=7, VCC_PBD=12)
    assert semitones(played(patch, bend=bend)) == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize(
    ("source", "field"),
    [(1, "wheel"), (2, "bend"), (3, "control_a"), (4, "control_b"), (7, "pressure")],
)
def test_controllers_are_sources_of_modulation(source, field):
    """One octave up at depth 12."""
    patch = patch_of(OSC_TM1Src=source, OSC_TM1Dpt=12, VCC_PB=0)
    assert semitones(played(patch, **{field: 1.0})) == pytest.approx(12.0, abs=0.05)
    assert np.allclose(played(patch), played(patch_of()), atol=1e-5)


@pytest.mark.parametrize(("cont", "field"), [(0, "wheel"), (3, "pressure")])
def test_a_controller_speeds_a_rotary_up(cont, field):
    patch = patch_of(**{"main_#FX1": 1, "FX1_Module": 4, "Rtary1_Cont": cont, "Rtary1_RTime": 0})
    assert not np.allclose(played(patch), played(patch, **{field: 1.0}), atol=1e-3)
    assert "Rtary1.Fast" in acting.acts(patch, Performance(**{field: 1.0}))


def test_tempo_moves_synced_lfos():
    patch = patch_of(LFO1_Sync=3, LFO1_DMS1=0, LFO1_DMD1=0, OSC_VtoD=100)
    assert not np.allclose(played(patch), played(patch, tempo=90.0), atol=1e-2)


def test_a_glide_arrives_and_lasts_as_long_as_the_knob_says():
    patch = patch_of(VCC_Porta=30)  # 0.27 s
    sound = played(patch, glide_from=60)
    assert semitones(sound, 0.0, 0.1) == pytest.approx(12.0 * (1 - 0.05 / 0.27), abs=1.0)
    assert semitones(sound, 0.3, 0.5) == pytest.approx(0.0, abs=0.05)
    nearer = patch_of(VCC_Porta=30, VCC_PRange=50)
    assert semitones(played(nearer, glide_from=60), 0.0, 0.1) < 6.0
    rate = patch_of(VCC_Porta=20, VCC_PortaM=1)  # 0.08 s an octave
    assert semitones(played(rate, glide_from=72), 0.1, 0.12) > 2.0
    assert semitones(played(rate, glide_from=60), 0.1, 0.4) == pytest.approx(0.0, abs=0.05)


def test_envelopes_of_a_held_key_go_on():
    values = {"ENV1_Atk": 45, "ENV1_Sus": 60, "ENV1_Dec": 30, "VCC_Porta": 0}
    early = slice(0, round(0.05 * RATE))

    def level(mode, **performance):
        return np.abs(played(patch_of(VCC_Mode=mode, **values), **performance)[early]).max()

    assert level(0, glide_from=60) < 0.3 * level(2, glide_from=60)
    assert level(1, glide_from=60) > 0.5 * level(2, glide_from=60)
    assert level(2) == level(0)


def test_a_tuning_goes_before_that_of_the_preset():
    stretched = Tuning("stretched", tuple(60.0 + 1.5 * (key - 60) for key in range(128)))
    assert semitones(played(patch_of(), tuning=stretched)) == pytest.approx(-6.0, abs=0.05)
    own = Trimmers(tuning=stretched)
    switched_on = patch_of(VCC_MTunS=1)
    assert semitones(played(switched_on, trimmers=own)) == pytest.approx(-6.0, abs=0.05)
    assert semitones(played(patch_of(), trimmers=own)) == pytest.approx(0.0, abs=0.05)
    assert "VCC.MTunS" in acting.acts(patch_of(), trimmers=own)


def test_a_preset_without_a_table_is_named():
    patch = patch_of(VCC_MTunS=1)
    assert [entry.parameter for entry in PanelRenderer().unsupported(patch)] == ["VCC.MTunS"]
    assert PanelRenderer.of_preset(Preset.template()).unsupported(patch) == ()


def test_trimmers_come_from_the_preset():
    text = Preset.template().to_bytes()
    for old, new in (
        (b"Vc2=0.00", b"Vc2=7.00"),
        (b"RndP=0", b"RndP=1"),
        (b"InTune=1", b"InTune=0"),
    ):
        assert old in text
        text = text.replace(old, new)
    trimmers = Trimmers.of(Preset.from_bytes(text))
    assert trimmers.stack_semitones[:3] == (0.0, 7.0, 0.0)
    assert (trimmers.width_anew, trimmers.times_anew) == (True, False)
    assert trimmers.unknown == ("VCF1.InTune",)
    assert trimmers.tuning is not None
    assert trimmers.tuning.is_equal
    with pytest.raises(InvalidValueError, match="it must have 8"):
        Trimmers(stack_semitones=(0.0,))


def test_a_stack_is_tuned_apart():
    stack = Trimmers(stack_semitones=(0.0, 7.0, *[0.0] * 6))
    sound = played(patch_of(VCC_Voicing=2), trimmers=stack)
    assert np.allclose(sound, pitched(48) + pitched(55), atol=1e-6)


# --- Arpeggiator ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("direction", "octaves", "order", "expected"),
    [
        (PLAYED, 1, SERIAL, [7, 0, 4]),
        (UP, 1, SERIAL, [0, 4, 7]),
        (DOWN, 2, SERIAL, [19, 16, 12, 7, 4, 0]),
        (UP, 3, ROUND, [0, 4, 7, 12, 16, 19, 24, 28, 31, 12, 16, 19]),
        (UP, 2, LEAP, [0, 12, 4, 16, 7, 19]),
        (UP, 1, REPEAT, [0, 0, 4, 4, 7, 7]),
        (UP_DOWN, 1, SERIAL, [0, 4, 7, 4]),
        (UP_DOWN_TWICE, 1, SERIAL, [0, 4, 7, 7, 4, 0]),
    ],
)
def test_patterns(direction, octaves, order, expected):
    steps = pattern([67, 60, 64], direction, octaves, order)
    assert [key - 60 for key in steps] == expected


def test_one_key_has_a_pattern_in_every_direction():
    for direction in range(6):
        for order in range(4):
            assert set(pattern([60], direction, 1, order)) == {60}


def arpeggio(note=NOTE, chord=(55,), seed=0, **values):
    patch = patch_of(ARP_OnOff=1, **values)
    return phrase(patch, note, Performance(chord=chord), seed, {"arp_gate": 0.5, "arp_swing": 0.5})


def test_steps_follow_clock_and_swing():
    long = Note(length_seconds=1.0, render_seconds=2.0)
    assert [e.onset for e in arpeggio(long)] == [k * 0.125 for k in range(8)]
    assert [e.onset for e in arpeggio(long, CLK_Base=1, CLK_Mult=50)] == [0.0, 0.5]
    swung = arpeggio(long, CLK_Swing=100)
    assert [e.onset for e in swung[:4]] == [0.0, 0.1875, 0.25, 0.4375]
    assert {e.length for e in arpeggio(long)} == {0.0625}


def test_the_pattern_begins_anew_after_some_notes():
    long = Note(length_seconds=1.0)
    keys = [e.key for e in arpeggio(long, chord=(50, 52), ARP_Rstrt=1)]
    assert keys == [48, 50, 52, 48, 48, 50, 52, 48]


def test_random_steps_depend_on_the_seed_alone():
    long = Note(length_seconds=2.0)
    one, again, other = (
        [e.key for e in arpeggio(long, seed=seed, ARP_Dir=5)] for seed in (1, 1, 2)
    )
    assert one == again
    assert one != other
    assert set(one) == {48, 55}


def test_a_held_key_plays_its_octaves_in_time():
    long = Note(pitch=48, length_seconds=1.0, render_seconds=1.0, sample_rate=RATE)
    sound = played(patch_of(ARP_OnOff=1, ARP_Oct=2, CLK_Base=1), long)
    found = [semitones(sound, 0.25 * k + 0.01, 0.25 * k + 0.12) for k in range(4)]
    assert found == pytest.approx([0.0, 12.0, 0.0, 12.0], abs=0.1)
    silent = sound[round(0.2 * RATE) : round(0.24 * RATE)]
    assert np.abs(silent).max() < 0.01 * np.abs(sound).max()


def test_one_voice_falls_silent_where_the_next_step_takes_it():
    """A long release: with one voice a step ends where the next begins, with eight it rings on."""
    values = {"ARP_OnOff": 1, "ARP_Oct": 4, "CLK_Base": 1, "ENV1_Rel": 60}
    one, many = (played(patch_of(**values, VCC_Mode=mode)) for mode in (1, 0))
    begin = round(0.25 * RATE)
    assert np.array_equal(one[:begin], many[:begin])
    late = slice(begin + round(0.01 * RATE), begin + round(0.1 * RATE))
    upper = pitched(60, ENV1_Rel=60)[round(0.01 * RATE) : round(0.1 * RATE)]
    assert np.allclose(one[late], upper, atol=1e-5)
    assert not np.allclose(many[late], upper, atol=0.05)


def test_an_arpeggio_does_not_depend_on_its_batch():
    patches = np.array([patch_of(), patch_of(ARP_OnOff=1, ARP_Dir=5), patch_of(VCC_Voicing=3)])
    engine = PanelRenderer(threads=2)
    whole = engine.render(patches, NOTE, [3, 4, 5])
    for k in range(3):
        assert np.array_equal(whole[k], engine.render(patches[k : k + 1], NOTE, 3 + k)[0])
    stereo = engine.render_stereo(patches, NOTE, [3, 4, 5])
    assert np.allclose(stereo.mean(axis=0), whole, atol=1e-6)


# --- Bounds --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"tempo": 5.0}, "tempo is 5.0: it must be 20 to 400 beats per minute"),
        ({"wheel": 1.5}, "wheel is 1.5"),
        ({"bend": float("nan")}, "bend is nan"),
        ({"chord": (128,)}, "key 128"),
        ({"chord": (60, 60)}, "each key can be held once"),
        ({"glide_from": -1}, "key -1"),
    ],
)
def test_performances_are_checked(values, message):
    with pytest.raises(InvalidValueError, match=message):
        Performance(**values)
