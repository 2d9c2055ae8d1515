"""Every effect against what its paper, its circuit or arithmetic says."""

from __future__ import annotations

import numpy as np
import pytest

from deepdiva.engine import stages
from deepdiva.engine.effects import padded, play_effects
from deepdiva.engine.module import Confidence, Module
from deepdiva.engine.modules.effects import chorus, delay, phaser, plate, rotary
from deepdiva.note import Note
from deepdiva.performance import Performance
from deepdiva.synths.diva import DIVA, acting, panel
from deepdiva.synths.diva.panel_renderer import PanelRenderer

RATE = 44100.0
EFFECTS = [fitting.module for fitting in panel.EFFECTS[1].values()]


def constants(module: Module, **changed: float) -> dict[str, np.ndarray]:
    values = [changed.get(entry.name, entry.value) for entry in module.constants]
    return {module.full_name: np.array(values)}


def played(module, left, right=None, /, *, sample_rate=RATE, changed=None, **inputs):
    """Both channels of a sound behind an effect: (2, samples)."""
    u = tuple(inputs.get(entry.name, entry.default) for entry in module.inputs)
    assert set(inputs) <= {entry.name for entry in module.inputs}
    both = np.zeros((2, padded(len(left))), np.float32)
    both[0, : len(left)] = left
    both[1, : len(left)] = left if right is None else right
    known = constants(module, **(changed or {}))
    play_effects([(module, u)], known, sample_rate, both[0], both[1])
    return both[:, : len(left)]


def click(samples, level=0.5):
    x = np.zeros(samples, np.float32)
    x[0] = level
    return x


def sine(hertz, seconds, rate=RATE):
    return np.sin(2.0 * np.pi * hertz / rate * np.arange(round(seconds * rate))).astype(np.float32)


def response(heard, sound, hertz, rate=RATE):
    """Gain at one frequency, from an impulse."""
    turn = np.exp(-2j * np.pi * hertz / rate * np.arange(len(heard)))
    return abs(heard @ turn) / sound


# --- All of them ---------------------------------------------------------------------------------


@pytest.mark.parametrize("module", EFFECTS, ids=lambda m: m.name)
def test_without_wet_sound_nothing_changes(module):
    off = {
        "chorus": {"wet": 0.0}, "phaser": {"wet": 0.0}, "rotary": {"mix": 0.0},
        "plate": {"dry": 1.0, "wet": 0.0},
        "delay": {"dry": 1.0, "side_level": 0.0, "centre_level": 0.0},
    }[module.name]  # fmt: skip
    x = np.random.default_rng(0).standard_normal((2, 5000)).astype(np.float32)
    assert np.array_equal(played(module, *x, **off), x)


@pytest.mark.parametrize("module", EFFECTS, ids=lambda m: m.name)
def test_silence_stays_silence(module):
    assert not played(module, np.zeros(20000)).any()


@pytest.mark.parametrize("module", EFFECTS, ids=lambda m: m.name)
def test_a_sound_may_come_in_pieces(module):
    x = np.random.default_rng(1).standard_normal((2, 64 * 300)).astype(np.float32)
    u = tuple(entry.default for entry in module.inputs)
    p = tuple(map(float, module.controls(u, tuple(e.value for e in module.constants), RATE)))
    whole = x.copy()
    stages.effect(module)(*whole, p, np.zeros(module.memory(p), np.float32),
                          np.zeros(len(module.states)))  # fmt: skip
    memory, states = np.zeros(module.memory(p), np.float32), np.zeros(len(module.states))
    pieces = x.copy()
    for begin, end in ((0, 64), (64, 6400), (6400, 64 * 300)):
        stages.effect(module)(*pieces[:, begin:end], p, memory, states)
    assert np.allclose(pieces, whole, atol=1e-5)


@pytest.mark.parametrize("module", EFFECTS, ids=lambda m: m.name)
def test_tables_name_what_controls_give(module):
    u = tuple(entry.default for entry in module.inputs)
    p = module.controls(u, tuple(entry.value for entry in module.constants), RATE)
    assert len(p) == len(module.coefficients)
    assert module.confidence is Confidence.GUESS


@pytest.mark.parametrize("module", EFFECTS, ids=lambda m: m.name)
def test_any_setting_is_stable(module):
    """400 points of the cube of inputs, half of them on its faces; 2,000 over all effects."""
    rng = np.random.default_rng(2)
    low = np.array([entry.low for entry in module.inputs])
    high = np.array([entry.high for entry in module.inputs])
    x = rng.standard_normal((2, 8192)).astype(np.float32)
    x[:, 4096:] = 0.0
    for k in range(400):
        place = rng.random(len(low))
        if k % 2:
            place = np.where(rng.random(len(low)) < 0.5, np.rint(place), place)
        inputs = dict(zip([e.name for e in module.inputs], low + place * (high - low), strict=True))
        rate = (8000.0, 22050.0, 44100.0, 96000.0, 192000.0)[k % 5]
        heard = played(module, *x, sample_rate=rate, **inputs)
        assert np.isfinite(heard).all(), (rate, inputs)
        assert np.abs(heard).max() < 250.0, (rate, inputs)


# --- Delay ---------------------------------------------------------------------------------------


def test_echoes_come_when_they_should():
    heard = played(
        delay.MODULE, click(60000), left=0.1, centre=0.25, right=0.4, side_level=0.6,
        centre_level=0.3, feedback=0.5, dry=0.0, wow=0.0,
    )  # fmt: skip
    left, right = heard
    first, middle, last = 4410, 11025, 17640
    expected_left = {first: 0.3, middle: 0.15, first + middle: 0.15, 2 * middle: 0.075}
    expected_left |= {first + 2 * middle: 0.075, 3 * middle: 0.0375, first + 3 * middle: 0.0375,
                      4 * middle: 0.01875, first + 4 * middle: 0.01875,
                      5 * middle: 0.009375, first + 5 * middle: 0.009375}  # fmt: skip
    expected = np.zeros(60000)
    for place, level in expected_left.items():
        if place < 60000:
            expected[place] = level
    assert np.allclose(left, expected, atol=1e-6)
    assert np.flatnonzero(np.abs(right) > 1e-6)[:2].tolist() == [middle, last]


def test_feedback_at_100_is_endless():
    heard = played(
        delay.MODULE, click(300000), centre=0.1, centre_level=1.0, side_level=0.0, feedback=1.0,
        dry=0.0, wow=0.0,
    )[0]  # fmt: skip
    assert np.allclose(heard[4410::4410], 0.5, atol=1e-4)


def test_filters_stand_in_the_loop():
    """The first echo passes untouched, each next one goes through both one-poles once more."""
    inputs = {"highpass": 0.4, "lowpass": 0.5}
    heard = played(
        delay.MODULE, click(4 * 11025), centre=0.25, centre_level=1.0, side_level=0.0,
        feedback=0.8, dry=0.0, wow=0.0, **inputs,
    )[0]  # fmt: skip
    c = {entry.name: entry.value for entry in delay.MODULE.constants}
    low_hz = c["lowest"] * (20000.0 / c["lowest"]) ** 0.5 / (1.0 - 0.5**8)
    high_hz = c["highest"] * 0.4**3
    for hertz in (100.0, 1000.0, 5000.0):
        z = np.exp(-2j * np.pi * hertz / RATE)
        pole = np.exp(-2.0 * np.pi * low_hz / RATE)
        kept = np.exp(-2.0 * np.pi * high_hz / RATE)
        loop = 0.8 * (1.0 - pole) / (1.0 - pole * z) * (1.0 - (1.0 - kept) / (1.0 - kept * z))
        one, two = (response(heard[k * 11025 : (k + 1) * 11025], 0.5, hertz) for k in (1, 2))
        assert one == pytest.approx(1.0, abs=1e-3)
        assert two == pytest.approx(abs(loop), rel=0.01)


def test_wow_bends_the_pitch_as_far_as_said():
    x = sine(1000.0, 6.0)
    heard = played(delay.MODULE, x, centre=0.3, centre_level=1.0, side_level=0.0, feedback=0.0,
                   dry=0.0, wow=1.0)[0]  # fmt: skip
    crossings = np.flatnonzero((heard[:-1] < 0) & (heard[1:] >= 0))
    exact = crossings - heard[crossings] / (heard[crossings + 1] - heard[crossings])
    hertz = RATE / np.diff(exact[exact > 30000])
    wobble = {entry.name: entry.value for entry in delay.MODULE.constants}["wobble"]
    hertz = np.convolve(hertz, np.ones(20) / 20.0, "valid")
    assert hertz.max() / 1000.0 - 1.0 == pytest.approx(wobble, rel=0.1)
    assert 1.0 - hertz.min() / 1000.0 == pytest.approx(wobble, rel=0.1)


def test_sixteenths_follow_the_tempo():
    patch = DIVA.defaults()
    for name, value in (("main.#FX1", 1), ("FX1.Module", 3), ("Delay1.CDel", 6)):
        patch[DIVA.index(name)] = value
    seeds = np.zeros(1, np.uint64)
    for tempo in (90.0, 120.0):
        played = Performance(tempo=tempo)
        settings = panel.effect_settings(patch[None], Note(), seeds, {}, RATE, played)[0]
        assert settings[0][1][1] == pytest.approx(6 * 60.0 / tempo / 4.0)


# --- Chorus --------------------------------------------------------------------------------------


def wobble(heard, hertz):
    """Rates and depths (radians) of what modulates the phase of a tone."""
    n = len(heard)
    turned = heard * np.exp(-2j * np.pi * hertz / RATE * np.arange(n))
    smooth = np.convolve(turned, np.ones(441) / 441.0, "same")[441:-441:441]
    phase = np.unwrap(np.angle(smooth))
    k = np.arange(len(phase))
    phase = phase - np.polyval(np.polyfit(k, phase, 1), k)
    spectrum = np.abs(np.fft.rfft(phase * np.hanning(len(phase)), 8 * len(phase)))
    rates = np.fft.rfftfreq(8 * len(phase), 441.0 / RATE)
    return rates, spectrum / len(phase) * 4.0


@pytest.mark.parametrize(("kind", "hertz"), [(0.0, 0.5), (1.0, 0.8)])
def test_chorus_rate(kind, hertz):
    x = sine(400.0, 24.0)
    heard = played(chorus.MODULE, x, type=kind, depth=0.5, changed={"share": 1.0})
    for channel in heard:
        rates, spectrum = wobble(channel, 400.0)
        assert rates[spectrum.argmax()] == pytest.approx(hertz, rel=0.03)


def test_chorus_sides_move_against_each_other():
    x = sine(400.0, 10.0)
    left, right = played(chorus.MODULE, x, depth=0.5, changed={"share": 1.0})
    turn = np.exp(-2j * np.pi * 400.0 / RATE * np.arange(len(x)))
    both = [
        np.unwrap(np.angle(np.convolve(c * turn, np.ones(441) / 441, "same")[4410:-4410]))
        for c in (left, right)
    ]
    assert np.corrcoef(*both)[0, 1] < -0.99


def test_ensemble_has_two_rates():
    """At its least depth, where the phase of the sum of its lines follows both waves."""
    heard = played(chorus.MODULE, sine(200.0, 24.0), type=2.0, depth=0.0, changed={"share": 1.0})[0]
    rates, spectrum = wobble(heard, 200.0)
    slow = rates < 3.0
    fast = (rates > 4.0) & (rates < 9.0)
    assert rates[slow][spectrum[slow].argmax()] == pytest.approx(0.6, rel=0.05)
    assert rates[fast][spectrum[fast].argmax()] == pytest.approx(6.0, rel=0.02)
    floor = spectrum[(rates > 12.0) & (rates < 15.0)].mean()
    assert spectrum[fast].max() > 10.0 * floor


def test_depth_0_is_static_but_for_the_ensemble():
    x = sine(400.0, 8.0)
    for kind, still in ((0.0, True), (1.0, True), (2.0, False)):
        heard = played(chorus.MODULE, x, type=kind, depth=0.0)[0][44100:]
        level = np.abs(heard.reshape(-1, 2205)).max(axis=1)
        assert (np.ptp(level) < 1e-3) == still


# --- Plate ---------------------------------------------------------------------------------------


def seconds_to_60_db(decay, size=150.0):
    heard = played(plate.MODULE, click(300000, 1.0), decay=decay, size=size, dry=0.0, wet=1.0,
                   damp=0.0)[0].astype(float)  # fmt: skip
    energy = np.cumsum(heard[::-1] ** 2)[::-1]
    decibel = 10.0 * np.log10(energy / energy[0] + 1e-30)
    a, b = np.argmax(decibel < -5.0), np.argmax(decibel < -35.0)
    return 2.0 * (b - a) / RATE


def test_plate_rings_as_long_as_its_loop_says():
    """60 dB is 3 / -log10 of the gain of one round of the figure of eight, whose time is known."""
    paper = 672 + 4453 + 1800 + 3720 + 908 + 4217 + 2656 + 3163
    found = [seconds_to_60_db(decay) for decay in (0.3, 0.5, 0.7, 0.85)]
    assert (np.diff(found) > 0.2).all()
    for decay, seconds in zip((0.5, 0.7), found[1:3], strict=True):
        expected = paper / 29761.0 * 3.0 / (-4.0 * np.log10(0.99 * decay))
        assert seconds == pytest.approx(expected, rel=0.3)


def test_a_smaller_plate_rings_shorter():
    assert seconds_to_60_db(0.7, 40.0) < 0.6 * seconds_to_60_db(0.7, 150.0)


def test_plate_holds_no_more_energy_than_it_got():
    heard = played(plate.MODULE, click(600000, 1.0), decay=1.0, dry=0.0, wet=1.0, damp=0.0)
    halves = (heard.astype(float).reshape(2, -1, 50000) ** 2).sum(axis=(0, 2))
    assert (halves[2:] < 1.1 * halves[1:-1]).all()
    assert halves[-1] < halves[1]


def test_plate_is_dattorros():
    """First sound of each tap with diffusers, tank all-passes and wobble out of the way."""
    heard = played(
        plate.MODULE, click(30000, 1.0), sample_rate=29761.0, diffusion=0.0, decay=0.0, damp=0.0,
        dry=0.0, wet=1.0, changed={"excursion": 0.0, "bandwidth": 1e9},
    )  # fmt: skip
    diffusers = 142 + 107 + 379 + 277
    entered = 1.0 - np.exp(-2.0 * np.pi * 0.45)
    # Straight through the wobbling all-pass goes -0.7 of the sound, to the first delay's taps.
    for side, first in ((0, 266), (1, 353)):
        place = np.flatnonzero(np.abs(heard[side]) > 0.05)[0]
        assert place == diffusers + first
        assert heard[side, place] == pytest.approx(-0.7 * 0.6 * entered, rel=1e-3)


def test_predelay_is_exact():
    late = played(plate.MODULE, click(20000), before=0.1, dry=0.0, wet=1.0,
                  changed={"excursion": 0.0})[0]  # fmt: skip
    early = played(plate.MODULE, click(20000), before=0.0, dry=0.0, wet=1.0,
                   changed={"excursion": 0.0})[0]  # fmt: skip
    assert np.allclose(late[4410:], early[:-4410], atol=1e-6)


# --- Phaser --------------------------------------------------------------------------------------


@pytest.mark.parametrize("centre", [0.3, 0.5, 0.7])
def test_notches_where_the_all_passes_turn_by_180_degrees(centre):
    heard = played(phaser.MODULE, click(16384), hertz=0.0, depth=0.0, centre=centre)[0]
    corner = 800.0 * 2.0 ** (6.0 * (centre - 0.5))
    for angle in (np.pi / 8.0, 3.0 * np.pi / 8.0):
        notch = RATE / np.pi * np.arctan(np.tan(np.pi * corner / RATE) * np.tan(angle))
        assert response(heard, 0.5, notch) < 2e-3
        assert response(heard, 0.5, 1.15 * notch) > 0.1


def test_feedback_makes_peaks():
    def gain(feedback, hertz):
        heard = played(phaser.MODULE, click(16384), hertz=0.0, depth=0.0, feedback=feedback)[0]
        return response(heard, 0.5, hertz)

    for hertz in (100.0, 800.0, 3000.0):
        z = np.exp(-2j * np.pi * hertz / RATE)
        g = np.tan(np.pi * 800.0 / RATE)
        a = (g - 1.0) / (g + 1.0)
        turned = ((a + z) / (1.0 + a * z)) ** 4
        for feedback in (0.0, 0.8):
            expected = abs(0.5 + 0.5 * turned / (1.0 - 0.9 * feedback * z * turned))
            assert gain(feedback, hertz) == pytest.approx(expected, rel=0.01)


def test_flanged_is_a_comb():
    heard = played(phaser.MODULE, click(8192), type=1.0, hertz=0.0, depth=0.0, feedback=0.5)[0]
    milliseconds = 2.0
    for hertz in (250.0, 500.0, 700.0):
        z = np.exp(-2j * np.pi * hertz * 0.001 * milliseconds)
        expected = abs(0.5 + 0.5 * z / (1.0 - 0.45 * z))
        assert response(heard, 0.5, hertz) == pytest.approx(expected, abs=0.03)


def test_phaser_sweeps_at_its_rate():
    noise = np.random.default_rng(4).standard_normal(round(20 * RATE)).astype(np.float32) * 0.1
    heard = played(phaser.MODULE, noise, hertz=1.5, feedback=0.0, depth=0.6)[0]
    band = np.fft.rfft(heard[: len(heard) // 441 * 441].reshape(-1, 441), axis=1)
    power = (np.abs(band[:, 6:10]) ** 2).sum(axis=1)
    spectrum = np.abs(np.fft.rfft(power - power.mean()))
    rates = np.fft.rfftfreq(len(power), 0.01)
    near = (rates > 0.7) & (rates < 6.0)
    strongest = rates[near][spectrum[near].argmax()]
    assert min(abs(strongest - 1.5), abs(strongest - 3.0)) < 0.06


# --- Rotary --------------------------------------------------------------------------------------


def turning_rate(heard, low=0.05, high=12.0):
    level = np.abs(heard[: len(heard) // 441 * 441].reshape(-1, 441)).max(axis=1)
    spectrum = np.abs(np.fft.rfft((level - level.mean()) * np.hanning(len(level)), 8 * len(level)))
    rates = np.fft.rfftfreq(8 * len(level), 0.01)
    inside = (rates > low) & (rates < high)
    return rates[inside][spectrum[inside].argmax()]


@pytest.mark.parametrize(("tone", "ratio"), [(3000.0, 1.0), (100.0, 0.85)])
@pytest.mark.parametrize("speed", [0.3, 0.85])
def test_horn_and_drum_turn_as_fast_as_said(tone, ratio, speed):
    x = sine(tone, 40.0)
    heard = played(rotary.MODULE, x, slow=speed)[0]
    assert turning_rate(heard) == pytest.approx(0.1 * 50.0**speed * ratio, rel=0.03)


def test_the_drum_turns_with_the_horn_or_not_at_all():
    x = sine(60.0, 30.0)
    together = played(rotary.MODULE, x, mode=1.0, slow=0.6)[0]
    assert turning_rate(together) == pytest.approx(0.1 * 50.0**0.6, rel=0.03)
    alone = played(rotary.MODULE, x, mode=2.0, slow=0.6, balance=0.0)[0][44100:]
    level = np.abs(alone.reshape(-1, 4410)[:-1]).max(axis=1)
    assert np.ptp(level) < 0.01 * level.mean()


def test_speed_rises_with_its_time_constant():
    module = rotary.MODULE
    u = {entry.name: entry.default for entry in module.inputs} | {"rise": 0.5, "controller": 1.0}
    c = tuple(entry.value for entry in module.constants)
    p = tuple(map(float, module.controls(tuple(u.values()), c, RATE)))
    states = np.zeros(len(module.states))
    sound = np.zeros((2, 64 * 345), np.float32)
    stages.effect(module)(*sound, p, np.zeros(module.memory(p), np.float32), states)
    seconds = sound.shape[1] / RATE
    expected = 1.0 - np.exp(-seconds / (0.1 * 50.0**0.5))
    assert states[module.states.index("horn_speed")] == pytest.approx(expected, rel=1e-3)


def test_the_horn_bends_pitch_by_its_speed():
    x = sine(2000.0, 6.0)
    heard = played(rotary.MODULE, x, slow=1.0, changed={"horn_dips": 0.0})[0]
    rates, depth = wobble(heard, 2000.0)
    assert rates[depth.argmax()] == pytest.approx(5.0, rel=0.03)
    spoken = 2.0 * np.pi * 2000.0 * 0.00055
    assert depth.max() == pytest.approx(spoken, rel=0.15)


def test_drive_depends_on_level():
    def third(level):
        heard = played(rotary.MODULE, level * sine(210.0, 2.0), drive=0.7, mode=2.0, balance=0.0)[0]
        spectrum = np.abs(np.fft.rfft(heard[22050:66150] * np.hanning(44100)))
        return spectrum[630] / spectrum[210]

    assert third(0.5) > 10.0 * third(0.05)


# --- In the engine -------------------------------------------------------------------------------

SHORT = Note(pitch=57, render_seconds=0.5, length_seconds=0.25)


def patch_of(**values):
    patch = DIVA.defaults()
    names = {name.replace(".", "_").replace("#", ""): name for name in (p.name for p in DIVA)}
    for name, value in values.items():
        patch[DIVA.index(names[name])] = value
    return patch


WET = {"main_FX1": 1, "FX1_Module": 0, "main_FX2": 1, "FX2_Module": 2}


def test_dry_neighbours_do_not_hear_effects():
    dry, wet = patch_of(), patch_of(**WET)
    engine = PanelRenderer()
    alone = engine.render(dry[None], SHORT)
    mixed = engine.render(np.array([wet, dry, wet]), SHORT)
    assert np.array_equal(mixed[1], alone[0])
    assert np.array_equal(mixed[0], engine.render(wet[None], SHORT)[0])
    stereo = engine.render_stereo(np.array([wet, dry]), SHORT)
    assert np.array_equal(stereo[:, 1], engine.render_stereo(dry[None], SHORT)[:, 0])
    assert np.allclose(stereo.mean(axis=0)[0], mixed[0], atol=1e-6)


def test_slots_stand_in_series():
    one, two = patch_of(**WET, VCA1_Pan=40), patch_of(VCA1_Pan=40, main_CcOp=150)
    engine = PanelRenderer()
    heard = engine.render_stereo(one[None], SHORT)[:, 0]
    voice = np.zeros((2, padded(SHORT.samples)), np.float32)
    voice[:, : SHORT.samples] = engine.render_stereo(two[None], SHORT)[:, 0]
    settings = panel.effect_settings(one[None], SHORT, np.zeros(1, np.uint64), {}, RATE)[0]
    assert [module.name for module, _ in settings] == ["chorus", "plate"]
    known = constants(chorus.MODULE) | constants(plate.MODULE)
    play_effects(settings, known, RATE, voice[0], voice[1])
    gain = one[DIVA.index("main.CcOp")] / 150.0
    assert np.allclose(heard, gain * voice[:, : SHORT.samples], atol=1e-6)


def test_output_stands_behind_the_drive():
    loud = {"main_FX1": 1, "FX1_Module": 4, "Rtary1_Drive": 90, "main_CcOp": 150}
    engine = PanelRenderer()
    full, half = engine.render(np.array([patch_of(**loud), patch_of(**loud | {"main_CcOp": 75})]),
                               SHORT)  # fmt: skip
    assert np.abs(full).max() > 0.01
    assert np.allclose(0.5 * full, half, atol=1e-6)


def test_tails_run_on_after_the_note():
    note = Note(pitch=57, length_seconds=0.2, render_seconds=2.0)
    quiet = {"ENV1_Rel": 0, "ENV1_Sus": 100}
    dry, wet = PanelRenderer().render(
        np.array([patch_of(**quiet), patch_of(**quiet, main_FX1=1, FX1_Module=2)]), note
    )
    late = slice(round(1.0 * RATE), None)
    assert np.abs(wet[late]).max() > 100.0 * np.abs(dry[late]).max()


def test_modulation_moves_voices_from_side_to_side():
    """Pan by the gate: right of the middle, by the constant-power law, while the key is down."""
    moved = patch_of(VCA1_PanSrc=5, VCA1_PanDpt=60)
    left, right = PanelRenderer().render_stereo(moved[None], SHORT)[:, 0]
    held = slice(2000, 10000)
    angle = 0.25 * np.pi * 1.6
    ratio = np.linalg.norm(right[held]) / np.linalg.norm(left[held])
    assert ratio == pytest.approx(np.tan(angle), rel=1e-3)
    still = patch_of(VCA1_PanSrc=5, VCA1_PanDpt=0)
    alone = PanelRenderer().render(still[None], SHORT)
    both = PanelRenderer().render(np.array([moved, still]), SHORT)
    assert np.array_equal(both[1], alone[0])
    assert np.array_equal(both[0], PanelRenderer().render(moved[None], SHORT)[0])


def test_effects_that_are_off_do_not_act():
    assert "Plate1.Decay" not in acting.acts(patch_of(FX1_Module=2))
    on = acting.acts(patch_of(FX1_Module=2, main_FX1=1))
    assert {"Plate1.Decay", "FX1.Module"} <= on
    assert not {"Plate2.Decay", "Delay1.FeedB", "FX2.Module"} & on
    rotary_on = acting.acts(patch_of(FX1_Module=4, main_FX1=1))
    assert "Rtary1.Slow" in rotary_on
    assert "Rtary1.Fast" not in rotary_on
