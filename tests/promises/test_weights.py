"""Weights are checked before anything is allocated."""

import json
import struct

import pytest

from deepdiva.errors import InvalidValueError
from deepdiva.models.registry import load_predictor


def parts(data):
    """Header and tensors of a safetensors file, and the description in its header."""
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    return header, data[8 + length :], json.loads(header["__metadata__"]["deepdiva"])


def together(header, body):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def damages(data):
    yield b""
    yield data[:100]
    yield data[: len(data) // 2]
    yield struct.pack("<Q", 2**62) + data[8:]
    header, body, about = parts(data)
    tensor = next(name for name in header if name != "__metadata__")
    for shape, end in (([2**40, 2**20], None), ([-1], None), (None, 2**60)):
        entry = dict(header[tensor])
        entry["shape"] = shape or entry["shape"]
        entry["data_offsets"] = [0, end] if end else entry["data_offsets"]
        yield together({**header, tensor: entry}, body)
    yield together(header, b"\xff" * len(body))  # not a number
    huge = 10**9
    for key, value in about.items():
        if key in ("training", "metrics", "version", "git_commit"):
            continue
        wrong = [None, [], "x", -1]
        if isinstance(value, dict):
            wrong += [{**value, name: other} for name in value for other in (huge, None, -1.5)]
        wrong = [other for other in wrong if key != "space" or not isinstance(other, dict)]
        for other in (entry for entry in wrong if entry != value):
            changed = json.dumps({**about, key: other})
            yield together({**header, "__metadata__": {"deepdiva": changed}}, body)
        left = json.dumps({name: entry for name, entry in about.items() if name != key})
        yield together({**header, "__metadata__": {"deepdiva": left}}, body)


def test_damaged_weights_are_refused(chain, tmp_path):
    good = chain / "training" / "final_model.safetensors"
    load_predictor(good)
    path = tmp_path / "weights.safetensors"
    for data in damages(good.read_bytes()):
        path.write_bytes(data)
        with pytest.raises(InvalidValueError) as refused:
            load_predictor(path)
        assert str(path) in str(refused.value)
        assert len(str(refused.value)) < 900


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("encoder", "hidden"),
        ("encoder", "harmonics"),
        ("flow", "hidden"),
        ("flow", "transforms"),
        ("views", "line_samples"),
        ("views", "mel_bands"),
    ],
)
def test_sizes_that_no_network_has_are_refused_before_it_is_made(chain, tmp_path, place, name):
    header, body, about = parts((chain / "training" / "final_model.safetensors").read_bytes())
    about |= {"model": "posterior", "features": {"kind": "views"}}
    about["network"] = {"encoder": {}, "flow": {}}
    (about["features"] if place == "views" else about["network"][place])[name] = 10**9
    path = tmp_path / "weights.safetensors"
    changed = {**header, "__metadata__": {"deepdiva": json.dumps(about)}}
    path.write_bytes(together(changed, body))
    with pytest.raises(InvalidValueError, match=name):
        load_predictor(path)
