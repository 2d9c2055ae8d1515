"""Numba kernels of the distances: power spectra of many frames at once, and their comparison.

All let go of Python's global lock and keep no state. A sound is laid out so that each instruction
works on the same sample of many frames: it is cut into 32 stretches, and sample n of all
stretches stands in row n, one lane each. Lanes 0 to 15 are the real part and lanes 16 to 31 the
imaginary part of a complex transform; because the sounds are real, the two are told apart by the
symmetry of their spectra (Press et al., Numerical Recipes, section 12.3).

Why the code looks as it does: LLVM vectorises a loop over lanes without a test at run time only
if the trip count is unknown to it (`plan.lanes`, always 16), indices are unsigned, and the distance
between rows is a constant (`quarter` is a literal after inlining).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from deepdiva.compiled_code import njit
from deepdiva.distance.plan import BandTable, FourierPlan

FASTMATH = {"reassoc", "contract", "nsz"}
"""Sums in any order. Not `nnan` and `ninf`: a sound that is not finite has to stay visible."""

_OPTIONS = {"nogil": True, "cache": True, "error_model": "numpy", "fastmath": FASTMATH}
_INLINE = {**_OPTIONS, "cache": False, "forceinline": True}  # by LLVM, once compiled
_PASTE = {**_OPTIONS, "cache": False, "inline": "always"}  # by numba: one compilation less
_EXACT = {**_INLINE, "fastmath": {"contract"}}

_Quad = tuple[
    np.float32, np.float32, np.float32, np.float32, np.float32, np.float32, np.float32, np.float32
]
"""Real and imaginary parts of four complex numbers."""

_HALF = np.uint64(16)
_ROW = np.uint64(32)

_BLOCK = 128
"""Rows that `lay_out` fills at a time: 16 kB, half of a common first-level cache."""

LOG10_OF_SQRT2 = 0.5 * math.log10(2.0)
"""Times log2 of a power: log10 of the amplitude."""

# log2(1 + f) = f (C0 + C1 f + ...), least maximum error on 0 <= f < 1: 3.1e-7.
_C0 = np.float32(1.44266783)
_C1 = np.float32(-0.72058546)
_C2 = np.float32(0.47355336)
_C3 = np.float32(-0.32590182)
_C4 = np.float32(0.19429409)
_C5 = np.float32(-0.07955755)
_C6 = np.float32(0.01552986)


@njit(**_OPTIONS)
def lay_out(sound: NDArray[np.float32], stretch: int, rows: NDArray[np.float32]) -> None:
    """Cut a sound into 32 stretches side by side.

    Args:
        sound: shape (samples,), at most 32 * stretch.
        stretch: samples of a stretch, so that each begins where the one before ends.
        rows: filled; flat, a multiple of 32 long. Row n holds sample n of each stretch; rows from
            `stretch` on go on into the next one. Zeros follow the end of the sound.
    """
    samples = sound.shape[0]
    for first in range(0, stretch, _BLOCK):
        count = min(_BLOCK, stretch - first)
        for lane in range(32):
            begin = lane * stretch + first
            inside = min(max(samples - begin, 0), count)
            source = sound[begin : begin + inside]
            column = rows[first * 32 + lane :]
            for n in range(inside):
                column[n * 32] = source[n]
            for n in range(inside, count):
                column[n * 32] = np.float32(0.0)
    total = rows.shape[0] // 32
    for first in range(stretch, total, stretch):
        count = min(stretch, total - first)
        source = rows[(first - stretch) * 32 + 1 : (first - stretch + count) * 32]
        target = rows[first * 32 : (first + count) * 32]
        for i in range(source.shape[0]):
            target[i] = source[i]
        for n in range(count):
            target[n * 32 + 31] = np.float32(0.0)


@njit(**_INLINE)
def _turn(
    re: np.float32, im: np.float32, cosine: np.float32, sine: np.float32
) -> tuple[np.float32, np.float32]:
    """Multiply a complex number by exp(i angle)."""
    return re * cosine - im * sine, re * sine + im * cosine


@njit(**_INLINE)
def _split4(
    a_re: np.float32,
    a_im: np.float32,
    b_re: np.float32,
    b_im: np.float32,
    c_re: np.float32,
    c_im: np.float32,
    d_re: np.float32,
    d_im: np.float32,
) -> _Quad:
    """Values of a + b r + c r^2 + d r^3 at r = 1, -1, i and -i."""
    even_re, even_im = a_re + c_re, a_im + c_im
    odd_re, odd_im = b_re + d_re, b_im + d_im
    gap_re, gap_im = a_re - c_re, a_im - c_im
    rest_re, rest_im = b_re - d_re, b_im - d_im
    return (
        even_re + odd_re,
        even_im + odd_im,
        even_re - odd_re,
        even_im - odd_im,
        gap_re - rest_im,
        gap_im + rest_re,
        gap_re + rest_im,
        gap_im - rest_re,
    )


@njit(**_INLINE)
def _first_pass4(
    rows: NDArray[np.float32],
    start: int,
    window: NDArray[np.float32],
    work: NDArray[np.float32],
    quarter: int,
    lanes: int,
) -> None:
    """Window 32 frames and split them into four quarters of the spectrum."""
    step = np.uint64(quarter * 32)
    count = np.uint64(lanes)
    for n in range(quarter):
        w0, w1 = window[n], window[n + quarter]
        w2, w3 = window[n + 2 * quarter], window[n + 3 * quarter]
        source = np.uint64((start + n) * 32)
        target = np.uint64(n * 32)
        for lane in range(count):
            re = source + lane
            im = re + _HALF
            out = target + lane
            a, ai, b, bi, c, ci, d, di = _split4(
                rows[re] * w0,
                rows[im] * w0,
                rows[re + step] * w1,
                rows[im + step] * w1,
                rows[re + step + step] * w2,
                rows[im + step + step] * w2,
                rows[re + step + step + step] * w3,
                rows[im + step + step + step] * w3,
            )
            work[out], work[out + _HALF] = a, ai
            out += step
            work[out], work[out + _HALF] = b, bi
            out += step
            work[out], work[out + _HALF] = c, ci
            out += step
            work[out], work[out + _HALF] = d, di


@njit(**_INLINE)
def _first_pass2(
    rows: NDArray[np.float32],
    start: int,
    window: NDArray[np.float32],
    work: NDArray[np.float32],
    half: int,
    lanes: int,
) -> None:
    """Window 32 frames and split them into two halves of the spectrum."""
    step = np.uint64(half * 32)
    count = np.uint64(lanes)
    for n in range(half):
        w0, w1 = window[n], window[n + half]
        source = np.uint64((start + n) * 32)
        target = np.uint64(n * 32)
        for lane in range(count):
            re = source + lane
            im = re + _HALF
            out = target + lane
            a, ai = rows[re] * w0, rows[im] * w0
            b, bi = rows[re + step] * w1, rows[im + step] * w1
            work[out], work[out + _HALF] = a + b, ai + bi
            work[out + step], work[out + step + _HALF] = a - b, ai - bi


@njit(**_INLINE)
def _block4(
    work: NDArray[np.float32],
    at: np.uint64,
    step: np.uint64,
    c1: np.float32,
    s1: np.float32,
    c2: np.float32,
    s2: np.float32,
    c3: np.float32,
    s3: np.float32,
) -> _Quad:
    """Split one value of each quarter of a block whose constant is exp(i angle)."""
    b_re, b_im = _turn(work[at + step], work[at + step + _HALF], c1, s1)
    c_at = at + step + step
    c_re, c_im = _turn(work[c_at], work[c_at + _HALF], c2, s2)
    d_at = c_at + step
    d_re, d_im = _turn(work[d_at], work[d_at + _HALF], c3, s3)
    parts: _Quad = _split4(work[at], work[at + _HALF], b_re, b_im, c_re, c_im, d_re, d_im)
    return parts


@njit(**_INLINE)
def _pass4(
    work: NDArray[np.float32], twiddles: NDArray[np.float32], quarter: int, lanes: int
) -> None:
    """Split every block into four, in place."""
    step = np.uint64(quarter * 32)
    count = np.uint64(lanes)
    for block in range(twiddles.shape[0]):
        twiddle = twiddles[block]
        c1, c2, c3 = twiddle[0], twiddle[2], twiddle[4]
        s1, s2, s3 = twiddle[1], twiddle[3], twiddle[5]
        for n in range(quarter):
            base = np.uint64((block * 4 * quarter + n) * 32)
            for lane in range(count):
                out = base + lane
                a, ai, b, bi, c, ci, d, di = _block4(work, out, step, c1, s1, c2, s2, c3, s3)
                work[out], work[out + _HALF] = a, ai
                out += step
                work[out], work[out + _HALF] = b, bi
                out += step
                work[out], work[out + _HALF] = c, ci
                out += step
                work[out], work[out + _HALF] = d, di


@njit(**_INLINE)
def _powers(
    re: np.float32,
    im: np.float32,
    mirror_re: np.float32,
    mirror_im: np.float32,
    floor_power: np.float32,
) -> tuple[np.float32, np.float32]:
    """Powers of the two real frames in one bin, times 4, from the bin and its mirror image."""
    return (
        (re + mirror_re) ** 2 + (im - mirror_im) ** 2 + floor_power,
        (im + mirror_im) ** 2 + (mirror_re - re) ** 2 + floor_power,
    )


@njit(**_INLINE)
def _last_pass(
    work: NDArray[np.float32],
    twiddles: NDArray[np.float32],
    mirrors: NDArray[np.int64],
    floor_power: np.float32,
    power: NDArray[np.float32],
    lanes: int,
) -> None:
    """Split the last blocks into single bins and write the powers of both frames of each lane."""
    count = np.uint64(lanes)
    for pair in range(mirrors.shape[0]):
        twiddle = twiddles[mirrors[pair, 0]]
        c1, c2, c3 = twiddle[0], twiddle[2], twiddle[4]
        s1, s2, s3 = twiddle[1], twiddle[3], twiddle[5]
        base = np.uint64(mirrors[pair, 0] * 128)
        mirror_base = np.uint64(mirrors[pair, 1] * 128)
        target = np.uint64(mirrors[pair, 2] * 32)
        for lane in range(count):
            a, ai, b, bi, c, ci, d, di = _block4(work, base + lane, _ROW, c1, s1, c2, s2, c3, s3)
            # Opposite angles: the mirror images of c and d, at i and -i, change places.
            e, ei, f, fi, h, hi, g, gi = _block4(
                work, mirror_base + lane, _ROW, c1, -s1, c2, -s2, c3, -s3
            )
            out = target + lane
            power[out], power[out + _HALF] = _powers(a, ai, e, ei, floor_power)
            out += _ROW
            power[out], power[out + _HALF] = _powers(b, bi, f, fi, floor_power)
            out += _ROW
            power[out], power[out + _HALF] = _powers(c, ci, g, gi, floor_power)
            out += _ROW
            power[out], power[out + _HALF] = _powers(d, di, h, hi, floor_power)


@njit(**_PASTE)
def _first_pass(
    rows: NDArray[np.float32],
    start: int,
    window: NDArray[np.float32],
    work: NDArray[np.float32],
    lanes: int,
) -> int:
    """Window and split the 32 frames that begin in row `start`.

    Returns:
        Number of samples in a quarter of the blocks that result.
    """
    size = window.shape[0]
    if size == 64:
        _first_pass4(rows, start, window, work, 16, lanes)
        return 4
    if size == 128:
        _first_pass2(rows, start, window, work, 64, lanes)
        return 16
    if size == 256:
        _first_pass4(rows, start, window, work, 64, lanes)
        return 16
    if size == 512:
        _first_pass2(rows, start, window, work, 256, lanes)
        return 64
    if size == 1024:
        _first_pass4(rows, start, window, work, 256, lanes)
        return 64
    if size == 2048:
        _first_pass2(rows, start, window, work, 1024, lanes)
        return 256
    _first_pass4(rows, start, window, work, 1024, lanes)
    return 256


@njit(**_PASTE)
def _inner_pass(
    work: NDArray[np.float32], twiddles: NDArray[np.float32], quarter: int, lanes: int
) -> None:
    """Split every block into four, for each of the sizes that occur."""
    if quarter == 4:
        _pass4(work, twiddles, 4, lanes)
    elif quarter == 16:
        _pass4(work, twiddles, 16, lanes)
    elif quarter == 64:
        _pass4(work, twiddles, 64, lanes)
    else:
        _pass4(work, twiddles, 256, lanes)


@njit(**_PASTE)
def _power_spectra(
    rows: NDArray[np.float32],
    start: int,
    plan: FourierPlan,
    floor_power: np.float32,
    work: NDArray[np.float32],
    power: NDArray[np.float32],
) -> None:
    """Power spectra, plus `floor_power`, of the 32 frames that begin in row `start`."""
    size = plan.window.shape[0]
    quarter = _first_pass(rows, start, plan.window, work, plan.lanes)
    twiddles = plan.twiddles
    while quarter > 1:
        blocks = size // (4 * quarter)
        _inner_pass(work, twiddles[:blocks], quarter, plan.lanes)
        twiddles = twiddles[blocks:]
        quarter //= 4
    _last_pass(work, twiddles, plan.mirrors, floor_power, power, plan.lanes)


@njit(**_INLINE)
def _blank(
    power: NDArray[np.float32],
    bins: int,
    group: int,
    plan: FourierPlan,
    stretch: int,
    samples: int,
    frames: int,
    floor_power: np.float32,
) -> None:
    """Make frames silent that begin inside the sound and end after it."""
    for lane in range(32):
        begin = lane * stretch + group * plan.hop
        if begin < samples and begin // plan.hop >= frames:
            for row in range(bins):
                power[row * 32 + lane] = floor_power


@njit(**_EXACT)
def _log2(bits: np.int32) -> np.float32:
    """Logarithm to base 2 of a positive float32, given as the bits that it is made of.

    The absolute error is below 4e-7, plus the rounding of the result. The same bits give the same
    logarithm wherever this is inlined: equal spectra must not differ.
    """
    exponent = np.float32(np.int32(bits >> np.int32(23)) - np.int32(127))
    f = np.float32(np.int32(bits & np.int32(0x7FFFFF))) * np.float32(1.0 / (1 << 23))
    series = _C3 + f * (_C4 + f * (_C5 + f * _C6))
    return exponent + f * (_C0 + f * (_C1 + f * (_C2 + f * series)))


@njit(**_INLINE)
def _log_difference(bits: NDArray[np.int32], reference: NDArray[np.float32]) -> np.float32:
    """Sum of |log2 power - reference|."""
    total = np.float32(0.0)
    for i in range(reference.shape[0]):
        total += abs(_log2(bits[i]) - reference[i])
    return total


@njit(**_INLINE)
def _linear_difference(power: NDArray[np.float32], reference: NDArray[np.float32]) -> np.float32:
    """Sum of |sqrt power - reference|."""
    total = np.float32(0.0)
    for i in range(reference.shape[0]):
        total += abs(np.float32(math.sqrt(power[i])) - reference[i])
    return total


@njit(**_INLINE)
def _add(power: NDArray[np.float32], total: NDArray[np.float32]) -> None:
    """Add up the powers of all groups."""
    for i in range(total.shape[0]):
        total[i] += power[i]


def scan_scratch(size: int) -> int:
    """Numbers of scratch that `scan` needs for an STFT size."""
    return (size + size // 2 + 2) * 32


@njit(**_OPTIONS)
def scan(
    rows: NDArray[np.float32],
    samples: int,
    stretch: int,
    plan: FourierPlan,
    floor_power: np.float32,
    learn: bool,
    linear: NDArray[np.float32],
    logarithmic: NDArray[np.float32],
    total: NDArray[np.float32],
    scratch: NDArray[np.float32],
) -> tuple[float, float]:
    """Go through all frames of a sound; learn its spectra, or compare them with learnt ones.

    A frame that does not fit into the sound is left out; of a sound shorter than one frame there
    is one, padded with zeros. The tables have a row of 32 frames for each bin, and one set of
    rows for each group of frames: frame `lane * groups + group` of the sound stands at
    [group, bin * 32 + lane]. Places without a frame hold the floor.

    Args:
        rows: the sound as `lay_out` leaves it, at least `stretch + size` rows.
        samples: samples of the sound.
        stretch: samples of a lane, a multiple of the hop.
        plan: tables of the STFT size; the order of its `bins` is the order of the rows.
        floor_power: added to the power of every bin; 1 is the power of a sine of full scale.
        learn: fill `linear` and `logarithmic` instead of comparing with them.
        linear: shape (groups, bins * 32), amplitudes; or (groups, 0): not asked for.
        logarithmic: shape (groups, bins * 32), log2 of the powers; or (groups, 0).
        total: filled; shape (bins * 32,): sums of the powers of all groups; or (0,).
        scratch: at least `scan_scratch(size)` long; to allocate takes as long as to compute.

    Returns:
        Sums of the absolute differences of amplitude and of log2 power; 0 when learning.
    """
    size = plan.window.shape[0]
    bins = size // 2 + 1
    frames = 1 + max(0, samples - size) // plan.hop
    work = scratch[: size * 32]
    buffer = scratch[size * 32 :]
    power = buffer[: bins * 32]
    bits = power.view(np.int32)
    linear_total = 0.0
    log_total = 0.0
    total[:] = 0.0
    for group in range(stretch // plan.hop):
        _power_spectra(rows, group * plan.hop, plan, floor_power, work, buffer)
        _blank(power, bins, group, plan, stretch, samples, frames, floor_power)
        if learn:
            for i in range(linear.shape[1]):
                linear[group, i] = math.sqrt(power[i])
            for i in range(logarithmic.shape[1]):
                logarithmic[group, i] = _log2(bits[i])
        else:
            linear_total += _linear_difference(power, linear[group])
            log_total += _log_difference(bits, logarithmic[group])
        _add(power, total)
    return linear_total, log_total


@njit(**_OPTIONS)
def scan_levels(
    rows: NDArray[np.float32],
    samples: int,
    stretch: int,
    plan: FourierPlan,
    total: NDArray[np.float32],
    scratch: NDArray[np.float32],
) -> None:
    """Go through all frames of a sound and add up the powers of their whole spectra.

    No transform is needed: by Parseval's theorem the powers of all `size` bins add up to `size`
    times the energy of the windowed frame. Bins 1 to size / 2 - 1 are half of that, less the
    first and the middle bin; these two are the sum and the alternating sum of the samples, and
    their powers together twice the squared sums of the even and of the odd samples.

    Args:
        rows: the sound as `lay_out` leaves it, at least `stretch + size` rows.
        samples: samples of the sound.
        stretch: samples of a lane, a multiple of the hop.
        plan: tables of the STFT size.
        total: filled; shape (32,): sums over the groups, as all rows of `scan`'s `total` together.
        scratch: at least 96 long.
    """
    size = plan.window.shape[0]
    frames = 1 + max(0, samples - size) // plan.hop
    lanes = 2 * plan.lanes
    energy, even, odd = scratch[:32], scratch[32:64], scratch[64:96]
    total[:] = 0.0
    for group in range(stretch // plan.hop):
        scratch[:96] = 0.0
        start = group * plan.hop
        for n in range(0, size, 2):
            first, second = plan.window[n], plan.window[n + 1]
            left = rows[(start + n) * 32 : (start + n + 1) * 32]
            right = rows[(start + n + 1) * 32 : (start + n + 2) * 32]
            for lane in range(lanes):
                a, b = left[lane] * first, right[lane] * second
                even[lane] += a
                odd[lane] += b
                energy[lane] += a * a + b * b
        _blank(energy, 1, group, plan, stretch, samples, frames, np.float32(0.0))
        _blank(even, 1, group, plan, stretch, samples, frames, np.float32(0.0))
        _blank(odd, 1, group, plan, stretch, samples, frames, np.float32(0.0))
        # The window is half of the amplitude-normalised one: powers are four times as large.
        whole, ends = np.float32(2 * size), np.float32(4)
        for lane in range(lanes):
            total[lane] += whole * energy[lane] + ends * (even[lane] ** 2 + odd[lane] ** 2)


@njit(**_INLINE)
def _sum_bands(slices: NDArray[np.float32], bands: BandTable, sums: NDArray[np.float32]) -> None:
    """Weighted sums of rows, one row for each band."""
    for band in range(bands.first.shape[0] - 1):
        row = sums[band * 32 : band * 32 + 32]
        for lane in range(row.shape[0]):
            row[lane] = np.float32(0.0)
        for entry in range(bands.first[band], bands.first[band + 1]):
            source = slices[bands.rows[entry] * 32 : bands.rows[entry] * 32 + 32]
            weight = bands.weights[entry]
            for lane in range(row.shape[0]):
                row[lane] += source[lane] * weight


@njit(**_OPTIONS)
def sum_bands(slices: NDArray[np.float32], bands: BandTable, sums: NDArray[np.float32]) -> None:
    """Weighted sums of rows of 32.

    Args:
        slices: shape (bins * 32,), as `scan` leaves them in `total`.
        bands: which rows, and their weights.
        sums: filled; shape (bands * 32,).
    """
    _sum_bands(slices, bands, sums)


@njit(**_INLINE)
def _average(
    sums: NDArray[np.float32],
    inverse: NDArray[np.float32],
    floor_power: np.float32,
    average: NDArray[np.float32],
) -> None:
    """Times `inverse`, again and again, plus the floor."""
    period = inverse.shape[0]
    for first in range(0, sums.shape[0], period):
        source, target = sums[first : first + period], average[first : first + period]
        for i in range(source.shape[0]):
            target[i] = source[i] * inverse[i] + floor_power


@njit(**_OPTIONS)
def compare_windows(
    slices: NDArray[np.float32],
    bands: BandTable,
    inverse: NDArray[np.float32],
    floor_power: np.float32,
    learn: bool,
    reference: NDArray[np.float32],
    sections: NDArray[np.int64],
    scratch: NDArray[np.float32],
) -> NDArray[np.float64]:
    """Learn, or compare with learnt ones, the spectra of longer and longer windows.

    A window holds 1, 2, 4, ... slices, and one begins with every slice.

    Args:
        slices: shape (bins * 32,): sums of powers over the frames of each of 32 slices.
        bands: bands to be summed up beside the bins.
        inverse: shape (lengths, 512): for each length of window and each first slice, 1 over the
            frames inside; 0 where the window does not fit; the 32 values 16 times over, so that a
            loop is long enough to be worth its beginning. A row of zeros: no such windows.
        floor_power: added to the mean powers.
        learn: fill `reference` instead of comparing with it.
        reference: shape (lengths, (bins + bands) * 32): log2 of the mean powers.
        sections: rows at which sections of bins and bands begin, and the end of the last.
        scratch: at least three times as long as a row of `reference`.

    Returns:
        Shape (lengths, sections): sums of |log2 power - reference|; 0 when learning.
    """
    border = slices.shape[0]
    cells = reference.shape[1]
    sums, longer = scratch[:cells], scratch[cells : 2 * cells]
    average = scratch[2 * cells : 3 * cells]
    sums[:border] = slices
    _sum_bands(slices, bands, sums[border:])
    longer[:] = 0.0
    bits = average.view(np.int32)
    result = np.zeros((inverse.shape[0], sections.shape[0] - 1))
    for length in range(inverse.shape[0]):
        if length > 0:
            # Into another array: in place, the compiler would have to go one by one.
            later = sums[1 << (length - 1) :]
            for i in range(later.shape[0]):
                longer[i] = sums[i] + later[i]
            sums, longer = longer, sums
        if inverse[length, 0] > 0.0:
            _average(sums, inverse[length], floor_power, average)
            known = reference[length]
            if learn:
                for i in range(known.shape[0]):
                    known[i] = _log2(bits[i])
            else:
                for section in range(sections.shape[0] - 1):
                    begin, end = sections[section] * 32, sections[section + 1] * 32
                    result[length, section] = _log_difference(bits[begin:end], known[begin:end])
    return result
