"""What is written of the presets that were found: previews and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deepdiva.audio import write_wav
from deepdiva.errors import InvalidValueError
from deepdiva.files import check_target
from deepdiva.library.nearest import Nearest
from deepdiva.library.picture import nearest_picture
from deepdiva.library.sound import SoundToFind


def write_results(
    folder: Path, sound: SoundToFind, found: Sequence[Nearest], *, force: bool = False
) -> list[Path]:
    """Write `NN NAME.wav`, what each preset sounds like, and `SOUND.png`, spectrograms of all.

    Args:
        folder: that exists.
        sound: that was looked for.
        found: the presets, the nearest first.
        force: overwrite files that exist.

    Returns:
        Paths of the previews, in the order of `found`.

    Raises:
        FileExistsAlreadyError: a file exists, without `force`; nothing is written then.
        InvalidValueError: a preview would overwrite the recording.
    """
    previews = [
        folder / f"{place:02d} {one.path.stem}.wav" for place, one in enumerate(found, start=1)
    ]
    picture = folder / f"{sound.path.stem}.png"
    for path in (*previews, picture):
        if path.exists() and path.samefile(sound.path):
            raise InvalidValueError(
                f"The result {path} would overwrite the recording: choose another folder with "
                "--output."
            )
        check_target(path, force)
    rate = sound.note.sample_rate
    for path, one in zip(previews, found, strict=True):
        write_wav(path, one.sound, rate, force=force)
    nearest_picture(picture, sound.audio, found, rate, title=sound.path.stem, force=force)
    return previews
