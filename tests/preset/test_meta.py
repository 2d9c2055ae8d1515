"""The comment at the top: read for people, written with its escapes, nothing else touched."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepdiva.errors import PresetError
from deepdiva.synths.diva.preset import Preset, block

TEMPLATE = Preset.template()


def test_texts_of_saved_presets(diva_presets, ms_rev1_path):
    assert Preset.read(ms_rev1_path).meta == {
        "Author": "DeepDiva",
        "Categories": "Other:Initialize, Other:Templates",
    }
    metas = [Preset.read(path).meta for path in diva_presets]
    assert sum("Description" in meta for meta in metas) == 61
    assert not any("\\" in text for meta in metas for text in meta.values())


def test_rewriting_a_text_with_itself_gives_the_same_bytes(diva_presets):
    for path in diva_presets:
        preset = Preset.read(path)
        again = preset.with_meta(author=preset.meta["Author"])
        assert again.data == path.read_bytes(), path.name


def test_quotes_and_line_breaks_are_escaped():
    text = 'It\'s "so" \\ good:\r\nplay it */ loud'
    preset = TEMPLATE.with_meta(description=text)
    assert rb"'It\'s \"so\" \\ good:\r\nplay it */ loud'" in preset.data
    assert preset.meta["Description"] == text
    np.testing.assert_array_equal(preset.values(), TEMPLATE.values())


def test_unknown_escapes_stay_as_they_are():
    data = TEMPLATE.data.replace(b"'DeepDiva'", rb"'a\tb\\tc'")
    assert Preset.from_bytes(data).meta["Author"] == r"a\tb\tc"


@given(
    st.text(
        st.characters(codec="utf-8", exclude_categories=["Cc"]) | st.sampled_from("\r\n\t'\"\\"),
        min_size=1,
    )
)
def test_any_text_comes_back(text):
    preset = Preset.from_bytes(TEMPLATE.with_meta(description=text, author=text).to_bytes())
    assert preset.meta["Description"] == preset.meta["Author"] == text


def test_entries_take_divas_order():
    preset = TEMPLATE.with_meta(
        character="Bright", usage="press", bank="mine", categories=["Bass", "Pads:Analog"]
    )
    assert list(preset.meta) == ["Bank", "Author", "Usage", "Categories", "Character"]
    assert preset.meta["Categories"] == "Bass, Pads:Analog"


def test_empty_text_takes_an_entry_out():
    preset = TEMPLATE.with_meta(author="", features="")
    assert preset.meta == {}
    assert preset.data.startswith(b"/*@Meta\n\n*/\n\n#AM=Diva\n")
    assert preset.with_meta(author="DeepDiva").data == TEMPLATE.data


def test_unknown_entries_stay_where_they_are():
    data = TEMPLATE.data.replace(b"Author:", b"Mood:\n'sad'\n\nAuthor:")
    preset = Preset.from_bytes(data).with_meta(description="new")
    assert preset.meta == {"Mood": "sad", "Author": "DeepDiva", "Description": "new"}


def test_other_bytes_than_utf8_survive():
    data = TEMPLATE.data.replace(b"'DeepDiva'", b"'caf\xe9'")
    preset = Preset.from_bytes(data)
    assert preset.with_meta(description="ok").data.count(b"'caf\xe9'") == 1
    assert preset.with_meta(author=preset.meta["Author"]).data == data


def test_control_characters_are_refused():
    with pytest.raises(PresetError, match=r"'\\x00': a preset's comment cannot hold it"):
        TEMPLATE.with_meta(description="a\0b")


def test_name_goes_into_the_block_and_nowhere_else(diva_presets):
    for path in diva_presets:
        before = Preset.read(path)
        after = before.with_meta(name="Öd")
        start = before.data.find(b"\n$$$$")
        if start < 0:
            assert after == before
            continue
        assert after.data[: start + 1] == before.data[: start + 1]
        number = int(before.get("PCore", "PFile"))
        old, new = (
            block.split(block.decode(preset.data[start + 1 :], "here"), "here")
            for preset in (before, after)
        )
        assert new[number].data.rstrip(b"\0") == "Öd.h2p".encode()
        assert [len(chunk.data) for chunk in new] == [len(chunk.data) for chunk in old]
        assert new[:number] + new[number + 1 :] == old[:number] + old[number + 1 :]


@pytest.mark.parametrize("number", [b"-1", b"8", b"one", b"9" * 5000])
def test_block_without_a_chunk_for_the_name(number):
    preset = Preset.from_bytes(TEMPLATE.data.replace(b"PFile=1", b"PFile=" + number))
    with pytest.raises(PresetError, match=r"no chunk for the preset's name \(PCore.PFile is"):
        preset.with_meta(name="new")
