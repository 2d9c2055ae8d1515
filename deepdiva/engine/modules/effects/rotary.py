"""Rotary: a horn and a drum that turn in front of two microphones, behind a tube.

A crossover at 800 Hz; the horn changes delay (Doppler) and level with its angle, the drum its
level. Both speeds lie between slow and fast as the controller says, and follow it with inertia.
After J. Herrera, C. Hanson, J. S. Abel, "Discrete time emulation of the Leslie speaker", AES 127,
2009.
Speeds of 10 to 0.2 s a turn are documented, all else is uncalibrated.
"""

from __future__ import annotations

import math

import numpy as np

from deepdiva.engine.dsp.blocks import glide, onward, put, ring, sine, smooth
from deepdiva.engine.dsp.saturation import tanh
from deepdiva.engine.module import Confidence, Constant, Input, Module, Slot


def controls(u, c, rate):
    kind, mix, balance, drive, stereo, out_db, slow, fast, rise, controller, phase = u
    slowest, fastest, crossover, radius_ms, horn_dips, drum_dips, drum_speed, heavier, softest, \
        loudest, quickest, laziest, microphones = c  # fmt: skip
    turns = fastest / slowest
    slow, fast = slowest * turns**slow / rate, slowest * turns**fast / rate
    seconds = quickest * (laziest / quickest) ** rise
    together = round(kind) == 1
    ratio, weight = (1.0, 1.0) if together else (drum_speed, heavier)
    into = softest * (loudest / softest) ** drive
    gain = mix * 10.0 ** (out_db / 20.0)
    high = gain * min(1.0, 2.0 * balance) / math.sqrt(into * softest)
    low = gain * min(1.0, 2.0 * (1.0 - balance)) / math.sqrt(into * softest)
    reach = radius_ms * 0.001 * rate
    apart = 0.5 * microphones * stereo
    corner = math.exp(-2.0 * math.pi * min(crossover, 0.2 * rate) / rate)
    dips = 0.0 if round(kind) == 2 else drum_dips
    return (1.0 - mix, high, low, into, corner, slow, fast, ratio,
            -math.expm1(-64.0 / (seconds * rate)), -math.expm1(-64.0 / (seconds * weight * rate)),
            controller, phase, apart, reach, horn_dips, dips, ring(2.0 * reach + 12.0))  # fmt: skip


def memory(p):
    return int(p[-1]) + 128


def play(left, right, p, line, s):
    (dry, g_high, g_low, into, corner, slow, fast, ratio, eager, drum_eager, controller, phase,
     apart, reach, horn_dips, drum_dips, cells) = p  # fmt: skip
    size = int(cells)
    d, k, c = np.float32(dry), np.float32(into), np.float32(corner)
    at = int(s[0])
    horn, drum, horn_speed, drum_speed = s[1], s[2], s[3], s[4]
    below = np.float32(s[5])
    low = np.empty(64, np.float32)
    high = np.empty(64, np.float32)
    turned_horn = np.empty(64, np.float32)
    here = np.empty(6, np.float64)
    there = np.empty(6, np.float64)
    for begin in range(-64, left.shape[0], 64):
        if begin >= 0:
            horn_speed += eager * (controller - horn_speed)
            drum_speed += drum_eager * (controller - drum_speed)
            horn += 64 * (slow + horn_speed * (fast - slow))
            drum += 64 * ratio * (slow + drum_speed * (fast - slow))
        for side in range(2):
            angle = apart if side == 1 else -apart
            turned = sine(phase + horn + angle + 0.25)
            there[side] = reach + 3.0 + reach * turned
            there[2 + side] = g_high * (1.0 - 0.5 * horn_dips * (1.0 + turned))
            turned = sine(phase - drum + angle + 0.25)
            there[4 + side] = g_low * (1.0 - 0.5 * drum_dips * (1.0 + turned))
        if begin >= 0:
            x = left[begin : begin + 64]
            y = right[begin : begin + 64]
            for i in range(64):
                high[i] = tanh(k * (0.5 * (x[i] + y[i])))
            below = smooth(high, 0, c, below, low, 64)
            for i in range(64):
                high[i] -= low[i]
            put(line, 0, size, at, high, 0, np.float32(1.0), 64)
            for side in range(2):
                glide(line, 0, size, at, here[side], there[side], 64, turned_horn, 0)
                g, h = np.float32(here[2 + side]), np.float32(here[4 + side])
                more_g = np.float32((there[2 + side] - here[2 + side]) / 64)
                more_h = np.float32((there[4 + side] - here[4 + side]) / 64)
                for i in range(64):
                    t = np.float32(np.int32(i))
                    turned_horn[i] = (g + t * more_g) * turned_horn[i] + (h + t * more_h) * low[i]
                if side == 0:
                    for i in range(64):
                        x[i] = d * x[i] + turned_horn[i]
                else:
                    for i in range(64):
                        y[i] = d * y[i] + turned_horn[i]
            at = onward(size, at, 64)
        for j in range(6):
            here[j] = there[j]
    s[0], s[1], s[2], s[3], s[4], s[5] = at, horn, drum, horn_speed, drum_speed, below


_GUESS = Confidence.GUESS

MODULE = Module(
    slot=Slot.EFFECT,
    name="rotary",
    version=1,
    inputs=(
        Input("mode", "", 0.0, 2.0, "0 normal, 1 the drum turns with the horn, 2 it stands still"),
        Input("mix", "", 0.0, 1.0, "share of the speakers", 1.0),
        Input("balance", "", 0.0, 1.0, "horn over drum", 0.5),
        Input("drive", "", 0.0, 1.0, "into the tube"),
        Input("stereo", "", 0.0, 1.0, "distance of the microphones", 1.0),
        Input("out", "dB", -20.0, 20.0, "level of the speakers"),
        Input("slow", "", 0.0, 1.0, "speed with the controller at rest", 0.3),
        Input("fast", "", 0.0, 1.0, "speed with the controller at 1", 0.85),
        Input("rise", "", 0.0, 1.0, "inertia", 0.5),
        Input("controller", "", 0.0, 1.0, "from slow to fast"),
        Input("phase", "cycles", 0.0, 1.0, "where the rotors start"),
    ),
    constants=(
        Constant("slowest", 0.1, 0.08, 0.12, "Hz", _GUESS, "speed at 0"),
        Constant("fastest", 5.0, 4.0, 8.0, "Hz", _GUESS, "speed at 100"),
        Constant("crossover", 800.0, 600.0, 1000.0, "Hz", _GUESS, "between drum and horn"),
        Constant("radius_ms", 0.55, 0.3, 0.7, "ms", _GUESS, "the horn's way, in sound's time"),
        Constant("horn_dips", 0.6, 0.3, 0.9, "", _GUESS, "loss when the horn looks away"),
        Constant("drum_dips", 0.4, 0.1, 0.7, "", _GUESS, "the same of the drum"),
        Constant("drum_speed", 0.85, 0.7, 1.0, "", _GUESS, "of the horn's"),
        Constant("drum_inertia", 4.0, 2.0, 8.0, "", _GUESS, "of the horn's"),
        Constant("softest", 0.2, 0.1, 0.5, "", _GUESS, "gain into the tube at Drive 0"),
        Constant("loudest", 8.0, 3.0, 20.0, "", _GUESS, "the same at 100"),
        Constant("quickest", 0.1, 0.02, 0.3, "s", _GUESS, "the horn's time constant at RiseTime 0"),
        Constant("laziest", 5.0, 2.0, 10.0, "s", _GUESS, "the same at 100"),
        Constant("microphones", 0.5, 0.2, 0.5, "turns", _GUESS, "between them at Stereo 100"),
    ),
    coefficients=(
        "dry", "high", "low", "into", "corner", "slow", "fast", "ratio", "eager", "drum_eager",
        "controller", "phase", "apart", "reach", "horn_dips", "drum_dips", "cells",
    ),
    states=("at", "horn", "drum", "horn_speed", "drum_speed", "below"),
    controls=controls,
    step=play,
    memory=memory,
)  # fmt: skip
