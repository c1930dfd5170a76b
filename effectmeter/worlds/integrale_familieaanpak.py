"""The world of `integrale-familieaanpak`: families before and after, with comparison families picked by the same rule.

What makes it hard, on purpose: families are picked in the two years of most justice contacts, so that they would have
fewer afterwards without any help; members grow older; the country's level falls; members spend time in detention,
which follows the peak; and there are only 19 families. Planted is a modest effect, not the public claim. SYNTHETIC:
nothing here says anything about the real programme.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from effectmeter.quarters import Quarter
from effectmeter.worlds.base import PersonTruth, write_readme
from effectmeter.worlds.delivery_files import dates, day_number, pseudonyms, write_dutch_csv
from effectmeter.worlds.histories import (
    BIN_DAYS,
    DAYS_PER_YEAR,
    Floats,
    Ints,
    Spells,
    ageing,
    count_in,
    days_free,
    draw_events,
    drift,
    pick,
    serve_detention,
)

TRUTH = PersonTruth(
    programme="integrale-familieaanpak",
    rate_ratios={"justice_contact": 0.80},
    null_outcomes=(),
    n_treated=19,
    n_comparison=60,
    n_clusters=79,
    window_days=730,
    history_days=1461,
)

POOL = 1500  # families known to the safety houses of the region
BINS_BEFORE, BINS_AFTER = 49, 73  # 48 months of history; the longest follow-up is 72 months
INTAKE_FROM, INTAKE_UNTIL = 2191, 761  # days before the reference date: 72 and 25 months
WINDOW = 730
EXPECTED_BINS = 24  # days 1..720

CONTACTS_PER_YEAR = 0.75  # a man at the peak age in a family with frailty 1
FAMILY_STATE_SD, FAMILY_STATE_CORRELATION = 0.75, 0.93  # bad years, shared by the household
TREND_PER_YEAR = -0.03
DETAINED_SHARE = 0.12
DETENTION_MEDIAN_DAYS = 90.0
LINKED = 0.985


@dataclass(frozen=True, slots=True)
class Simulation:
    """The world before it becomes files; days count from time zero, members are numbered 0..n-1.

    Attributes
    ----------
    members
        One row per member, in order: ``family, age, is_male, is_treated, index_day`` (days since 1970, one per family),
        ``is_linked``.
    contacts
        Justice contacts known at the reference date: ``person, day``.
    spells
        Detention: ``person, begin, end``; `end` null when still inside on the reference date.
    expected_before, expected_after : (n,) float
        Contacts that the 720 days on either side of time zero would bring without the programme, in the days not
        inside.
    """

    members: pl.DataFrame
    contacts: pl.DataFrame
    spells: pl.DataFrame
    expected_before: Floats
    expected_after: Floats


def simulate(quarter: Quarter, seed: int) -> Simulation:
    """Let the world happen: families, the rule that picks them at their peak, who of them is helped, what follows."""
    random = np.random.default_rng([seed, 3])
    members = _families(random)
    family = members["family"].to_numpy()
    n = len(members)
    rate = _rate(random, members)
    contacts = _contacts(random, rate)
    inside = _detention(contacts)
    before = contacts.filter(pl.col("day") <= 0)
    person, day = before["person"].to_numpy(), before["day"].to_numpy()
    seen = ~inside.cover(person, day)
    peak = count_in(family[person[seen]], day[seen], POOL, after=-WINDOW, until=0)
    # one rule for both arms: the families with most contacts in the two years before; who of them is helped is a draw
    picked = np.sort(np.argsort(-peak, kind="stable")[: TRUTH.n_treated + TRUTH.n_comparison])
    treated = picked[pick(random, np.zeros(len(picked)), TRUTH.n_treated)]

    is_treated = np.isin(family, treated)
    prevented = random.random(len(contacts)) >= TRUTH.rate_ratios["justice_contact"]
    prevented &= is_treated[contacts["person"].to_numpy()] & (contacts["day"].to_numpy() > 0)
    contacts = contacts.filter(pl.Series(~prevented))
    inside = _detention(contacts)

    reference = day_number(quarter.reference_date)
    index = (reference - INTAKE_FROM + random.integers(0, INTAKE_FROM - INTAKE_UNTIL + 1, POOL))[family]
    free = days_free(inside, n, -EXPECTED_BINS, 2 * EXPECTED_BINS)
    near = rate[:, BINS_BEFORE - EXPECTED_BINS : BINS_BEFORE + EXPECTED_BINS] * free / DAYS_PER_YEAR
    members = members.with_columns(is_treated=is_treated, index_day=index, is_linked=random.random(n) < LINKED)
    spells = pl.DataFrame({"person": inside.person, "begin": inside.begin, "end": inside.end})
    return _of_picked(
        Simulation(
            members=members,
            contacts=contacts.select("person", "day").filter(
                pl.Series(~inside.cover(contacts["person"].to_numpy(), contacts["day"].to_numpy()))
            ),
            spells=spells,
            expected_before=near[:, :EXPECTED_BINS].sum(axis=1),
            expected_after=near[:, EXPECTED_BINS:].sum(axis=1),
        ),
        np.flatnonzero(np.isin(family, picked)),
        reference,
    )


def write(quarter: Quarter, folder: Path, seed: int) -> tuple[Path, ...]:
    """Write ``gezinsleden.csv``, ``registraties.csv`` and ``detentie.csv``: UTF-8 with BOM, semicolons."""
    world = simulate(quarter, seed)
    random = np.random.default_rng([seed, 4])
    members = world.members
    names = pseudonyms(random, "ifa", len(members))
    families = pseudonyms(random, "gezin", POOL)
    index = members["index_day"].to_numpy()
    linked = members["is_linked"].to_numpy()
    contacts = world.contacts.filter(pl.Series(linked)[world.contacts["person"]])
    spells = world.spells.filter(pl.Series(linked)[world.spells["person"]])

    def on(events: pl.DataFrame, column: str) -> pl.Series:
        return dates(pl.Series(index[events["person"].to_numpy()]) + events[column])

    files = {
        "gezinsleden.csv": members.select(
            names.alias("pseudoniem"),
            families[members["family"]].alias("gezin"),
            pl.when("is_treated").then(pl.lit("aanpak")).otherwise(pl.lit("vergelijking")).alias("groep"),
            dates(members["index_day"]).alias("instroomdatum"),
            (dates(members["index_day"]).dt.year() - members["age"]).alias("geboortejaar"),
            pl.when("is_male").then(pl.lit("man")).otherwise(pl.lit("vrouw")).alias("geslacht"),
            pl.when("is_linked").then(pl.lit("J")).otherwise(pl.lit("N")).alias("gekoppeld"),
        ).sort("gezin", "pseudoniem"),
        "registraties.csv": _with_faults(
            contacts.select(
                names[contacts["person"]].alias("pseudoniem"),
                pl.lit("justitiecontact").alias("soort"),
                on(contacts, "day").alias("datum"),
            ).sort("pseudoniem", "datum")
        ),
        "detentie.csv": spells.select(
            names[spells["person"]].alias("pseudoniem"),
            on(spells, "begin").alias("begin"),
            on(spells, "end").alias("einde"),
            pl.lit("detentie").alias("reden"),
        ).sort("pseudoniem", "begin"),
    }
    folder.mkdir(parents=True, exist_ok=True)
    written = [write_dutch_csv(frame, folder / name, "utf-8-sig") for name, frame in files.items()]
    return (*written, write_readme(TRUTH.programme, folder))


def _families(random: np.random.Generator) -> pl.DataFrame:
    """Return the members of all families: one or two parents, the rest children and young adults."""
    size = random.integers(3, 8, POOL)
    family = np.repeat(np.arange(POOL), size)
    place = np.arange(len(family)) - np.repeat(np.cumsum(size) - size, size)
    n_parents = random.choice([1, 2], POOL, p=[0.45, 0.55])
    is_parent = place < n_parents[family]
    eldest = random.integers(14, 25, POOL)
    child_age = np.maximum(
        eldest[family] - 2 * np.maximum(place - n_parents[family], 0) - random.integers(0, 2, len(place)), 5
    )
    parent_age = eldest[family] + 20 + random.integers(0, 12, len(place))
    return pl.DataFrame(
        {
            "family": family,
            "age": np.where(is_parent, parent_age, child_age),
            "is_male": np.where(is_parent, place == 1, random.random(len(place)) < 0.55),
        }
    )


def _rate(random: np.random.Generator, members: pl.DataFrame) -> Floats:
    """Return justice contacts per member and year, (n, bins): family, member, age, bad years, the country's trend."""
    family, n = members["family"].to_numpy(), len(members)
    frailty = random.gamma(1.5, 1 / 1.5, POOL)[family] * random.gamma(1.0, 1.0, n)
    bad_years = drift(random, POOL, BINS_BEFORE + BINS_AFTER, sd=FAMILY_STATE_SD, correlation=FAMILY_STATE_CORRELATION)[
        family
    ]
    years = (np.arange(BINS_BEFORE + BINS_AFTER) - BINS_BEFORE + 0.5) * BIN_DAYS / DAYS_PER_YEAR
    age = members["age"].to_numpy()[:, None] + years[None, :]
    by_age = np.where(age < 12, 0.0, 0.25 + 0.75 * ageing(age, peak=19.0, rise=3.5, fall=9.0))
    own = CONTACTS_PER_YEAR * frailty * np.where(members["is_male"].to_numpy(), 1.0, 0.45)
    rate: Floats = own[:, None] * by_age * np.exp(bad_years + TREND_PER_YEAR * years[None, :])
    return rate


def _contacts(random: np.random.Generator, rate: Floats) -> pl.DataFrame:
    """Draw contacts, and the detention that some of them lead to."""
    person, day = draw_events(random, rate, -BINS_BEFORE)
    k = len(person)
    return pl.DataFrame(
        {
            "person": person,
            "day": day,
            "is_detained": random.random(k) < DETAINED_SHARE,
            "detained_from": day + random.integers(5, 150, k),
            "detained_days": np.ceil(random.lognormal(np.log(DETENTION_MEDIAN_DAYS), 0.7, k)).astype(np.int64),
        }
    )


def _detention(contacts: pl.DataFrame) -> Spells:
    """Return the time inside that these contacts lead to."""
    sentences = contacts.filter("is_detained")
    return serve_detention(
        *(sentences[name].to_numpy() for name in ("person", "day", "detained_from", "detained_days"))
    )


def _of_picked(world: Simulation, rows: Ints, reference: int) -> Simulation:
    """Return the picked families only, members renumbered, nothing later than the reference date."""
    number = np.full(len(world.members), -1, dtype=np.int64)
    number[rows] = np.arange(len(rows))
    last_day = reference - world.members["index_day"].to_numpy()

    def known(table: pl.DataFrame, column: str) -> pl.DataFrame:
        person = table["person"].to_numpy()
        kept = pl.Series((number[person] >= 0) & (table[column].to_numpy() <= last_day[person]))
        return table.with_columns(person=number[person], last_day=last_day[person]).filter(kept)

    spells = known(world.spells, "begin")
    return Simulation(
        members=world.members[rows],
        contacts=known(world.contacts, "day").drop("last_day"),
        spells=spells.with_columns(end=pl.when(pl.col("end") <= pl.col("last_day")).then("end")).drop("last_day"),
        expected_before=world.expected_before[rows],
        expected_after=world.expected_after[rows],
    )


def _with_faults(rows: pl.DataFrame) -> pl.DataFrame:
    """Spoil copies of four rows, below the threshold, so that the counting of rejected rows has work to do."""
    rows = rows.with_columns(pl.col(pl.Date).dt.strftime("%d-%m-%Y"))
    step = len(rows) // 5
    copies = rows.gather([step * (i + 1) for i in range(4)])
    unreadable = copies[:3].with_columns(datum=pl.lit("31-02-2023"))
    nobody = copies[3:].with_columns(pseudoniem=pl.lit(None, dtype=pl.String))
    return pl.concat([rows, unreadable, nobody])
