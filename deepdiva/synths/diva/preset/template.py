"""A complete MS-REV1 preset from nothing.

Lines and their order come from `layout.csv`, defaults from the parameter table, and the binary
block is encoded here: names of its own, the equal-tempered tuning table, and the detune pots of the
layout.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby

from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.preset import block, meta
from deepdiva.synths.diva.preset.outline import SYNTH, LayoutRow, layout

VOICES = 8
OSCILLATORS = 3

# Version and byte order as saved presets state them.
_VERSION = 10001
_SOURCES = tuple(choice.label for choice in DIVA["LFO1.DMS1"].choices)
_VOICE_MODULATORS = ("Gate", "Env1")

# The chunks of a plain file: names of 64 to 256 bytes, 128 pitches, 64 pots.
_FOLDER = "/User"
_LONG_NAME = 256
_MIDI_NAME = 128
_NAME = 64
_PITCHES = 128
_POTS = 64


def detune_key(voice: int, oscillator: int) -> tuple[str, str]:
    """Section and key of a detune pot; voice 0..7, oscillator 0..2."""
    return "OPT", f"V{voice + 1}T{oscillator + 1}"


def template_bytes(name: str, entries: Mapping[str, str]) -> bytes:
    """The file of a complete MS-REV1 preset.

    Args:
        name: of the preset; it stands in the binary block, which holds up to 59 bytes of it.
        entries: texts of the comment by key, not escaped; empty ones are left out.
    """
    pots = {(row.section, row.key): row.text for row in layout()}
    chunks = (
        block.text_chunk(_FOLDER, _LONG_NAME),
        block.text_chunk(f"{name}.h2p", _NAME),
        block.text_chunk(entries.get("Author", ""), _LONG_NAME),
        block.text_chunk(f"{name}.h2p", _MIDI_NAME),
        block.text_chunk("", _LONG_NAME),
        block.text_chunk("", _NAME),
        block.float_chunk(range(_PITCHES), _PITCHES),
        block.float_chunk(
            [
                float(pots[detune_key(voice, oscillator)])
                for oscillator in range(OSCILLATORS)
                for voice in range(VOICES)
            ],
            _POTS,
        ),
    )
    return b"".join(
        (
            b"/*@Meta\n",
            meta.written(meta.merged({}, entries)),
            b"*/\n\n",
            "\n".join(_text_lines()).encode("ascii"),
            b"\n\n\n// Section for ugly compressed binary Data\n// DON'T TOUCH THIS\n\n",
            block.encode(block.join(chunks)),
            b"\0\0",
        )
    )


def _text_lines() -> list[str]:
    """Header and sections."""
    lines = [f"#AM={SYNTH}", f"#Vers={_VERSION}", "#Endian=little", f"#nm={len(_SOURCES)}"]
    lines += [f"#ms={source}" for source in _SOURCES]
    lines += [f"#nv={len(_VOICE_MODULATORS)}"]
    lines += [f"#mv={modulator}" for modulator in _VOICE_MODULATORS]
    for section, rows in groupby(layout(), key=lambda row: row.section):
        lines.append(f"#cm={section}")
        lines += [f"{row.key}={_text(row)}" for row in rows]
    return lines


def _text(row: LayoutRow) -> str:
    name = f"{row.section}.{row.key}"
    return DIVA[name].spell(DIVA[name].default) if name in DIVA else row.text
