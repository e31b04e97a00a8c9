"""A profile's file: what is written is read, and what was cut off, changed or made up is refused by file and key."""

import hashlib
import json
from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsocr_cost.errors import ProfileError
from dsocr_cost.profile_json import Calibration, read_profile

DEVICE = {"type": "cuda", "name": "Bench", "capability": "9.0", "driver": "1", "torch": "2", "cuda": "12"}


@pytest.fixture
def calibration(profile):
    return Calibration(profile, DEVICE, {"python": "3.13", "host": "Größe"}, {"seconds": 1.5, "ramp": {"sizes": [1]}})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "bench.json"


def sealed(content):
    """Put on a seal that fits, as the file's own writer does."""
    bare = {key: value for key, value in content.items() if key != "sha256"}
    return json.dumps(bare | {"sha256": hashlib.sha256(json.dumps(bare, sort_keys=True).encode()).hexdigest()})


def refusal(path, text):
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ProfileError) as caught:
        read_profile(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{path}: ")


def put(content, keys, value):
    """Set a value deep in a document, or take it out with ``...``."""
    changed = deepcopy(content)
    *above, last = keys
    inside = changed
    for key in above:
        inside = inside[key]
    if value is ...:
        del inside[last]
    else:
        inside[last] = value
    return changed


def test_what_is_written_is_read(calibration, path):
    path.write_text(calibration.to_json(), encoding="utf-8")
    read = read_profile(path)
    assert read.profile.machine == calibration.profile.machine
    assert read.profile.models == calibration.profile.models
    assert read.profile.host == calibration.profile.host
    assert read.profile.sites == calibration.profile.sites
    assert read.profile.source == f"calibrated, {path}"
    assert (read.device, read.environment, read.measured) == (DEVICE, calibration.environment, calibration.measured)


def test_what_is_read_is_written_the_same(calibration, path):
    path.write_text(calibration.to_json(), encoding="utf-8")
    assert read_profile(path).to_json() == calibration.to_json()


@given(data=st.data())
def test_a_file_that_was_cut_off_is_refused(profile_text, cut_path, data):
    cut = data.draw(st.integers(0, len(profile_text.rstrip()) - 1))
    assert refusal(cut_path, profile_text[:cut])


@given(data=st.data())
def test_a_digit_that_was_changed_breaks_the_seal(profile_text, cut_path, data):
    places = [at for at, letter in enumerate(profile_text) if letter.isdigit()]
    place = data.draw(st.sampled_from(places))
    digit = data.draw(st.sampled_from([one for one in "123456789" if one != profile_text[place]]))
    assert refusal(cut_path, profile_text[:place] + digit + profile_text[place + 1 :])


@pytest.fixture(scope="module")
def profile_text():
    """A file as text, the same for all examples."""
    from dsocr_cost.efficiency import CLASSES, Machine, Smooth
    from dsocr_cost.profile import Host, Profile

    models = {kind: Smooth(1e-6, 0.7, 0.8, 2.0, 0.1) for kind in CLASSES}
    machine = Machine("Bench", {2: 1e14, 4: 5e13}, 1e12, 40_000_000, 4e12, 80)
    return Calibration(Profile(machine, models, Host(5e-6, 3e-6, True, 0.2), ""), DEVICE).to_json()


@pytest.fixture(scope="module")
def cut_path(tmp_path_factory):
    return tmp_path_factory.mktemp("profiles") / "bench.json"


@pytest.mark.parametrize(
    ("keys", "value", "said"),
    [
        pytest.param(("schema",), 2, "schema: got 2, allowed is 1", id="another schema"),
        pytest.param(("schema",), ..., "schema: missing", id="no schema"),
        pytest.param(("host",), ..., "host: missing", id="a missing key"),
        pytest.param(("extra",), 1, "extra: unknown, allowed are ", id="an unknown key"),
        pytest.param(("machine",), [], "machine: got [], allowed is an object with keys", id="a list for the machine"),
        pytest.param(("machine", "name"), ..., "machine: name: missing", id="no name"),
        pytest.param(
            ("machine", "name"), 7, "machine: name: got 7, allowed is a line of text", id="a number for a name"
        ),
        pytest.param(("machine", "speed"), 7, "machine: speed: unknown, allowed are name", id="an unknown figure"),
        pytest.param(("machine", "sms"), 0, "machine: sms: got 0, allowed is a whole number from 1 to", id="no SM"),
        pytest.param(("machine", "sms"), 1.5, "machine: sms: got 1.5, allowed is a whole", id="one and a half SMs"),
        pytest.param(("machine", "cache_bytes"), True, "machine: cache_bytes: got True", id="a cache of true"),
        pytest.param(("machine", "flops_per_s", "2"), ..., "machine: flops_per_s: 2: missing", id="no peak of 2 bytes"),
        pytest.param(("machine", "flops_per_s", "2"), 0, "machine: flops_per_s: 2: got 0, allowed", id="a peak of 0"),
        pytest.param(("machine", "flops_per_s", "3"), 1, "machine: flops_per_s: 3: unknown", id="a peak of 3 bytes"),
        pytest.param(("machine", "bandwidth_bytes_per_s"), "1", "machine: bandwidth_bytes_per_s: got '1'", id="a text"),
        pytest.param(
            ("machine", "bandwidth_bytes_per_s"),
            1e-300,
            "machine: bandwidth_bytes_per_s: got 1e-300",
            id="no bandwidth",
        ),
        pytest.param(
            ("machine", "cache_bytes"), 10**400, "machine: cache_bytes: got 1000", id="a cache beyond any float"
        ),
        pytest.param(("machine", "name"), "a\nb", "machine: name: got 'a\\nb', allowed is a line", id="two lines"),
        pytest.param(("machine", "bandwidth_bytes_per_s"), 10**400, "machine: bandwidth_bytes", id="beyond any float"),
        pytest.param(
            ("host", "dispatch_s"), -1, "host: dispatch_s: got -1, allowed is a number from 0 to 100,000", id="-1"
        ),
        pytest.param(("host", "overlaps"), 1, "host: overlaps: got 1, allowed is true or false", id="1 for true"),
        pytest.param(("host", "error"), None, "host: error: got None", id="null for an error"),
        pytest.param(("models",), 5, "models: got 5, allowed is an object", id="a number for the models"),
        pytest.param(("models", "sparse"), {}, "models: sparse: unknown, allowed are gemm", id="an unknown class"),
        pytest.param(("models", "gemm"), [], "models: gemm: got [], allowed is an object", id="a list for a model"),
        pytest.param(("models", "gemm", "form"), "cubic", "models: gemm: form: got 'cubic'", id="an unknown form"),
        pytest.param(("models", "gemm", "form"), [], "models: gemm: form: got []", id="a list for a form"),
        pytest.param(("models", "gemm", "compute"), ..., "models: gemm: compute: missing", id="a parameter missing"),
        pytest.param(("models", "gemm", "compute"), 0, "models: gemm: compute: got 0, allowed is", id="no compute"),
        pytest.param(
            ("models", "gemm", "sharpness"), 1e-3, "models: gemm: sharpness: got 0.001, allowed is a number", id="blunt"
        ),
        pytest.param(
            ("models", "elementwise", "form"),
            "tiled_gemm",
            "models: elementwise: form: got 'tiled_gemm', allowed is one of smooth",
            id="tiles where there is no matmul",
        ),
        pytest.param(("models", "gemm", "depth"), 1, "models: gemm: depth: unknown", id="an unknown parameter"),
        pytest.param(("sites",), None, "sites: got None, allowed is an object", id="null for the sites"),
        pytest.param(("sites", "x"), {"error": 0, "samples": []}, "sites: x: samples: got []", id="no sample"),
        pytest.param(("sites", "x"), {"error": 0}, "sites: x: samples: missing", id="no samples"),
        pytest.param(
            ("sites", "x"), {"error": 0, "samples": [[1, 2]]}, "sites: x: samples: 0: got [1, 2]", id="too short"
        ),
        pytest.param(
            ("sites", "x"),
            {"error": 0, "samples": [[1, 2, 3, 1.0, 0.0]]},
            "sites: x: samples: 0: ratio: got 0.0, allowed is a number from 1e-09 to 1,000,000,000",
            id="a ratio of 0",
        ),
        pytest.param(
            ("sites", "x"),
            {"error": 0, "samples": [[1e30, 2, 3, 1.0, 1.0]]},
            "sites: x: samples: 0: tensor_flops: got 1e+30, allowed is a whole number from 0 to 1e+18",
            id="a size of 1e30",
        ),
        pytest.param(
            ("sites", "x"),
            {"error": 0, "samples": [[1, 2, 3, 1.0, 1.0]] * 1001},
            "sites: x: samples: got [[1, 2, 3, 1.0, 1.0], ",
            id="too many samples",
        ),
        pytest.param(("sites", "x"), {"samples": [[1, 2, 3, 1.0, 1.0]]}, "sites: x: error: missing", id="no error"),
        pytest.param(
            ("device", "name"), 5, "device: name: got 5, allowed is a line of text", id="a number for a device"
        ),
        pytest.param(("environment",), "linux", "environment: got 'linux'", id="a text for the environment"),
        pytest.param(("measured",), [1], "measured: got [1]", id="a list for what was measured"),
    ],
)
def test_what_no_calibration_writes_is_refused_even_under_a_seal(calibration, path, keys, value, said):
    assert refusal(path, sealed(put(json.loads(calibration.to_json()), keys, value))).startswith(said)


def test_a_figure_that_was_changed_by_hand_is_refused(calibration, path):
    text = calibration.to_json().replace('"dispatch_s": 5e-06', '"dispatch_s": 6e-06')
    assert refusal(path, text) == "sha256: does not fit what the file says: it was changed; calibrate anew"


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_no_json(calibration, path, word):
    text = calibration.to_json().replace('"dispatch_s": 5e-06', f'"dispatch_s": {word}')
    assert refusal(path, text) == f"is no JSON, or was cut off: {word} is no number"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "is no JSON, or was cut off: ", id="empty"),
        pytest.param("hello", "is no JSON, or was cut off: ", id="a text"),
        pytest.param("[1]", "got [1], allowed is an object with keys", id="a list"),
        pytest.param("[" * 100_000, "is no JSON, or was cut off: ", id="deep"),
        pytest.param("{}", "schema: missing", id="an empty object"),
        pytest.param('{"schema": 1' + "0" * 5000 + "}", "is no JSON, or was cut off: ", id="a number of 5,000 digits"),
    ],
)
def test_what_is_no_profile_is_refused(path, text, said):
    assert refusal(path, text).startswith(said)


def test_a_file_that_is_not_there_is_refused(path):
    with pytest.raises(ProfileError, match=rf"^{path}: cannot be read: No such file or directory$"):
        read_profile(path)


def test_a_profile_may_lack_the_classes_that_its_attention_never_runs(calibration, path):
    content = json.loads(calibration.to_json())
    del content["models"]["attention"]
    path.write_text(sealed(content), encoding="utf-8")
    assert "attention" not in read_profile(path).profile.models
