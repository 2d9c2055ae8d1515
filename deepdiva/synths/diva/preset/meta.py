"""The comment at the top of a preset: author, description, categories and the like.

Each entry is a line `Key:` and a line with its text in single quotes, in which quotes, backslashes
and line breaks carry a backslash.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from deepdiva.errors import PresetError

ORDER = ("Bank", "Author", "Description", "Usage", "Categories", "Features", "Character")
"""Entries that Diva writes, in its order; each may be absent."""

_TO_ESCAPE = {"\\": "\\\\", "'": "\\'", '"': '\\"', "\r": "\\r", "\n": "\\n"}
_FROM_ESCAPE = {escaped: plain for plain, escaped in _TO_ESCAPE.items()}


def escape(text: str) -> bytes:
    """The text as it stands between the quotes.

    Raises:
        PresetError: a control character, for which the format has no escape.
    """
    control = re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", text)
    if control:
        raise PresetError(
            f"{text!r} holds the control character {control[0]!r}: a preset's comment cannot hold "
            "it; take it out."
        )
    escaped = re.sub(r"[\\'\"\r\n]", lambda match: _TO_ESCAPE[match[0]], text)
    return escaped.encode("utf-8", "surrogateescape")


def unescape(raw: bytes) -> str:
    """The text for people. Escapes that Diva does not write stay as they are."""
    text = raw.decode("utf-8", "surrogateescape")
    return re.sub(r"\\.", lambda match: _FROM_ESCAPE.get(match[0], match[0]), text)


def merged(entries: Mapping[str, bytes], changes: Mapping[str, str]) -> dict[str, bytes]:
    """Entries with some of their texts replaced.

    Entries keep their order; a new one goes before the first that Diva writes after it.

    Args:
        entries: escaped texts by key.
        changes: new texts by key, not escaped; an empty one takes the entry out.

    Returns:
        Escaped texts by key, in order.
    """
    result = [(key, text) for key, text in entries.items() if changes.get(key) != ""]
    for key, text in changes.items():
        if not text:
            continue
        if key in entries:
            result = [(k, escape(text) if k == key else t) for k, t in result]
            continue
        later = ORDER[ORDER.index(key) + 1 :]
        place = next((i for i, (k, _) in enumerate(result) if k in later), len(result))
        result.insert(place, (key, escape(text)))
    return dict(result)


def written(entries: Mapping[str, bytes]) -> bytes:
    """The lines of entries, from the blank line after `/*@Meta` to that before `*/`."""
    return b"\n" + b"".join(
        b"%s:\n'%s'\n\n" % (key.encode("utf-8", "surrogateescape"), text)
        for key, text in entries.items()
    )
