"""Traffic files, good and bad."""

import re
from pathlib import Path

import pytest

from simulator.traffic import TrafficInvalid, read_traffic


def written(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    file = folder / "traffic.csv"
    file.write_bytes(text.encode(encoding))
    return file


def test_seconds(tmp_path: Path) -> None:
    trace = read_traffic(written(tmp_path, "second,rps\n0,10\n1,0\n2,12.5\n"))
    assert trace.load == [10, 0, 12.5]
    assert trace.name == "traffic"


def test_minutes_are_spread_over_their_seconds(tmp_path: Path) -> None:
    load = read_traffic(written(tmp_path, "minute,requests\n7,60\n8,600\n")).load
    assert load == [1.0] * 60 + [10.0] * 60


@pytest.mark.parametrize(
    "text", ["\ufeffsecond,rps\r\n5,1\r\n6,2\r\n\r\n", "Second, RPS\n5, 1\n6, 2", '"second","rps"\n"5","1"\n"6","2"\n']
)
def test_what_other_programs_write(tmp_path: Path, text: str) -> None:
    assert read_traffic(written(tmp_path, text)).load == [1, 2]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("0,10\n1,12\n", 1, "0,10: must be the header second,rps or minute,requests"),
        ("time,load\n0,10\n", 1, "time,load: must be the header"),
        ("second;rps\n0;10\n", 1, "second;rps: must be the header"),
        ("", 1, "nothing: must be the header"),
        ("second,rps\n0,10\n1\n", 3, "1: must be two columns"),
        ("second,rps\n0,10\n1,12,13\n", 3, "1,12,13: must be two columns"),
        ("second,rps\n0,10\n1,many\n", 3, "rps 'many': must be a number of at least 0"),
        ("second,rps\n0,-1\n", 2, "rps '-1': must be a number"),
        ("second,rps\n0,nan\n", 2, "rps 'nan'"),
        ("second,rps\n0,inf\n", 2, "rps 'inf'"),
        ("minute,requests\n0,\n", 2, "requests '': must be a number"),
        ("second,rps\n0.5,10\n", 2, "second '0.5': must be a whole number"),
        ("second,rps\n12:00,10\n", 2, "second '12:00': must be a whole number"),
        ("second,rps\n0,1\n1,1\n5,1\n", 4, "second 5: must be second 2; write one without traffic as 0"),
        ("minute,requests\n3,1\n3,1\n", 3, "minute 3: must be minute 4"),
        ("second,rps\n0,1\n\n2,1\n", 4, "second 2: must be second 1"),
        (
            "minute,requests\n" + "".join(f"{minute},1\n" for minute in range(31 * 1440 + 1)),
            44642,
            "longer than 31 days",
        ),
    ],
)
def test_a_bad_file_is_refused_with_its_line(tmp_path: Path, text: str, line: int, said: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(TrafficInvalid, match="^" + re.escape(f"{file}, line {line}: {said}")) as refused:
        read_traffic(file)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("second,rps\n", "no row of traffic"),
        ("second,rps\n0,0\n1,0\n", "no request in all of it"),
        ('second,rps\n0,"1\n', "not CSV"),
    ],
)
def test_a_file_without_traffic_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(TrafficInvalid, match=said):
        read_traffic(written(tmp_path, text))


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrafficInvalid, match="not UTF-8 text"):
        read_traffic(written(tmp_path, "second,rps\n0,1\n# Größe", "latin-1"))
