"""The one Dagster instance of an installation: the command line writes into what the user interface shows."""

from importlib.resources import files

import dagster as dg

from assets.installation import QUARTERS
from effectmeter.home import Home
from effectmeter.quarters import Quarter


def prepare_dagster_home(home: Home) -> None:
    """Make the instance's folder, with our settings, on first use."""
    home.dagster.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings = home.dagster / "dagster.yaml"
    if not settings.exists():
        settings.write_text(files(__package__).joinpath("dagster.yaml").read_text(encoding="utf-8"), encoding="utf-8")


def open_instance(home: Home) -> dg.DagsterInstance:
    """Open the installation's Dagster instance, making it on first use."""
    prepare_dagster_home(home)
    return dg.DagsterInstance.from_config(str(home.dagster))


def offer_quarters(home: Home, quarters: list[Quarter]) -> None:
    """Add quarters to those that the user interface offers; ones that are there already stay."""
    with open_instance(home) as instance:
        instance.add_dynamic_partitions(str(QUARTERS.name), [str(quarter) for quarter in quarters])
