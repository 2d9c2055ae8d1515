"""A Diva preset: the bytes of a `.h2p` file, and what they mean."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deepdiva.errors import InvalidValueError, MissingFileError, PresetError
from deepdiva.files import atomic_write
from deepdiva.parameters import Parameter
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.preset import block, meta
from deepdiva.synths.diva.preset.outline import Outline, Span, outline, place, replace_spans
from deepdiva.synths.diva.preset.template import OSCILLATORS, VOICES, detune_key, template_bytes
from deepdiva.tuning import KEYS, Tuning

_MAX_BYTES = 4 << 20  # the largest known preset of any u-he synth has 0.5 MB
_NUMBER = re.compile(r"-?\d+(\.\d*)?([eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True)
class Preset:
    """A whole preset file, checked. Immutable: changes make another preset.

    Attributes:
        data: the bytes of the file.
        source: where they came from, for messages.

    Raises:
        PresetError: the bytes are no complete Diva preset, or a parameter's value is not one that
            Diva has; the message names file, line and rule.
    """

    data: bytes
    source: str = field(default="preset", compare=False)

    def __post_init__(self) -> None:
        _ = self._values

    @classmethod
    def read(cls, path: Path | str) -> Preset:
        """Read a preset file.

        Raises:
            MissingFileError: there is none.
            PresetError: it is a folder, far too large, or no Diva preset (see the class).
            OSError: the system does not let it be read.
        """
        file = Path(path)
        if file.is_dir():
            raise PresetError(f"{path} is a folder: name a preset in it.")
        if not file.is_file():
            raise MissingFileError(f"{path} does not exist.")
        if file.stat().st_size > _MAX_BYTES:
            raise PresetError(
                f"{path} has {file.stat().st_size:,} bytes: presets have a few thousand. Is this "
                "a .h2p file?"
            )
        return cls(file.read_bytes(), str(path))

    @classmethod
    def from_bytes(cls, data: bytes, source: str = "preset") -> Preset:
        """The preset that a file of these bytes would hold; raises as `read` does."""
        return cls(data, source)

    @classmethod
    def template(
        cls,
        *,
        name: str = "MS-REV1",
        author: str = "DeepDiva",
        description: str = "",
        categories: str | Sequence[str] = (),
    ) -> Preset:
        """A complete MS-REV1 preset that needs no other file.

        Args:
            name: of the preset, as the binary block holds it; Diva shows the file's name.
            author: of the preset.
            description: a sentence or two, any characters.
            categories: such as `Bass:Electronic`; several as a sequence.
        """
        entries = {
            "Author": author,
            "Description": description,
            "Categories": _joined(categories) or "",
        }
        return cls(template_bytes(name, entries), "template MS-REV1")

    def to_bytes(self) -> bytes:
        """The file, byte for byte."""
        return self.data

    def write(self, path: Path | str, force: bool = False) -> None:
        """Write the file, whole or not at all.

        Raises:
            FileExistsAlreadyError: it exists, without `force`.
            MissingFileError: its folder does not exist.
            InvalidValueError: the path is a folder.
            OSError: the system refuses.
        """
        atomic_write(path, self.data, force)

    @cached_property
    def _outline(self) -> Outline:
        return outline(self.data, self.source)

    @cached_property
    def _values(self) -> NDArray[np.float64]:
        values = DIVA.defaults()
        for parameter in DIVA:
            span = self._outline.values.get((parameter.section, parameter.key))
            if span is not None:
                values[parameter.index] = self._read_value(parameter, span)
        values.setflags(write=False)
        return values

    def _read_value(self, parameter: Parameter, span: Span) -> float:
        """The value of a line. Whole numbers may have a fraction of zeros, and the reverse."""
        text = self._text(span)
        where = place(self.source, span.line)
        if parameter.spelling == "quoted":
            names = {f"'{choice.label}'": choice.value for choice in parameter.choices}
            if text not in names:
                raise PresetError(
                    f"{where}: {parameter.name}={text} must be one of {', '.join(names)}."
                )
            return names[text]
        if not _NUMBER.fullmatch(text):
            raise PresetError(f"{where}: {parameter.name}={text} is not a number.")
        try:
            parameter.check(float(text))
        except InvalidValueError as error:
            raise PresetError(f"{where}: {error}") from error
        return float(text)

    def _text(self, span: Span) -> str:
        return self.data[span.start : span.end].decode("utf-8", "surrogateescape")

    @property
    def notes(self) -> tuple[str, ...]:
        """What is unusual about the file and yet no error, one sentence each."""
        found = self._outline.values
        off_grid = [
            f"line {found[parameter.section, parameter.key].line}: {parameter.name} = "
            f"{self._values[parameter.index]:g} lies between the plug-in's steps; it is kept."
            for parameter in DIVA
            if not parameter.on_grid(self._values[parameter.index])
        ]
        missing = [
            parameter.name
            for parameter in DIVA
            if parameter.spelling and (parameter.section, parameter.key) not in found
        ]
        if missing:
            off_grid.append(f"no line for {', '.join(missing)}: MS-REV1's value is taken.")
        return tuple(off_grid)

    def values(self) -> NDArray[np.float64]:
        """The patch, a fresh array of shape (281,), in units.

        Values stand as in the file, on the plug-in's steps or not. A parameter without a line has
        the table's default.
        """
        return self._values.copy()

    def with_values(self, values: ArrayLike) -> Preset:
        """The same preset with another patch; only the text of values that changed is replaced.

        A value counts as changed where its spelling in the file (two decimals) is another number
        than the one that stands there. The three settings that only extended files hold
        (VCC.MuCore, OPT.Acc, OPT.OffAcc) are passed over where the file has no line for them.

        Args:
            values: shape (281,), in units.

        Raises:
            PresetError: a changed value that the parameter does not have, or for which the file has
                no line.
            InvalidValueError: another shape.
        """
        patch = np.asarray(values, dtype=np.float64)
        if patch.shape != (len(DIVA),):
            raise InvalidValueError(
                f"A Diva patch has the shape ({len(DIVA)},), not {patch.shape}."
            )
        texts: dict[Span, bytes] = {}
        for index in np.flatnonzero(patch != self._values):
            parameter = DIVA[int(index)]
            text = self._spelled(parameter, float(patch[index]))
            if parameter.spelling != "quoted" and float(text) == self._values[index]:
                continue
            span = self._outline.values.get((parameter.section, parameter.key))
            if span is not None:
                texts[span] = text.encode("ascii")
            elif parameter.spelling is not None:
                raise PresetError(
                    f"{self.source}: {parameter.name} cannot become {patch[index]:g}: the file has "
                    "no line for it. Start from a preset that has."
                )
        return Preset(replace_spans(self.data, texts), self.source) if texts else self

    def with_texts(self, texts: Mapping[tuple[str, str], str]) -> Preset:
        """The same preset with other texts of any values, parameters or not.

        Args:
            texts: by section and key.

        Raises:
            PresetError: a key without a line in the file, or a text that a parameter cannot have.
        """
        spans: dict[Span, bytes] = {}
        for (section, key), text in texts.items():
            span = self._outline.values.get((section, key))
            if span is None:
                raise PresetError(f"{self.source} has no line for {section}.{key}.")
            spans[span] = text.encode("ascii")
        return Preset(replace_spans(self.data, spans), self.source)

    def _spelled(self, parameter: Parameter, value: float) -> str:
        try:
            parameter.check(value, grid=True)
        except InvalidValueError as error:
            raise PresetError(f"{self.source} cannot hold {error}") from error
        return parameter.spell(value)

    def get(self, section: str, key: str) -> str | None:
        """The text of any value, as it stands in the file; None where there is no such line."""
        span = self._outline.values.get((section, key))
        return None if span is None else self._text(span)

    @property
    def keys(self) -> tuple[tuple[str, str], ...]:
        """Section and key of every value, parameters and others, in the order of the file."""
        return tuple(self._outline.values)

    @property
    def version(self) -> str:
        """The format version that the file states (`#Vers`); it does not change the meaning."""
        return self._outline.header.get("#Vers", "")

    def detune_pots(self) -> NDArray[np.float64]:
        """The trimmers that detune each voice's oscillators.

        Returns:
            Shape (8 voices, 3 oscillators), -100..100; OPT.TSlop says how far they act.

        Raises:
            PresetError: a trimmer without a line, or not a number.
        """
        pots = np.empty((VOICES, OSCILLATORS))
        for voice in range(VOICES):
            for oscillator in range(OSCILLATORS):
                section, key = detune_key(voice, oscillator)
                text = self.get(section, key)
                if text is None or not _NUMBER.fullmatch(text):
                    raise PresetError(
                        f"{self.source}: the detune pot {section}.{key} is {text}; it must be a "
                        "number."
                    )
                pots[voice, oscillator] = float(text)
        return pots

    def tuning(self) -> Tuning | None:
        """The table of the keys' pitches in the binary block, which VCC.MTunS switches on.

        None where the file has no block, a damaged one, or one without such a table.
        """
        span = self._outline.block
        if span is None:
            return None
        where = place(self.source, span.line)
        try:
            chunks = list(block.split(block.decode(self.data[span.start : span.end], where), where))
        except PresetError:
            return None
        numbers = [self.get("VCC", key) or "" for key in ("MTunN", "MTunT")]
        known = [str(k) for k in range(len(chunks))]
        if not all(number in known for number in numbers):
            return None
        name, table = (chunks[int(number)] for number in numbers)
        if not table.is_floats or len(table.data) != 4 * KEYS:
            return None
        words = name.data.partition(b"\0")[0].decode("utf-8", "replace")
        try:
            return Tuning(words, tuple(float(pitch) for pitch in np.frombuffer(table.data, "<f4")))
        except InvalidValueError:
            return None

    @property
    def meta(self) -> dict[str, str]:
        """The comment at the top by key (Author, Description, Categories ...), for people."""
        return {key: meta.unescape(text) for key, text in self._outline.meta.items()}

    def with_meta(
        self,
        *,
        name: str | None = None,
        bank: str | None = None,
        author: str | None = None,
        description: str | None = None,
        usage: str | None = None,
        categories: str | Sequence[str] | None = None,
        features: str | Sequence[str] | None = None,
        character: str | Sequence[str] | None = None,
    ) -> Preset:
        """The same preset with other words; entries that are None stay, empty ones go.

        Args:
            name: of the preset. Diva goes by the name of the file; the binary block, where there
                is one, holds a copy, which is encoded anew.
            bank: collection that it belongs to.
            author: of the preset.
            description: any characters, line breaks included.
            usage: how to play it.
            categories: one or several, such as `Bass:Electronic`.
            features: one or several words.
            character: one or several words.

        Raises:
            PresetError: a control character, or a block without the chunk for the name.
        """
        changes = {
            "Bank": bank,
            "Author": author,
            "Description": description,
            "Usage": usage,
            "Categories": _joined(categories),
            "Features": _joined(features),
            "Character": _joined(character),
        }
        given = {key: text for key, text in changes.items() if text is not None}
        texts: dict[Span, bytes] = {}
        if given:
            entries = meta.merged(self._outline.meta, given)
            texts[self._outline.meta_span] = meta.written(entries)
        if name is not None and self._outline.block is not None:
            texts[self._outline.block] = self._block_named(name, self._outline.block)
        return Preset(replace_spans(self.data, texts), self.source)

    def _block_named(self, name: str, span: Span) -> bytes:
        """The binary block, to the end of the file, with another file name in it."""
        where = place(self.source, span.line)
        chunks = list(block.split(block.decode(self.data[span.start : span.end], where), where))
        number = self.get("PCore", "PFile") or ""
        if number not in map(str, range(len(chunks))):
            raise PresetError(
                f"{where}: the binary block has no chunk for the preset's name (PCore.PFile is "
                f"{number or 'missing'})."
            )
        chunks[int(number)] = block.text_chunk(f"{name}.h2p", len(chunks[int(number)].data))
        return block.encode(block.join(chunks)) + b"\0\0"


def _joined(words: str | Sequence[str] | None) -> str | None:
    return words if words is None or isinstance(words, str) else ", ".join(words)
