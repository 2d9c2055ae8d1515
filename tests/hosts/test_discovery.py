"""Where plug-ins are looked for, and what is taken for one."""

from pathlib import Path, PurePath

import pytest

from deepdiva.errors import InvalidValueError, MissingFileError
from deepdiva.hosts.discovery import PluginFile, find_diva, find_plugins, plugin_folders
from deepdiva.hosts.plugin_renderer import PluginRenderer
from deepdiva.renderers import make_renderer

HOME = Path("/home/anna")


def as_text(folders):
    return [(kind, PurePath(folder).as_posix()) for kind, folder in folders]


def test_linux():
    assert as_text(plugin_folders("linux", HOME, {})) == [
        ("vst3", "/home/anna/.vst3"),
        ("vst2", "/home/anna/.vst"),
        ("vst3", "/usr/local/lib/vst3"),
        ("vst2", "/usr/local/lib/vst"),
        ("vst3", "/usr/lib/vst3"),
        ("vst2", "/usr/lib/vst"),
        ("vst2", "/home/anna/.u-he"),
    ]


def test_mac():
    assert as_text(plugin_folders("darwin", HOME, {})) == [
        ("vst3", "/home/anna/Library/Audio/Plug-Ins/VST3"),
        ("vst2", "/home/anna/Library/Audio/Plug-Ins/VST"),
        ("vst3", "/Library/Audio/Plug-Ins/VST3"),
        ("vst2", "/Library/Audio/Plug-Ins/VST"),
    ]


def test_windows():
    environment = {"PROGRAMFILES": "D:/Programs", "LOCALAPPDATA": "C:/anna"}
    assert as_text(plugin_folders("win32", HOME, environment)) == [
        ("vst3", "C:/anna/Programs/Common/VST3"),
        ("vst3", "D:/Programs/Common Files/VST3"),
        ("vst2", "D:/Programs/VSTPlugins"),
        ("vst2", "D:/Programs/Steinberg/VstPlugins"),
        ("vst2", "D:/Programs/Common Files/VST2"),
    ]


def test_environment_comes_first():
    environment = {"VST_PATH": "/a:/b", "VST3_PATH": "/c"}
    folders = as_text(plugin_folders("linux", HOME, environment))
    assert folders[:4] == [
        ("vst2", "/a"),
        ("vst2", "/b"),
        ("vst3", "/c"),
        ("vst3", "/home/anna/.vst3"),
    ]


@pytest.fixture
def folders(tmp_path):
    """Two folders as they look on Linux."""
    two, three = tmp_path / "vst", tmp_path / "vst3"
    for name in ("u-he/Diva.64.so", "amsynth_vst.so", "notes.txt", "deep/1/2/3/4/far.so"):
        file = two / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (three / "u-he" / "Diva.vst3" / "Contents" / "x86_64-linux").mkdir(parents=True)
    (three / "u-he" / "Diva.vst3" / "Contents" / "x86_64-linux" / "Diva.so").touch()
    (three / "DivaFilter.vst3").mkdir()
    return [("vst2", two), ("vst3", three), ("vst2", tmp_path / "missing")]


def test_plugins_in_folders(folders):
    found = [(plugin.path.name, plugin.format) for plugin in find_plugins(folders, "linux")]
    assert found == [
        ("amsynth_vst.so", "vst2"),
        ("Diva.64.so", "vst2"),
        ("Diva.vst3", "vst3"),
        ("DivaFilter.vst3", "vst3"),
    ]


def test_diva_among_them(folders):
    plugins = find_plugins(folders, "linux")
    assert find_diva(plugins).path.name == "Diva.vst3"
    assert find_diva(plugins, ("vst2",)).path.name == "Diva.64.so"
    assert find_diva([]) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Diva.vst3", True),
        ("Diva(x64).dll", True),
        ("diva.64.so", True),
        ("DivaFilter.vst3", False),
        ("Zebra2.so", False),
    ],
)
def test_names_of_diva(name, expected):
    assert PluginFile(Path("/plug-ins") / name, "vst3").looks_like_diva == expected


def test_renderer_by_name(nekobi, monkeypatch, tmp_path):
    renderer = make_renderer(None, nekobi, workers=2, mode="fresh")
    assert isinstance(renderer, PluginRenderer)
    assert (renderer.settings.host, renderer.settings.workers) == ("dawdreamer", 2)
    assert make_renderer("renderman", nekobi).settings.host == "renderman"
    assert make_renderer().info.name == "embedded"
    monkeypatch.setenv("VST3_PATH", str(tmp_path))
    (tmp_path / "Diva.vst3").mkdir()
    assert make_renderer("dawdreamer").settings.plugin == tmp_path / "Diva.vst3"


def test_renderers_that_cannot_be_made(nekobi, monkeypatch, tmp_path):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    with pytest.raises(InvalidValueError, match="renderer 'carla': it must be one of embedded"):
        make_renderer("carla")
    with pytest.raises(InvalidValueError, match="leave one out"):
        make_renderer("embedded", nekobi)
    with pytest.raises(MissingFileError, match=r"Nowhere\.vst3 does not exist"):
        make_renderer(None, tmp_path / "Nowhere.vst3")
    with pytest.raises(MissingFileError, match=r"Bass\.fxp does not exist"):
        make_renderer(None, nekobi, state=tmp_path / "Bass.fxp")
    with pytest.raises(MissingFileError, match="Diva is in none of the usual folders"):
        make_renderer("renderman")
