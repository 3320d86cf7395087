"""The catalog's prices, written again from a small catalog of gpuhunt's format."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from commands.catalog import CATALOG, PRICE, main, updated
from infra.planning.catalog import PRICES_AS_OF

FIELDS = (
    "instance_name,location,price,cpu,memory,gpu_count,gpu_name,gpu_memory,spot,disk_size,gpu_vendor,flags,cpu_arch,"
    "provider_data"
)
"""As gpuhunt 0.1.34 writes them."""
G6 = "g6.xlarge,us-east-1,0.91,4,16.0,1,L4,24.0,False,,nvidia,,x86,{}"
OFFERS = (
    G6,
    "g6.xlarge,us-east-1,0.3,4,16.0,1,L4,24.0,True,,nvidia,,x86,{}",
    "g6.xlarge,eu-west-1,1.1,4,16.0,1,L4,24.0,False,,nvidia,,x86,{}",
    "p5.48xlarge,us-east-1,60.0,192,2048.0,8,H100,80.0,False,,nvidia,,x86,{}",
    "g9.xlarge,us-east-1,1.0,4,16.0,1,L9,24.0,False,,nvidia,,x86,{}",
    "p5e.48xlarge,us-east-1,39.8,192,2048.0,8,H200,141.0,False,,nvidia,,x86,{}",
    "g5g.xlarge,us-east-1,0.42,4,8.0,1,T4g,16.0,False,,nvidia,,arm,{}",
    "m7i.large,us-east-1,0.1,2,8.0,0,,,False,,,,x86,{}",
)
HEAD = [
    "# GPU instance types. Prices: list prices, generated 2026-07-20.\n",
    "# Source of the prices: another one.\n",
    "# Other sources: some.\n",
]
ROWS = [
    row for row in CATALOG.read_text().splitlines(keepends=True) if row.startswith(("instance_type", "g6.x", "p5.48"))
]


def test_prices_their_day_and_their_source_are_written_and_everything_else_stays() -> None:
    g4dn = next(row for row in CATALOG.read_text().splitlines(keepends=True) if row.startswith("g4dn.xlarge"))
    columns, g6, p5 = ROWS
    assert updated("".join([*HEAD, *ROWS, g4dn]), _offers(*OFFERS), as_of="2027-01-02") == (
        "".join(
            [
                HEAD[0].replace("2026-07-20", "2027-01-02"),
                "# Source of the prices: gpuhunt's catalog of AWS, by python -m commands.catalog.\n",
                HEAD[2],
                columns,
                g6.replace(",0.8048,", ",0.91,"),
                p5.replace(",55.04,", ",60,"),
                g4dn,
            ]
        ),
        [
            "g4dn.xlarge: not in gpuhunt's catalog. Its price stays.",
            "g9.xlarge (1 x L9): not in our catalog. To offer it, add a row by hand: aws ec2 describe-instance-types "
            "has its disks and network.",
        ],
    )


def test_the_same_prices_give_the_same_rows() -> None:
    text = CATALOG.read_text()
    rows = list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
    offers = [
        f"{row['instance_type']},us-east-1,{row[PRICE]},{row['vcpu']},{float(row['ram_gib'])},{row['gpu_count']},"
        f"{row['gpu']},1,False,,nvidia,,x86,{{}}"
        for row in rows
    ]
    again, said = updated(text, _offers(*offers), as_of=PRICES_AS_OF)
    assert (_uncommented(again), said) == (_uncommented(text), [])
    assert again.splitlines()[0] == text.splitlines()[0]


@pytest.mark.parametrize(
    ("offer", "why"),
    [
        (G6.replace("L4", "L40"), "g6.xlarge: gpu is L4 in our catalog, and L40 in gpuhunt's"),
        (G6.replace("16.0", "32.0"), "g6.xlarge: ram_gib is 16 in our catalog, and 32.0 in gpuhunt's"),
        (OFFERS[-1], "gpuhunt's catalog has no GPU instance type in us-east-1"),
    ],
)
def test_catalogs_that_contradict_each_other_change_nothing(
    offer: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs = tmp_path / "gpu_catalog.csv", tmp_path / "aws.csv"
    ours.write_text("".join([*HEAD, *ROWS]))
    theirs.write_text(f"{FIELDS}\n{offer}\n")
    assert main([str(theirs)], catalog=ours) == 1
    assert capsys.readouterr() == (
        "",
        f"{why}\nNothing is written. Check these values, and correct the wrong catalog.\n",
    )
    assert ours.read_text() == "".join([*HEAD, *ROWS])


def test_the_command_writes_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ours, theirs = tmp_path / "gpu_catalog.csv", tmp_path / "aws.csv"
    ours.write_text("".join([*HEAD, *ROWS]))
    theirs.write_text("\n".join([FIELDS, *OFFERS[:4], ""]))
    assert main([str(theirs), "--as-of", "2027-01-02"], catalog=ours) == 0
    assert capsys.readouterr().out == f"{ours}: prices of 2027-01-02\n"
    assert [row[PRICE] for row in csv.DictReader(_uncommented(ours.read_text()))] == ["0.91", "60"]


def test_a_missing_copy_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.csv")]) == 1
    said = f"{tmp_path}/none.csv: No such file or directory. Give the path of gpuhunt's aws.csv\n"
    assert capsys.readouterr().err == said


def _offers(*lines: str) -> list[dict[str, str]]:
    return list(csv.DictReader([FIELDS, *lines]))


def _uncommented(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]
