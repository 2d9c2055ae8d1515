// Short-time spectra of a sound as a picture.

const SIZE = 2048;
const LOW_HERTZ = 40;
const HIGH_HERTZ = 16000;
const RANGE_DB = 80;

// Dark violet over red to light yellow: what is loud is light.
const STOPS = [
  [8, 6, 20], [46, 16, 84], [108, 28, 112], [172, 48, 92], [228, 90, 50], [250, 160, 40], [252, 240, 170],
];

const window_ = Float64Array.from(
  { length: SIZE },
  (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / SIZE),
);
const cosines = Float64Array.from({ length: SIZE / 2 }, (_, i) => Math.cos((2 * Math.PI * i) / SIZE));
const sines = Float64Array.from({ length: SIZE / 2 }, (_, i) => Math.sin((2 * Math.PI * i) / SIZE));
const reversed = Uint16Array.from({ length: SIZE }, (_, i) => {
  let bits = 0;
  for (let bit = 1, value = i; bit < SIZE; bit <<= 1, value >>= 1) bits = (bits << 1) | (value & 1);
  return bits;
});

/** Fast Fourier transform in place, radix 2 (Cooley and Tukey). */
function transform(re, im) {
  for (let half = 1; half < SIZE; half <<= 1) {
    const stride = SIZE / (2 * half);
    for (let start = 0; start < SIZE; start += 2 * half) {
      for (let k = 0; k < half; k += 1) {
        const c = cosines[k * stride];
        const s = sines[k * stride];
        const i = start + k;
        const j = i + half;
        const x = re[j] * c + im[j] * s;
        const y = im[j] * c - re[j] * s;
        re[j] = re[i] - x;
        im[j] = im[i] - y;
        re[i] += x;
        im[i] += y;
      }
    }
  }
}

/**
 * Levels over time and frequency; frequencies are logarithmic from 40 Hz to 16 kHz.
 *
 * @param {{samples: Float32Array, rate: number}} sound
 * @param {number} from - seconds at the left edge
 * @param {number} until - seconds at the right edge
 * @param {number} columns
 * @param {number} rows
 * @returns {ImageData}
 */
export function spectrogram({ samples, rate }, from, until, columns, rows) {
  const levels = new Float32Array(columns * rows);
  const re = new Float64Array(SIZE);
  const im = new Float64Array(SIZE);
  const edges = Float64Array.from(
    { length: rows + 1 },
    (_, row) => (LOW_HERTZ * (HIGH_HERTZ / LOW_HERTZ) ** (row / rows) * SIZE) / rate,
  );
  let top = -Infinity;
  for (let column = 0; column < columns; column += 1) {
    const middle = Math.round((from + ((column + 0.5) / columns) * (until - from)) * rate);
    for (let i = 0; i < SIZE; i += 1) {
      re[reversed[i]] = (samples[middle - SIZE / 2 + i] ?? 0) * window_[i];
    }
    im.fill(0);
    transform(re, im);
    for (let row = 0; row < rows; row += 1) {
      const first = Math.max(1, Math.round(edges[row]));
      const last = Math.min(SIZE / 2, Math.max(first + 1, Math.round(edges[row + 1])));
      let power = 0;
      for (let bin = first; bin < last; bin += 1) power = Math.max(power, re[bin] ** 2 + im[bin] ** 2);
      const level = 10 * Math.log10(power + 1e-12);
      levels[row * columns + column] = level;
      top = Math.max(top, level);
    }
  }
  const image = new ImageData(columns, rows);
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      const share = Math.max(0, 1 + (levels[(rows - 1 - row) * columns + column] - top) / RANGE_DB);
      const place = share * (STOPS.length - 1);
      const low = Math.min(STOPS.length - 2, Math.floor(place));
      const at = 4 * (row * columns + column);
      for (let part = 0; part < 3; part += 1) {
        image.data[at + part] =
          STOPS[low][part] + (place - low) * (STOPS[low + 1][part] - STOPS[low][part]);
      }
      image.data[at + 3] = 255;
    }
  }
  return image;
}
