"""Two runs are compared sound by sound, and only if their figures mean the same."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
from click.testing import CliRunner

from deepdiva.cli.compare import command
from deepdiva.errors import InvalidValueError, MissingFileError
from deepdiva.evaluation.compare import compare, read_summary
from deepdiva.evaluation.metrics import PANEL
from deepdiva.evaluation.parameters import PARAMETER_ERROR
from deepdiva.evaluation.summary import SECONDS
from deepdiva.evaluation.tables import FORMAT
from deepdiva.note import Note
from deepdiva.space import ParameterSpace
from deepdiva.synths.diva import DIVA
from deepdiva.synths.diva.preset import Preset

SOUNDS = [f"sound {i}" for i in range(20)]
OLD = dict(zip(SOUNDS, np.random.default_rng(0).uniform(1, 5, 20).tolist(), strict=True))

KEYS = ("spectral_distance", "averaged_distance", "hayes_rms")
COMPARED = [metric for metric in PANEL if metric.key in KEYS]


def space(*free: str) -> dict:
    """A parameter space as a run describes it."""
    return ParameterSpace(DIVA, Preset.template().values(), free).to_dict()


def summary(values: dict[str, float], method: str = "cnn") -> dict:
    """A summary with one method, whose every measure has the same values."""
    return {
        "format": FORMAT,
        "run": {
            "format": 2,
            "deepdiva": "0",
            "panel": 1,
            "renderer": {"name": "embedded", "version": "1"},
            "test_set": "by hand",
            "settings": {
                "note": Note().to_dict(),
                "space": space("VCF1.Freq"),
                "realizations": 1,
                "seed": 0,
            },
            "sounds": [
                {
                    "name": name,
                    "fingerprint": "0",
                    "source": name,
                    "report": [],
                    "values": {},
                    "floor": None,
                }
                for name in values
            ],
            "left_out": {},
            "methods": {method: {}},
        },
        "measures": [vars(metric.measure) for metric in COMPARED],
        "methods": [{"name": method}],
        "pairs": [],
        "floors": {},
        "status": {method: dict.fromkeys(values, "ok")},
        "values": {metric.key: {method: values} for metric in COMPARED},
    }


def shifted(amount: float) -> dict:
    return summary({name: value + amount for name, value in OLD.items()})


def by_key(comparison) -> dict:
    return {change.measure.key: change for change in comparison.changes}


def test_a_small_gain_on_every_sound_is_better():
    change = by_key(compare(summary(OLD), shifted(-0.05)))["spectral_distance"]
    assert change.pairing.verdict == "better"
    assert change.pairing.change.value == pytest.approx(-0.05)
    assert change.old == pytest.approx(np.mean(list(OLD.values())))


def test_higher_is_better_where_the_measure_says_so():
    change = by_key(compare(summary(OLD), shifted(-0.05)))["hayes_rms"]
    assert change.pairing.verdict == "worse"


def test_a_run_against_itself_changes_nothing():
    for change in compare(summary(OLD), summary(OLD)).changes:
        assert change.pairing.verdict == "unclear"
        assert change.pairing.change.value == 0


def test_noise_is_not_a_change():
    noise = np.random.default_rng(1).normal(0, 0.3, 20)
    noise -= noise.mean()
    new = summary({name: OLD[name] + e for name, e in zip(SOUNDS, noise, strict=True)})
    assert {change.pairing.verdict for change in compare(summary(OLD), new).changes} == {"unclear"}


def test_the_sound_that_changed_most_is_named():
    new = summary({**OLD, "sound 7": OLD["sound 7"] + 3})
    change = by_key(compare(summary(OLD), new))["spectral_distance"]
    assert change.largest == ("sound 7", pytest.approx(3))


def test_only_shared_sounds_and_methods_count():
    new = summary({name: OLD[name] for name in SOUNDS[:12]} | {"extra": 1.0})
    new["methods"].append({"name": "late"})
    new["status"]["late"] = {}
    comparison = compare(summary(OLD), new)
    assert comparison.sounds == 12
    assert comparison.only_new == ["late"]
    assert comparison.only_old == []


def test_other_samples_under_the_same_name_are_counted():
    new = shifted(0.0)
    new["run"]["sounds"][3]["fingerprint"] = "1"
    assert compare(summary(OLD), new).other_targets == 1


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("panel",), 2, "version of the metrics"),
        (("settings", "note", "pitch"), 60, "note"),
        (("renderer", "name"), "dawdreamer", "renderer"),
    ],
)
def test_runs_with_other_meanings_are_refused(path, value, message):
    new = copy.deepcopy(summary(OLD))
    place = new["run"]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(InvalidValueError, match=f"differ in their {message}"):
        compare(summary(OLD), new)


def test_runs_without_anything_in_common_are_refused():
    with pytest.raises(InvalidValueError, match="share no method"):
        compare(summary(OLD), summary(OLD, "lstm"))
    with pytest.raises(InvalidValueError, match="share no sound"):
        compare(summary(OLD), summary({"another": 1.0}))


def test_files_that_are_no_summaries_are_refused(tmp_path):
    with pytest.raises(MissingFileError, match=r"summary\.json"):
        read_summary(tmp_path)
    (tmp_path / "summary.json").write_text("[]")
    with pytest.raises(InvalidValueError, match="evaluate again"):
        read_summary(tmp_path)
    (tmp_path / "summary.json").write_text("hello")
    with pytest.raises(InvalidValueError, match="no JSON"):
        read_summary(tmp_path)


@pytest.fixture
def files(tmp_path):
    """Paths of an old run and of a worse one."""
    for name, content in (("old", summary(OLD)), ("new", shifted(0.2))):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    return str(tmp_path / "old.json"), str(tmp_path / "new.json")


def test_command_shows_what_changed(files):
    result = CliRunner().invoke(command, [*files], env={"COLUMNS": "160"})
    assert result.exit_code == 0
    assert "20 sounds in both runs" in result.output
    assert "Spectral distance" in result.output
    assert "worse" in result.output


def test_command_can_fail_for_continuous_integration(files):
    assert CliRunner().invoke(command, [*files, "--fail-on-worse"]).exit_code == 1
    assert CliRunner().invoke(command, [*files[::-1], "--fail-on-worse"]).exit_code == 1  # RMS
    better = [*files[::-1], "--fail-on-worse", "--measure", "spectral_distance"]
    assert CliRunner().invoke(command, better).exit_code == 0


def test_command_does_not_fail_on_a_busy_machine(tmp_path):
    paths = []
    for name, amount in (("old", 0.0), ("new", 0.2)):
        run = summary(OLD)
        run["measures"].append(vars(SECONDS))
        run["values"][SECONDS.key] = {"cnn": {s: value + amount for s, value in OLD.items()}}
        paths.append(str(tmp_path / name))
        (tmp_path / name).write_text(json.dumps(run))
    assert CliRunner().invoke(command, [*paths, "--fail-on-worse"]).exit_code == 0
    asked = [*paths, "--fail-on-worse", "--measure", "seconds"]
    assert CliRunner().invoke(command, asked).exit_code == 1


def test_errors_of_other_parameters_are_not_compared(tmp_path):
    runs = [summary(OLD), summary(OLD)]
    for run, free in zip(runs, ("VCF1.Freq", "VCF1.Res"), strict=True):
        run["measures"].append(vars(PARAMETER_ERROR))
        run["values"][PARAMETER_ERROR.key] = {"cnn": OLD}
        run["run"]["settings"]["space"] = space(free)
        (tmp_path / free).write_text(json.dumps(run))
    assert PARAMETER_ERROR.key in by_key(compare(runs[0], runs[0]))
    assert PARAMETER_ERROR.key not in by_key(compare(*runs))
    result = CliRunner().invoke(command, [str(tmp_path / "VCF1.Freq"), str(tmp_path / "VCF1.Res")])
    assert "Other parameters were free" in result.output
    asked = [str(tmp_path / "VCF1.Freq"), str(tmp_path / "VCF1.Res"), "--measure"]
    refused = CliRunner().invoke(command, [*asked, PARAMETER_ERROR.key])
    assert "is not compared: other parameters were free" in str(refused.exception)


@pytest.mark.parametrize(("sounds", "code"), [(5, 0), (6, 1)])
def test_command_does_not_fail_on_too_few_sounds(tmp_path, sounds, code):
    few = dict(list(OLD.items())[:sounds])
    paths = []
    for name, amount in (("old", 0.0), ("new", 0.2)):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(summary({s: value + amount for s, value in few.items()})))
        paths.append(str(path))
    result = CliRunner().invoke(command, [*paths, "--fail-on-worse"], env={"COLUMNS": "160"})
    assert result.exit_code == code
    assert ("too few to tell a change from noise" in result.output) == (code == 0)


def test_command_prints_json(files):
    output = json.loads(CliRunner().invoke(command, [*files, "--json"]).output)
    change = next(c for c in output["changes"] if c["measure"] == "spectral_distance")
    assert change["verdict"] == "worse"
    assert change["change"]["value"] == pytest.approx(0.2)
    assert change["largest_change"]["change"] == pytest.approx(0.2)


def test_command_refuses_unknown_measures(files):
    result = CliRunner().invoke(command, [*files, "--measure", "beauty"])
    assert "beauty" in str(result.exception)
