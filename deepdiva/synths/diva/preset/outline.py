"""Where everything stands in the bytes of a preset file.

A `.h2p` file is text: a comment with names and words (`/*@Meta ... */`), a header of `#name=value`
lines, sections of `key=value` lines that begin with `#cm=NAME`, and most often a binary block. The
outline keeps the file's bytes as they are and only notes where each value begins and ends, so that
a value can be replaced without touching anything else: unknown keys, sections of newer versions and
other people's spelling all survive.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from deepdiva.errors import PresetError
from deepdiva.synths.diva.preset import block

SYNTH = "Diva"

_OPENINGS = (b"/*@Meta", b"/*@meta")
_BLOCK_MARK = b"$$$$"


class LayoutRow(NamedTuple):
    """A line of a complete MS-REV1 preset.

    Attributes:
        section: section of the file.
        key: key in the section.
        text: value as the file writes it; empty for a parameter, whose table holds the default.
    """

    section: str
    key: str
    text: str


@cache
def layout() -> tuple[LayoutRow, ...]:
    """All lines of a plain preset, in the order of the file."""
    with files("deepdiva.synths.diva.preset").joinpath("layout.csv").open(encoding="utf-8") as file:
        return tuple(LayoutRow(**row) for row in csv.DictReader(file))


class Line(NamedTuple):
    """One line of the file.

    Attributes:
        number: as editors count, 1 the first.
        start: offset of its first byte.
        after: offset of the line that follows.
        text: its bytes, without the line break.
    """

    number: int
    start: int
    after: int
    text: bytes


class Span(NamedTuple):
    """A stretch of the file on one line.

    Attributes:
        line: number of the line, 1 the first.
        start: offset of the first byte.
        end: offset after the last byte.
    """

    line: int
    start: int
    end: int


@dataclass(frozen=True)
class Outline:
    """What stands where; made by `outline`.

    Attributes:
        meta: text between the quotes, still escaped, of each entry of the comment.
        meta_span: from the line after `/*@Meta` to the `*/`, not with it.
        header: value of each `#name=value` line; of the last where a name repeats.
        values: stretch of each value by section and key.
        block: the binary block from its first `$` to the end of the file; None where there is none.
    """

    meta: dict[str, bytes]
    meta_span: Span
    header: dict[str, str]
    values: dict[tuple[str, str], Span]
    block: Span | None


def place(source: str, line: int) -> str:
    """The beginning of every message about a line."""
    return f"{source}, line {line}"


def outline(data: bytes, source: str) -> Outline:
    """Find everything in a preset file.

    Args:
        data: the whole file.
        source: its name, for errors.

    Raises:
        PresetError: it is empty, not text, not a preset, not of Diva, cut off, or a line breaks
            the rules of the format; the message names file, line and rule.
    """
    text = data.rstrip(b"\0")
    if not text.strip():
        raise PresetError(f"{source} is empty: a preset begins with /*@Meta.")
    if b"\0" in text:
        raise PresetError(f"{source} is not text: a .h2p preset is, and begins with /*@Meta.")
    lines = _lines(text)
    _check_synth(text, source)
    meta, meta_span = _read_meta(lines, source)
    header, first_section = _read_header(lines, meta_span.line, source)
    values, mark, last = _read_sections((first_section, *lines), source)
    _check_complete(values, last, source)
    block_span = None
    if mark is not None:
        block_span = Span(mark.number, mark.start, len(data))
        block.decode(data[mark.start :], place(source, mark.number))
    return Outline(meta, meta_span, header, values, block_span)


def _lines(text: bytes) -> Iterator[Line]:
    start = 0
    for number, line in enumerate(text.split(b"\n"), 1):
        after = start + len(line) + 1
        yield Line(number, start, after, line.rstrip(b"\r"))
        start = after


def _check_synth(text: bytes, source: str) -> None:
    """Tell other files and other synthesizers' presets before anything else is found wrong."""
    if not text.startswith(_OPENINGS):
        raise PresetError(
            f"{place(source, 1)}: it begins with {_shown(text.split()[0])}, a u-he preset with "
            "/*@Meta. Is this a .h2p file?"
        )
    synth = re.search(rb"^#AM=([^\r\n]*)", text, re.MULTILINE)
    if synth is not None and synth[1] != SYNTH.encode():
        number = text.count(b"\n", 0, synth.start()) + 1
        raise PresetError(
            f"{place(source, number)}: this is a preset of {_decoded(synth[1])!r}, not of {SYNTH} "
            f"(#AM={SYNTH})."
        )


def _read_meta(lines: Iterator[Line], source: str) -> tuple[dict[str, bytes], Span]:
    opening = line = next(lines)
    entries: dict[str, bytes] = {}
    key: str | None = None
    for line in lines:
        if line.text == b"*/":
            return entries, Span(line.number, opening.after, line.start)
        if not line.text:
            continue
        is_value = len(line.text) > 1 and line.text[:1] == line.text[-1:] == b"'"
        if key is not None and is_value:
            entries[key] = line.text[1:-1]
            key = None
        elif key is None and line.text.endswith(b":"):
            key = _decoded(line.text[:-1])
        else:
            raise PresetError(
                f"{place(source, line.number)}: {_shown(line.text)} is no entry of the comment at "
                "the top, which holds lines `Key:`, each followed by its text in single quotes."
            )
    raise PresetError(
        f"{place(source, line.number)}: the file ends inside the comment at the top; */ is missing."
    )


def _read_header(lines: Iterator[Line], number: int, source: str) -> tuple[dict[str, str], Line]:
    """Header lines, and the line of the first section; `number` is the line before."""
    header: dict[str, str] = {}
    sources = 0
    for line in lines:
        number = line.number
        if not line.text:
            continue
        name, equals, value = _decoded(line.text).partition("=")
        if not name.startswith("#") or not equals:
            raise PresetError(
                f"{place(source, number)}: {_shown(line.text)} stands between comment and "
                "sections, where only lines `#name=value` may stand."
            )
        if name == "#cm":
            _check_header(header, sources, place(source, number))
            return header, line
        sources += name == "#ms"
        header[name] = value
    raise PresetError(f"{place(source, number)}: the file ends before the first section (#cm=).")


def _check_header(header: Mapping[str, str], sources: int, where: str) -> None:
    if "#AM" not in header:
        raise PresetError(f"{where}: the header does not say for which synthesizer it is (#AM=).")
    version = header.get("#Vers", "0")
    if not version.isdecimal():
        raise PresetError(f"{where}: the header's #Vers={version} must be a whole number.")
    announced = header.get("#nm", str(sources))
    if announced != str(sources):
        raise PresetError(
            f"{where}: the header announces {announced} modulation sources (#nm) and lists "
            f"{sources} (#ms)."
        )


def _read_sections(
    lines: Iterable[Line], source: str
) -> tuple[dict[tuple[str, str], Span], Line | None, int]:
    """Values, the line that opens the binary block, and the number of the last line read."""
    values: dict[tuple[str, str], Span] = {}
    sections: set[str] = set()
    section = ""
    number = 0
    for line in lines:
        number, where = line.number, place(source, line.number)
        if line.text.startswith(_BLOCK_MARK):
            return values, line, number
        if not line.text or line.text.startswith(b"//"):
            continue
        name, equals, value = line.text.partition(b"=")
        key = _decoded(name)
        if not equals:
            raise PresetError(
                f"{where}: {_shown(line.text)} is no line of a section, which reads key=value."
            )
        if key == "#cm":
            section = _decoded(value)
            if section in sections:
                raise PresetError(f"{where}: the section {section} begins a second time.")
            sections.add(section)
        elif (section, key) in values:
            raise PresetError(
                f"{where}: {section}.{key} stands a second time; the first is in line "
                f"{values[section, key].line}."
            )
        else:
            start = line.start + len(name) + 1
            values[section, key] = Span(number, start, start + len(value))
    return values, None, number


def _check_complete(values: Mapping[tuple[str, str], Span], last: int, source: str) -> None:
    """A file that was cut off lacks sections, or the last key of the last one."""
    sections = {section for section, _ in values}
    for row in layout():
        if row.section not in sections:
            raise PresetError(
                f"{place(source, last)}: the file ends without the section {row.section}: it is "
                "cut off, or not a whole preset."
            )
    end = layout()[-1]
    if (end.section, end.key) not in values:
        raise PresetError(
            f"{place(source, last)}: the file ends without {end.section}.{end.key}, the last "
            "value: it is cut off."
        )


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")


def _shown(text: bytes) -> str:
    """A line for a message: at most 40 characters, nothing that could upset a terminal."""
    shown = repr(text[:40].decode("utf-8", "backslashreplace"))
    return shown if len(text) <= 40 else shown + "..."


def replace_spans(data: bytes, texts: Mapping[Span, bytes]) -> bytes:
    """The file with some stretches replaced and every other byte as it was."""
    pieces: list[bytes] = []
    kept = 0
    for span in sorted(texts, key=lambda span: span.start):
        pieces += [data[kept : span.start], texts[span]]
        kept = span.end
    return b"".join([*pieces, data[kept:]])
