"""The world of `alleen-jij-bepaalt`: youths at sports clubs, and a comparison group from the same neighbourhoods.

What makes it hard, on purpose: youths enter just after a peak in their police contacts; participants carry more risk
than the comparison, through things that are measured; risk ages and drifts; convictions become final late; detention
takes time at risk away. Planted is a modest effect, not the public claim. SYNTHETIC: nothing here says anything about
the real programme.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from effectmeter.quarters import Quarter
from effectmeter.worlds.base import PersonTruth, write_readme
from effectmeter.worlds.delivery_files import dates, day_number, pseudonyms, write_dutch_csv
from effectmeter.worlds.histories import (
    BIN_DAYS,
    DAYS_PER_YEAR,
    Bools,
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
    programme="alleen-jij-bepaalt",
    rate_ratios={"police_contact": 0.85, "conviction": 0.90},
    null_outcomes=("victim_registration",),
    n_treated=1100,
    n_comparison=3300,
    n_clusters=30,
    window_days=730,
    history_days=1461,
)

POOL = 20_000
BINS_BEFORE, BINS_AFTER = 49, 69  # 48 months of history; the longest follow-up is 67 months
INTAKE_FROM, INTAKE_UNTIL = 2039, 943  # days before the reference date: 67 and 31 months
EXPECTED_BINS = 24  # days 1..720

CONTACTS_PER_YEAR = 0.85  # a boy at the peak age with frailty 1
STATE_SD, STATE_CORRELATION = 0.9, 0.85
CONVICTED_SHARE = 0.35  # of police contacts
VICTIM_PER_YEAR = 0.16
SEVERITIES = np.array(["licht", "ernstig", "zeer_ernstig"])
SEVERITY_SHARES = (0.72, 0.22, 0.06)
DETAINED_SHARES = np.array([0.0, 0.35, 0.85])
DETENTION_MEDIAN_DAYS = np.array([1.0, 60.0, 150.0])
MISSING_ABSENCE, LINKED = 0.04, 0.975
CLUBS = ("Judoclub", "Boksvereniging", "Schaaksociëteit", "Voetbalvereniging", "Atletiekclub", "Basketbalclub")


@dataclass(frozen=True, slots=True)
class Simulation:
    """The world before it becomes files; days count from time zero, persons are numbered 0..n-1.

    Attributes
    ----------
    persons
        One row per person, in order: ``is_treated, index_day`` (days since 1970), ``age, is_male, club, absence,
        is_linked, start_day, exit_day`` (null where it does not apply).
    contacts
        Police contacts known at the reference date: ``person, day, is_convicted`` (and final by then), ``severity,
        decided_day``.
    victims
        ``person, day``.
    spells
        ``person, begin, end, reason``; `end` null when still away on the reference date.
    expected_contacts : (n,) float
        Police contacts that days 1..720 would bring without the programme in the days not away: the true risk.
    """

    persons: pl.DataFrame
    contacts: pl.DataFrame
    victims: pl.DataFrame
    spells: pl.DataFrame
    expected_contacts: Floats


@dataclass(frozen=True, slots=True)
class _Youths:
    """Aligned arrays. `club_risk` is per club; `log_state` is the drifting risk in the last bin before time zero."""

    frailty: Floats
    age: Ints
    is_male: Bools
    club: Ints
    absence: Floats
    log_state: Floats
    club_risk: Floats

    def take(self, rows: Ints) -> _Youths:
        """Return these rows."""
        aligned = ("frailty", "age", "is_male", "club", "absence", "log_state")
        return replace(self, **{name: getattr(self, name)[rows] for name in aligned})

    def rate(self, log_course: Floats, first_bin: int) -> Floats:
        """Return police contacts per year, (n, n_bins)."""
        years = (np.arange(log_course.shape[1]) + first_bin + 0.5) * BIN_DAYS / DAYS_PER_YEAR
        own = self.frailty * np.where(self.is_male, 1.0, 0.45) * np.exp(self.club_risk[self.club])
        by_age = ageing(self.age[:, None] + years[None, :], peak=17.5, rise=3.2, fall=7.0)
        return CONTACTS_PER_YEAR * own[:, None] * by_age * np.exp(log_course)


def simulate(quarter: Quarter, seed: int) -> Simulation:
    """Let the world happen: a pool of youths, who is referred, who takes part, and what follows."""
    random = np.random.default_rng([seed, 1])
    pool, past = _pool(random)
    chosen, is_treated = _select(random, pool, past)
    youths, n = pool.take(chosen), len(chosen)

    rate = youths.rate(
        drift(random, n, BINS_AFTER, sd=STATE_SD, correlation=STATE_CORRELATION, after=youths.log_state), 0
    )
    future = _programme(random, _contacts(random, rate, 0), is_treated)
    contacts = pl.concat([_of_chosen(past, chosen), future]).sort("person", "day", maintain_order=True)
    victim_rate = np.repeat(VICTIM_PER_YEAR * np.sqrt(youths.frailty)[:, None], BINS_BEFORE + BINS_AFTER, axis=1)
    victim, victim_day = draw_events(random, victim_rate, -BINS_BEFORE)

    reference = day_number(quarter.reference_date)
    index = reference - INTAKE_FROM + random.integers(0, INTAKE_FROM - INTAKE_UNTIL + 1, n)
    last_day = reference - index
    away, reasons = _absences(random, contacts, last_day)
    contacts = _happened(contacts, away, last_day).with_columns(
        is_convicted=pl.col("is_convicted") & (pl.col("decided_day") <= pl.col("last_day"))
    )
    victims = _happened(pl.DataFrame({"person": victim, "day": victim_day}), away, last_day)
    spells = pl.DataFrame({"person": away.person, "begin": away.begin, "end": away.end, "reason": reasons})
    spells = spells.with_columns(last_day=last_day[away.person]).filter(pl.col("begin") <= pl.col("last_day"))
    return Simulation(
        persons=_persons(random, youths, is_treated, index, contacts),
        contacts=contacts.drop("last_day"),
        victims=victims.drop("last_day"),
        spells=spells.with_columns(end=pl.when(pl.col("end") <= pl.col("last_day")).then("end")).drop("last_day"),
        expected_contacts=(rate[:, :EXPECTED_BINS] * days_free(away, n, 0, EXPECTED_BINS) / DAYS_PER_YEAR).sum(axis=1),
    )


def write(quarter: Quarter, folder: Path, seed: int) -> tuple[Path, ...]:
    """Write ``personen.csv``, ``registraties.csv`` and ``detentie.csv`` as Excel on Dutch Windows saves them."""
    world = simulate(quarter, seed)
    random = np.random.default_rng([seed, 2])
    persons = world.persons
    names = pseudonyms(random, "ajb", len(persons))
    linked = persons["is_linked"].to_numpy()
    index = persons["index_day"].to_numpy()
    files = {
        "personen.csv": _person_file(persons, names),
        "registraties.csv": _with_faults(_event_file(world, names, index, linked)),
        "detentie.csv": _absence_file(world.spells, names, index, linked),
    }
    folder.mkdir(parents=True, exist_ok=True)
    written = [write_dutch_csv(frame, folder / name, "cp1252") for name, frame in files.items()]
    return (*written, write_readme(TRUTH.programme, folder))


def _pool(random: np.random.Generator) -> tuple[_Youths, pl.DataFrame]:
    """Make the youths of all neighbourhoods, and their police contacts until time zero."""
    n = POOL
    course = drift(random, n, BINS_BEFORE, sd=STATE_SD, correlation=STATE_CORRELATION)
    frailty = random.gamma(1.3, 1 / 1.3, n)
    ages = np.arange(10, 20)
    weights = np.array([3, 4, 6, 9, 12, 14, 14, 12, 9, 0.7])
    youths = _Youths(
        frailty=frailty,
        age=random.choice(ages, n, p=weights / weights.sum()).astype(np.int64),
        is_male=random.random(n) < 0.62,
        club=random.choice(TRUTH.n_clusters, n, p=random.dirichlet(np.full(TRUTH.n_clusters, 12.0))).astype(np.int64),
        # school absence shows risk, it does not cause it: whoever selects on it selects on frailty, and it is measured
        absence=np.clip(3.0 + 6.0 * np.log1p(frailty) + random.gamma(2.0, 1.5, n), 0.0, 60.0).round(1),
        log_state=course[:, -1],
        club_risk=random.normal(0.0, 0.15, TRUTH.n_clusters),
    )
    return youths, _contacts(random, youths.rate(course, -BINS_BEFORE), -BINS_BEFORE)


def _contacts(random: np.random.Generator, rate: Floats, first_bin: int) -> pl.DataFrame:
    """Draw police contacts with all that follows from them: conviction, its severity and delay, detention."""
    person, day = draw_events(random, rate, first_bin)
    k = len(person)
    severity = random.choice(3, k, p=SEVERITY_SHARES)
    is_convicted = random.random(k) < CONVICTED_SHARE
    # median five months, one in four later than seven, some beyond the waiting time
    decided = day + np.ceil(random.lognormal(np.log(150.0), 0.5, k)).astype(np.int64)
    is_detained = is_convicted & (random.random(k) < DETAINED_SHARES[severity])
    on_remand = severity == 2
    begin = np.where(on_remand, day + random.integers(1, 6, k), decided + random.integers(7, 60, k))
    length = np.ceil(random.lognormal(np.log(DETENTION_MEDIAN_DAYS[severity]), 0.6)).astype(np.int64)
    return pl.DataFrame(
        {
            "person": person,
            "day": day,
            "is_convicted": is_convicted,
            "severity": severity,
            "decided_day": decided,
            "is_detained": is_detained,
            "detained_from": begin,
            "detained_days": length,
        }
    )


def _detention(contacts: pl.DataFrame) -> Spells:
    """Return the time inside that these contacts lead to."""
    sentences = contacts.filter("is_detained")
    return serve_detention(
        *(sentences[name].to_numpy() for name in ("person", "day", "detained_from", "detained_days"))
    )


def _select(random: np.random.Generator, pool: _Youths, past: pl.DataFrame) -> tuple[Ints, Bools]:
    """Refer youths at a peak, by one rule for both arms; then take part those with more measured risk.

    Returns
    -------
    chosen : (n,) int
        Rows of the pool.
    is_treated : (n,) bool
    """
    n = len(pool.age)
    inside = _detention(past)
    person, day = past["person"].to_numpy(), past["day"].to_numpy()
    seen = ~inside.cover(person, day)
    person, day = person[seen], day[seen]
    recent = count_in(person, day, n, after=-180, until=0)
    log_referral = np.log(np.array([0.03, 1.0, 1.6, 2.2])[np.minimum(recent, 3)])
    log_referral[inside.cover(np.arange(n), np.zeros(n, dtype=np.int64))] = -np.inf
    referred = pick(random, log_referral, TRUTH.n_treated + TRUTH.n_comparison)

    prior = count_in(person, day, n, after=-730, until=0)[referred]
    youths = pool.take(referred)
    club_draw = random.normal(0.0, 0.3, TRUTH.n_clusters)
    log_odds = (
        0.09 * youths.absence
        + 0.02 * np.minimum(prior, 8)
        + 0.30 * youths.is_male
        - 0.06 * np.abs(youths.age - 15)
        + club_draw[youths.club]
    )
    log_odds[youths.age > 18] = -np.inf  # too old for the programme; the comparison has a few of them
    is_treated = np.zeros(len(referred), dtype=np.bool_)
    is_treated[pick(random, log_odds, TRUTH.n_treated)] = True
    return referred, is_treated


def _of_chosen(past: pl.DataFrame, chosen: Ints) -> pl.DataFrame:
    """Return the chosen persons' contacts, with persons renumbered 0..n-1."""
    number = np.full(POOL, -1, dtype=np.int64)
    number[chosen] = np.arange(len(chosen))
    return past.with_columns(person=number[past["person"].to_numpy()]).filter(pl.col("person") >= 0)


def _programme(random: np.random.Generator, contacts: pl.DataFrame, is_treated: Bools) -> pl.DataFrame:
    """Take away from participants what the programme prevents: exactly the planted rate ratios, from day 1.

    Contacts that end in a conviction are prevented less often than the others, so that both planted ratios hold.
    """
    contact, conviction = TRUTH.rate_ratios["police_contact"], TRUTH.rate_ratios["conviction"]
    other = (contact - CONVICTED_SHARE * conviction) / (1 - CONVICTED_SHARE)
    keeps = np.where(contacts["is_convicted"].to_numpy(), conviction, other)
    keeps = np.where(is_treated[contacts["person"].to_numpy()], keeps, 1.0)
    return contacts.filter(pl.Series(random.random(len(contacts)) < keeps))


def _absences(random: np.random.Generator, contacts: pl.DataFrame, last_day: Ints) -> tuple[Spells, list[str]]:
    """Return who is away when, and why: detention; a few who are abroad for a while; two who die."""
    inside = _detention(contacts)
    never_inside = np.setdiff1d(np.arange(len(last_day)), inside.person)
    others = random.choice(never_inside, 34, replace=False)
    begin = random.integers(60, 900, len(others))
    end = np.minimum(begin + random.integers(40, 300, len(others)), 5000)
    reason = np.array(["buitenland"] * 32 + ["overleden"] * 2)
    end[reason == "overleden"] = 100_000
    person = np.concatenate([inside.person, others])
    order = np.lexsort((np.concatenate([inside.begin, begin]), person))
    reasons = np.concatenate([np.full(len(inside.person), "detentie"), reason])[order]
    merged = Spells(
        person[order], np.concatenate([inside.begin, begin])[order], np.concatenate([inside.end, end])[order]
    )
    return merged, reasons.tolist()


def _happened(events: pl.DataFrame, away: Spells, last_day: Ints) -> pl.DataFrame:
    """Keep events of persons who were there, until the reference date; adds `last_day`."""
    person, day = events["person"].to_numpy(), events["day"].to_numpy()
    return events.with_columns(last_day=last_day[person]).filter(
        pl.col("day") <= pl.col("last_day"), pl.Series(~away.cover(person, day))
    )


def _persons(
    random: np.random.Generator, youths: _Youths, is_treated: Bools, index: Ints, contacts: pl.DataFrame
) -> pl.DataFrame:
    """Return one row per person, with participation dates and what the supplier could not find."""
    n = len(index)
    early = count_in(contacts["person"].to_numpy(), contacts["day"].to_numpy(), n, after=0, until=30) > 0
    starts = is_treated & (random.random(n) > np.where(early, 0.20, 0.05))  # trouble at once, and you may never start
    start = random.integers(14, 71, n)
    return pl.DataFrame(
        {
            "is_treated": is_treated,
            "index_day": index,
            "age": youths.age,
            "is_male": youths.is_male,
            "club": youths.club,
            "absence": pl.Series(youths.absence).set(pl.Series(random.random(n) < MISSING_ABSENCE), None),
            "is_linked": random.random(n) < LINKED,
            "start_day": pl.Series(start).set(pl.Series(~starts), None),
            "exit_day": pl.Series(start + random.integers(40, 366, n)).set(pl.Series(~starts), None),
        }
    )


def _person_file(persons: pl.DataFrame, names: pl.Series) -> pl.DataFrame:
    """Return the rows of ``personen.csv``, in the order of the pseudonyms."""
    clubs = [f"{CLUBS[number % len(CLUBS)]} {number + 1:02d}" for number in range(TRUTH.n_clusters)]
    index = dates(persons["index_day"])
    return persons.select(
        names,
        pl.when("is_treated").then(pl.lit("deelnemer")).otherwise(pl.lit("vergelijking")).alias("groep"),
        index.alias("instroomdatum"),
        dates(persons["index_day"] + persons["start_day"]).alias("startdatum"),
        dates(persons["index_day"] + persons["exit_day"]).alias("einddatum"),
        (index.dt.year() - persons["age"]).alias("geboortejaar"),
        pl.when("is_male").then(pl.lit("man")).otherwise(pl.lit("vrouw")).alias("geslacht"),
        pl.Series("club", clubs)[persons["club"]].alias("club"),
        pl.when("is_linked").then(pl.lit("J")).otherwise(pl.lit("N")).alias("gekoppeld"),
        pl.col("absence").alias("schoolverzuim"),
    ).sort("pseudoniem")


def _event_file(world: Simulation, names: pl.Series, index: Ints, linked: Bools) -> pl.DataFrame:
    """Return the rows of ``registraties.csv``: of whom the source could find, one row per registration."""
    kinds = {
        "politiecontact": world.contacts.select("person", "day"),
        "veroordeling": world.contacts.filter("is_convicted").select("person", "day", "decided_day", "severity"),
        "slachtoffer": world.victims,
    }
    rows = pl.concat([frame.with_columns(soort=pl.lit(kind)) for kind, frame in kinds.items()], how="diagonal")
    rows = rows.filter(pl.Series(linked)[rows["person"]])
    person = rows["person"].to_numpy()
    return rows.select(
        names[person],
        "soort",
        dates(pl.Series(index[person]) + rows["day"]).alias("pleegdatum"),
        dates(pl.Series(index[person]) + rows["decided_day"]).alias("datum_onherroepelijk"),
        pl.col("severity")
        .replace_strict({i: str(name) for i, name in enumerate(SEVERITIES)}, default=None)
        .alias("ernst"),
    ).sort("pseudoniem", "pleegdatum", "soort", maintain_order=True)


def _absence_file(spells: pl.DataFrame, names: pl.Series, index: Ints, linked: Bools) -> pl.DataFrame:
    """Return the rows of ``detentie.csv``; the last day is empty for whoever is still away, or dead."""
    spells = spells.filter(pl.Series(linked)[spells["person"]])
    person = spells["person"].to_numpy()
    return spells.select(
        names[person],
        dates(pl.Series(index[person]) + spells["begin"]).alias("begin"),
        dates(pl.Series(index[person]) + spells["end"]).alias("einde"),
        pl.col("reason").alias("reden"),
    ).sort("pseudoniem", "begin")


def _with_faults(rows: pl.DataFrame) -> pl.DataFrame:
    """Spoil a dozen copies of rows, far below the threshold, so that the counting of rejected rows has work to do."""
    rows = rows.with_columns(pl.col(pl.Date).dt.strftime("%d-%m-%Y"))
    step = len(rows) // 13
    copies = rows.gather([step * (i + 1) for i in range(12)])
    unreadable = copies[:6].with_columns(pleegdatum=pl.lit("31-02-2023"))
    unknown = copies[6:9].with_columns(soort=pl.lit("onbekend"))
    nobody = copies[9:].with_columns(pseudoniem=pl.lit(None, dtype=pl.String))
    return pl.concat([rows, unreadable, unknown, nobody])
