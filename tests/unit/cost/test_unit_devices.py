"""Devices: the packaged figures against vendors' clocks, names as drivers give them, files of one's own."""

import dataclasses
import json
import re
import tomllib
from importlib.resources import files

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dsocr_cost.device import find_device, known_devices, load_devices
from dsocr_cost.errors import DeviceError

MIB = 2**20
NAMES = [(device.name, name) for device in known_devices() for name in (device.name, *device.names)]
ROW = {
    "name": "Card 7",
    "names": ["Maker Card 7", "Maker Card 7 Plus"],
    "architecture": "Anvil",
    "compute_capability": [7, 5],
    "sms": 10,
    "l2_bytes": 2_000,
    "chip_source": "measured",
    "bf16_flops_per_s": 8e12,
    "fp16_flops_per_s": 8e12,
    "fp16_fp16_accumulate_flops_per_s": 16e12,
    "tf32_flops_per_s": 4e12,
    "fp32_flops_per_s": 1e12,
    "peaks_source": "measured",
    "bandwidth_bytes_per_s": 100e9,
    "bandwidth_source": "measured",
    "memory_bytes": 1_000_000,
    "reserved_bytes": 200_000,
    "memory_source": "measured",
    "cuda_context_bytes": 50_000,
    "context_source": "measured",
}
FIGURES = [key for key in ROW if key.endswith(("_bytes", "_per_s", "sms", "capability"))]


def toml(value):
    """Write a value; JSON's strings and numbers are TOML's."""
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(one)}" for key, one in value.items()) + "}"
    return str(value) if isinstance(value, float) else json.dumps(value)


def table(**changes):
    """Write ROW as a table with changed values, without those that are None."""
    row = {key: value for key, value in {**ROW, **changes}.items() if value is not None}
    return "\n".join(["[[device]]", *(f"{json.dumps(key)} = {toml(value)}" for key, value in row.items()), ""])


@pytest.fixture
def write(tmp_path):
    """Write a file of devices and return its path."""

    def write(*tables):
        path = tmp_path / "mine.toml"
        path.write_text("\n".join(tables), encoding="utf-8")
        return path

    return write


def test_the_package_knows_these_devices():
    assert [device.name for device in known_devices()] == [
        "RTX 5090",
        "RTX 4090",
        "RTX 3090",
        "RTX PRO 6000",
        "RTX PRO 6000 Server",
        "H100 SXM",
        "H100 PCIe",
        "H200",
        "A100 40GB",
        "A100 80GB",
        "A100 80GB PCIe",
        "L4",
        "L40S",
        "B200",
        "CPU",
    ]


def test_the_packaged_file_is_read_once():
    assert known_devices() is known_devices()


# FLOPs a clock and SM on tensor cores in bf16, the clock that they run at, and the clock of the CUDA cores, in MHz
CLOCKS = {
    "RTX 5090": (512, 2407, 2407),
    "RTX 4090": (512, 2520, 2520),
    "RTX 3090": (512, 1695, 1695),
    "RTX PRO 6000": (1024, 2617, 2617),
    "RTX PRO 6000 Server": (1024, 2430, 2430),
    "H100 SXM": (4096, 1830, 1980),
    "H100 PCIe": (4096, 1620, 1755),
    "H200": (4096, 1830, 1980),
    "A100 40GB": (2048, 1410, 1410),
    "A100 80GB": (2048, 1410, 1410),
    "A100 80GB PCIe": (2048, 1410, 1410),
    "L4": (1024, 2040, 2040),
    "L40S": (1024, 2520, 2520),
    "B200": (8192, 1965, 1965),
}


@pytest.mark.parametrize("name", CLOCKS)
def test_a_peak_is_what_dense_units_do_at_the_boost_clock(name):
    """A sparse peak is twice that; 6 % lie between the figures of a B200 and its clock, 2 % with the others."""
    device, (flops, tensor_mhz, _) = find_device(name), CLOCKS[name]
    assert device.bf16_flops_per_s == pytest.approx(device.sms * flops * tensor_mhz * 1e6, rel=0.06)
    assert device.fp16_flops_per_s == device.bf16_flops_per_s
    assert device.tf32_flops_per_s == pytest.approx(device.bf16_flops_per_s / 2, rel=0.025)


@pytest.mark.parametrize("name", CLOCKS)
def test_cuda_cores_do_two_flops_a_clock(name):
    """128 cores an SM, on the A100 64."""
    device, mhz = find_device(name), CLOCKS[name][2]
    cores = 64 if device.compute_capability == (8, 0) else 128
    assert device.fp32_flops_per_s == pytest.approx(device.sms * cores * 2 * mhz * 1e6, rel=0.02)


@pytest.mark.parametrize(
    ("name", "gain"), [("RTX 5090", 2), ("RTX 4090", 2), ("RTX 3090", 2), ("RTX PRO 6000", 1), ("H200", 1)]
)
def test_geforce_cards_add_up_in_fp32_at_half_rate(name, gain):
    device = find_device(name)
    assert device.fp16_fp16_accumulate_flops_per_s == pytest.approx(gain * device.fp16_flops_per_s, rel=0.01)


@pytest.mark.parametrize(
    ("name", "gigabytes_per_s", "sms", "l2_mib"),
    [
        ("RTX 5090", 1792, 170, 96),
        ("RTX 4090", 1008, 128, 72),
        ("RTX 3090", 936, 82, 6),
        ("RTX PRO 6000", 1792, 188, 128),
        ("RTX PRO 6000 Server", 1597, 188, 128),
        ("H100 SXM", 3352, 132, 50),
        ("H100 PCIe", 2039, 114, 50),
        ("H200", 4800, 132, 60),
        ("A100 40GB", 1555, 108, 40),
        ("A100 80GB", 2039, 108, 40),
        ("A100 80GB PCIe", 1935, 108, 40),
        ("L4", 300, 58, 48),
        ("L40S", 864, 142, 96),
        ("B200", 7700, 148, 126.5),
    ],
)
def test_bandwidth_and_chip_are_those_of_the_vendor(name, gigabytes_per_s, sms, l2_mib):
    device = find_device(name)
    assert (device.bandwidth_bytes_per_s, device.sms, device.l2_bytes) == (gigabytes_per_s * 1e9, sms, l2_mib * MIB)


@pytest.mark.parametrize(
    ("name", "nvidia_smi", "cuda", "context"),
    [
        ("RTX 5090", 32607, 32102, 600),
        ("RTX 4090", 24564, 24081, 510),
        ("RTX 3090", 24576, 24124, 320),
        ("RTX PRO 6000", 97887, 97247, 700),
        ("H100 SXM", 81559, 81082, 750),
        ("H100 PCIe", 81559, 81008, 750),
        ("H200", 143771, 143156, 750),
        ("A100 40GB", 40960, 40339, 520),
        ("A100 80GB", 81920, 81038, 520),
        ("A100 80GB PCIe", 81920, 81038, 520),
        ("L4", 23034, 22518, 270),
        ("L40S", 46068, 45373, 510),
        ("B200", 183359, 182631, 720),
    ],
)
def test_tensors_get_what_cuda_reports_less_the_context(name, nvidia_smi, cuda, context):
    device = find_device(name)
    assert device.memory_bytes == nvidia_smi * MIB
    assert device.memory_bytes - device.reserved_bytes == cuda * MIB
    assert device.usable_bytes == (cuda - context) * MIB


def test_a_cpu_has_the_memory_that_its_caller_reads():
    cpu = find_device("cpu")
    assert cpu.usable_bytes is None
    assert dataclasses.replace(cpu, memory_bytes=16 * 2**30).usable_bytes == 16 * 2**30


def test_a_cpu_has_no_figure_that_was_not_measured():
    assert {getattr(find_device("CPU"), key) for key in FIGURES} == {None, 0}  # 0: reserved, CUDA context


@pytest.mark.parametrize(("name", "alias"), NAMES, ids=[alias for _, alias in NAMES])
def test_every_name_of_a_driver_finds_its_device(name, alias):
    assert find_device(alias).name == name


@given(name=st.sampled_from(NAMES), data=st.data())
def test_case_spaces_and_punctuation_do_not_matter(name, data):
    known, alias = name
    letters = [data.draw(st.sampled_from([letter.lower(), letter.upper()])) for letter in alias]
    spaced = [data.draw(st.sampled_from(["", " ", "-", "_"])) if letter in " -" else letter for letter in letters]
    assert find_device("".join(spaced)).name == known


@pytest.mark.parametrize(
    "name", ["RTX 5090", "GeForce RTX 5090", "NVIDIA GeForce RTX 5090", "nvidia rtx 5090", "rtx5090"]
)
def test_the_maker_may_be_left_out(name):
    assert find_device(name).name == "RTX 5090"


@pytest.mark.parametrize(
    ("name", "candidates"),
    [
        ("H100", "H100 SXM, H100 PCIe"),
        ("a100", "A100 40GB, A100 80GB, A100 80GB PCIe"),
        ("NVIDIA GeForce RTX", "RTX 5090, RTX 4090, RTX 3090, RTX PRO 6000, RTX PRO 6000 Server"),
    ],
)
def test_an_ambiguous_name_is_refused_with_its_candidates(name, candidates):
    message = f"device: got {name!r}, allowed is one of {candidates}"
    with pytest.raises(DeviceError, match=f"^{re.escape(message)}$"):
        find_device(name)


@pytest.mark.parametrize(
    ("name", "card"),
    [
        pytest.param("4090", "RTX 4090", id="alone"),
        pytest.param("NVIDIA GeForce 3090", "RTX 3090", id="behind the maker"),
        pytest.param("6000", "RTX PRO 6000", id="of the short name"),
    ],
)
def test_the_number_of_one_device_finds_it(name, card):
    assert find_device(name).name == card


def test_a_number_of_two_devices_is_refused_with_both(write):
    devices = load_devices(write(table(name="Maker 4090")))
    with pytest.raises(DeviceError, match=r"^device: got '4090', allowed is one of Maker 4090, RTX 4090$"):
        find_device("4090", devices)


@pytest.mark.parametrize("name", ["09", "PCIe", "80GB", "SXM"])
def test_another_end_of_a_name_finds_none(name):
    """An 80GB may be an H100, and more than one card is an SXM module."""
    with pytest.raises(DeviceError, match=f"^device: got '{name}', allowed is one of "):
        find_device(name)


@pytest.mark.parametrize(
    ("name", "closest"),
    [
        ("RTX 5080", "RTX 5090, RTX 4090"),
        ("H800", "H200"),
        ("L40", "L40S, L4"),
        pytest.param("NVIDIA GeForce RTX 5090 Laptop GPU", "RTX 5090", id="another card of that number"),
        pytest.param("NVIDIA H200 NVL", "H200", id="another card of that chip"),
        pytest.param("NVIDIA H100 80GB HBM3 MIG 1g.10gb", "H100 SXM", id="a slice of a card"),
        pytest.param("NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition", "RTX PRO 6000", id="another edition"),
        pytest.param("NVIDIA", "RTX 5090", id="no name"),
        pytest.param("", "RTX 5090", id="empty"),
        pytest.param("x" * 10_000, "RTX 5090", id="long"),
    ],
)
def test_an_unknown_device_is_refused_with_the_closest_first(name, closest):
    with pytest.raises(DeviceError) as caught:
        find_device(name)
    shown = repr(name) if len(name) < 60 else f"{repr(name)[:57]}..."
    start, end = (
        f"device: got {shown}, allowed is one of {closest}",
        "or one of a file of your own in the form of devices.toml",
    )
    assert str(caught.value).startswith(start)
    assert str(caught.value).endswith(end)
    assert all(device.name in str(caught.value) for device in known_devices())


@given(name=st.text())
@example("ⅸ\N{COMBINING ACUTE ACCENT}\0\n\ud800")
def test_any_text_finds_a_device_or_is_refused_in_one_line(name):
    try:
        assert find_device(name) in known_devices()
    except DeviceError as error:
        assert re.fullmatch(r"device: got .*, allowed is one of .*", str(error))  # noqa: PT017 - either outcome is right


def test_a_device_is_found_among_those_given():
    only = [find_device("L4")]
    assert find_device("NVIDIA L4", only) is only[0]
    with pytest.raises(
        DeviceError, match=r"^device: got 'H200', allowed is one of L4; or one of a file of your own in"
    ):
        find_device("H200", only)


def test_a_file_adds_its_device_to_the_known_ones(write):
    added, *others = load_devices(write(table()))
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in ROW.items()}
    assert dataclasses.asdict(added) == values
    assert tuple(others) == known_devices()


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"name": "rtx-5090"}, id="short name"),
        pytest.param({"names": ["NVIDIA GeForce RTX 5090"]}, id="name of the driver"),
    ],
)
def test_a_device_of_a_file_replaces_the_known_one_that_it_names(write, changes):
    devices = load_devices(write(table(**changes)))
    assert find_device("RTX 5090", devices) is devices[0]
    assert devices[1:] == known_devices()[1:]


@pytest.mark.parametrize("key", FIGURES)
def test_a_figure_may_be_unknown(write, key):
    assert getattr(load_devices(write(table(**{key: None}, unknown=[key])))[0], key) is None


@pytest.mark.parametrize("key", ["memory_bytes", "reserved_bytes", "cuda_context_bytes"])
def test_what_is_left_is_unknown_where_a_part_is(write, key):
    assert load_devices(write(table(**{key: None}, unknown=[key])))[0].usable_bytes is None


@pytest.mark.parametrize("key", [key for key in ROW if key != "name"])
def test_a_key_that_is_left_out_is_unknown_or_empty(write, key):
    """Of a memory that is known, nothing is reserved; a device that has no other names has its own."""
    usual = {"names": ("Card 7",), "reserved_bytes": 0} | dict.fromkeys(set(ROW) - {*FIGURES, "names"}, "")
    device = load_devices(write(table(**{key: None})))[0]
    assert getattr(device, key) == usual.get(key)
    assert all(getattr(device, other) is not None for other in ROW if other != key)


def test_a_device_needs_no_more_than_a_name(write):
    devices = load_devices(write('[[device]]\nname = "Mine"'))
    assert find_device("mine", devices) is devices[0]
    assert {getattr(devices[0], key) for key in FIGURES} == {None}


def test_a_device_without_a_name_is_refused_by_its_number(write):
    path = write(table(), "[[device]]\nsms = 3")
    message = f"{path}: device 2: name: is missing, allowed is a line of text that names a device"
    with pytest.raises(DeviceError, match=f"^{re.escape(message)}$"):
        load_devices(path)


def test_all_that_is_wrong_with_a_device_is_one_error(write):
    path = write(table(sms=0, tf32=1, bytes=2, l2_bytes=7, peaks_source=3, unknown=["l2_bytes"]))
    message = "; ".join(
        [
            f"{path}: Card 7: 'tf32', 'bytes': are unknown, allowed are {', '.join(ROW)}, unknown",
            "l2_bytes: got 7, allowed is no figure, as it is listed in unknown",
            f"sms: got 0, allowed is {WHOLE}",
            f"peaks_source: got 3, allowed is {TEXT}",
        ]
    )
    with pytest.raises(DeviceError, match=f"^{re.escape(message)}$"):
        load_devices(path)


def test_a_packaged_device_has_each_figure_or_lists_it_as_unknown_and_each_source():
    packaged = tomllib.loads(files("dsocr_cost").joinpath("devices.toml").read_text(encoding="utf-8"))
    for device in packaged["device"]:
        assert sorted([*device.keys() - {"unknown"}, *device.get("unknown", [])]) == sorted(ROW)
        assert all(device[key] for key in ROW if key.endswith("source") or key == "architecture")


WHOLE, RATE, TEXT = "a whole number of at least 1, in 64 bits", "a number from 1e6 to 1e18", "a line of text"
PAIR, NAMED = "two whole numbers of at least 0", "a list of lines of text that name a device"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"sms": 0}, f"sms: got 0, allowed is {WHOLE}", id="0 SMs"),
        pytest.param({"sms": True}, f"sms: got True, allowed is {WHOLE}", id="bool"),
        pytest.param({"sms": 10.0}, f"sms: got 10.0, allowed is {WHOLE}", id="float for a whole number"),
        pytest.param({"memory_bytes": "8 GB"}, f"memory_bytes: got '8 GB', allowed is {WHOLE}", id="text for bytes"),
        pytest.param({"l2_bytes": 2**63}, f"l2_bytes: got {2**63}, allowed is {WHOLE}", id="beyond int64"),
        pytest.param(
            {"reserved_bytes": -1},
            "reserved_bytes: got -1, allowed is a whole number of at least 0, in 64 bits",
            id="negative bytes",
        ),
        pytest.param(
            {"bandwidth_bytes_per_s": 1e-300},
            f"bandwidth_bytes_per_s: got 1e-300, allowed is {RATE}",
            id="next to none",
        ),
        pytest.param(
            {"fp32_flops_per_s": 1e19}, f"fp32_flops_per_s: got 1e+19, allowed is {RATE}", id="more than there is"
        ),
        pytest.param({"bf16_flops_per_s": 0}, f"bf16_flops_per_s: got 0, allowed is {RATE}", id="peak of 0"),
        pytest.param(
            {"tf32_flops_per_s": -1e12},
            f"tf32_flops_per_s: got -1000000000000.0, allowed is {RATE}",
            id="negative peak",
        ),
        pytest.param(
            {"fp16_flops_per_s": True}, f"fp16_flops_per_s: got True, allowed is {RATE}", id="bool for a peak"
        ),
        pytest.param({"fp32_flops_per_s": float("nan")}, f"fp32_flops_per_s: got nan, allowed is {RATE}", id="NaN"),
        pytest.param(
            {"bandwidth_bytes_per_s": float("inf")}, f"bandwidth_bytes_per_s: got inf, allowed is {RATE}", id="infinity"
        ),
        pytest.param(
            {"fp16_fp16_accumulate_flops_per_s": 10**400},
            f"fp16_fp16_accumulate_flops_per_s: got 1{'0' * 56}..., allowed is {RATE}",
            id="beyond a float",
        ),
        pytest.param(
            {"compute_capability": [9]}, f"compute_capability: got (9,), allowed is {PAIR}", id="half a capability"
        ),
        pytest.param(
            {"compute_capability": 9.0}, f"compute_capability: got 9.0, allowed is {PAIR}", id="float for a capability"
        ),
        pytest.param({"peaks_source": " "}, f"peaks_source: got ' ', allowed is {TEXT}", id="blank source"),
        pytest.param({"architecture": "a\nb"}, f"architecture: got 'a\\nb', allowed is {TEXT}", id="two lines"),
        pytest.param({"names": "Card"}, f"names: got 'Card', allowed is {NAMED}", id="text for names"),
        pytest.param({"names": ["NVIDIA"]}, f"names: got ('NVIDIA',), allowed is {NAMED}", id="maker for a name"),
        pytest.param(
            {"cuda_context_bytes": 800_000},
            "reserved_bytes and cuda_context_bytes: got 200000 and 800000, "
            "allowed is less than memory_bytes (1000000) together",
            id="nothing left",
        ),
        pytest.param(
            {"unknown": ["sms"]},
            "sms: got 10, allowed is no figure, as it is listed in unknown",
            id="known and unknown",
        ),
        pytest.param(
            {"unknown": ["name"]},
            f"unknown: got ['name'], allowed is a list of some of {', '.join(FIGURES)}",
            id="unknown name",
        ),
        pytest.param(
            {"unknown": 3},
            f"unknown: got 3, allowed is a list of some of {', '.join(FIGURES)}",
            id="number for unknown",
        ),
        pytest.param(
            {"bf16_tflops": 8},
            f"'bf16_tflops': is unknown, allowed are {', '.join(ROW)}, unknown",
            id="unknown key",
        ),
    ],
)
def test_a_bad_value_is_refused_with_file_device_key_and_what_is_allowed(write, changes, message):
    path = write(table(**changes))
    with pytest.raises(DeviceError, match=f"^{re.escape(f'{path}: Card 7: {message}')}$"):
        load_devices(path)


@pytest.mark.parametrize("name", [7, "", "NVIDIA GeForce", "--", "a\nb"])
def test_a_bad_name_is_refused_with_the_number_of_the_device(write, name):
    path = write(table(), table(name=name, names=[]))
    message = f"{path}: device 2: name: got {name!r}, allowed is a line of text that names a device"
    with pytest.raises(DeviceError, match=f"^{re.escape(message)}$"):
        load_devices(path)


def test_a_number_too_long_to_write_is_refused(write):
    """Python reads hexadecimal digits without end, and writes 4,300 decimal ones."""
    path = write(table(sms=None), f"sms = 0x{'f' * 4000}")
    message = f"{path}: Card 7: sms: got a number too long to write, allowed is {WHOLE}"
    with pytest.raises(DeviceError, match=f"^{re.escape(message)}$"):
        load_devices(path)


@pytest.mark.parametrize(
    ("second", "name", "owner"),
    [
        pytest.param({"name": "card-7", "names": []}, "card-7", "Card 7", id="short names"),
        pytest.param({"name": "Other", "names": ["NVIDIA CARD 7"]}, "NVIDIA CARD 7", "Card 7", id="name of a driver"),
        pytest.param({"name": "Maker Card 7"}, "Maker Card 7", "Card 7", id="short name and name of a driver"),
    ],
)
def test_two_devices_of_a_file_share_no_name(write, second, name, owner):
    path = write(table(), table(**second))
    got = f"{path}: {second['name']}: name or names: got {name!r}"
    message = f"{got}, allowed is what names no other device of the file, as it does {owner}"
    with pytest.raises(DeviceError, match=f"^{re.escape(message)}$"):
        load_devices(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("", "device: got None, allowed is at least one [[device]] table", id="empty"),
        pytest.param("device = []", "device: got [], allowed is at least one [[device]] table", id="no table"),
        pytest.param("device = [3]", "device: got [3], allowed is at least one [[device]] table", id="numbers"),
        pytest.param("[device]\n", "device: got {}, allowed is at least one [[device]] table", id="one table"),
        pytest.param("[[devices]]", "'devices': is unknown, allowed are device", id="another table"),
        pytest.param("{", "is no TOML: Invalid statement (at line 1, column 1)", id="JSON"),
    ],
)
def test_a_file_of_another_form_is_refused(write, content, message):
    path = write(content)
    with pytest.raises(DeviceError, match=f"^{re.escape(f'{path}: {message}')}$"):
        load_devices(path)


def test_a_missing_file_is_named(tmp_path):
    path = tmp_path / "nowhere.toml"
    with pytest.raises(DeviceError, match=f"^{re.escape(str(path))}: cannot be read: No such file or directory$"):
        load_devices(str(path))


def test_a_path_that_no_file_can_have_is_refused():
    with pytest.raises(DeviceError, match=r"^'a\\x00b': cannot be read: embedded null byte$"):
        load_devices("a\0b")


@pytest.mark.parametrize("change", [{"memory_bytes": -1}, {"memory_bytes": 1}, {"names": ["a"]}, {"name": ""}])
def test_a_changed_device_is_checked_too(change):
    with pytest.raises(DeviceError, match=f"^(reserved_bytes and cuda_context_bytes|{next(iter(change))}): got "):
        dataclasses.replace(find_device("RTX 5090"), **change)


@given(content=st.binary())
@example(content=b"\xff")
@example(content=b"a = " + b"[" * 100_000)
@example(content=b"a = " + b"9" * 5000)
def test_any_bytes_are_refused_as_a_device_error(content, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(content)
    with pytest.raises(DeviceError, match=f"^{re.escape(str(path))}: "):
        load_devices(path)


VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=2),
    max_leaves=4,
)


@given(key=st.sampled_from([*ROW, "unknown", "other"]), value=VALUES)
def test_any_value_at_any_key_is_read_or_refused_as_a_device_error(key, value, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text(table(**{key: value}), encoding="utf-8")
    try:
        device = load_devices(path)[0]
    except DeviceError as error:
        assert str(error).startswith(f"{path}: ")  # noqa: PT017 - either outcome is right
    else:
        assert getattr(device, key, value) == (tuple(value) if isinstance(value, list) else value)
