"""Gates about who is counted and for how long: size, clusters, time zero, follow-up.

Here: the rules for designs on persons. Not here: whether the arms are alike (`effectmeter.gates.comparable`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from effectmeter.designs.base import SIZE, AnalysisData, n_persons, sizes
from effectmeter.designs.questions import outcome_of, primary_outcome, questions, windows_of
from effectmeter.gates.base import Finding, arms_of, contrast_pairs, facts_of, fold, gate, percent
from effectmeter.gates.expected import Surplus, surplus_of_events
from effectmeter.results import Comparability, EffectRow, GateResult

ENOUGH_PERSONS, FEWEST_PERSONS = 60, 30
ENOUGH_CLUSTERS, FEWEST_CLUSTERS = 20, 10
COMPLETE_SHARE = 0.95
FOLLOW_UP_P = 0.001
_ALL_BUT = 0.95  # "nearly all" persons with an event
_FEWEST_REFERENCE = 10


def outcome_rows(data: AnalysisData, outcome: str, window_days: int | None) -> pl.DataFrame:
    """Return persons with their outcome row for a window; for before-after the after period, complete if both are."""
    if data.follow_up is not None:
        named = (pl.col("outcome") == outcome) & pl.col("window_days").eq_missing(pl.lit(window_days))
        return data.follow_up.filter(named)
    persons = data.persons.select("person_id", "arm", "potential_follow_up_days", "start_delay_days")
    rows = data.outcomes.filter(pl.col("outcome") == outcome)
    if data.plan.design == "before_after":
        whole = rows.group_by("person_id").agg(pl.col("is_complete").all().alias("both_complete"))
        after = rows.filter(pl.col("period") == "after").join(whole, on="person_id", how="left")
        rows = after.with_columns(is_complete=pl.col("both_complete")).drop("both_complete")
    else:
        rows = rows.filter((pl.col("period") == "follow_up") & pl.col("window_days").eq_missing(pl.lit(window_days)))
    return persons.join(rows, on="person_id", how="left", maintain_order="left")


def _units(data: AnalysisData) -> Iterator[tuple[str, str, str, int | None, tuple[tuple[str, object], ...]]]:
    """Yield treated arm, contrast, outcome, window and the pairs that name them, the primary one first."""
    asked = dict.fromkeys((question.outcome, question.window_days) for question in questions(data.plan))
    for treated, label in data.plan.contrasts:
        for outcome, window in asked:
            pairs = (*contrast_pairs(data.plan, label), ("outcome", outcome))
            if data.plan.design != "before_after":  # which has one window, and rows that may have to state another
                pairs = (*pairs, ("window_days", window))
            yield treated, label, outcome, window, pairs


def counted_persons(data: AnalysisData, outcome: str, window: int | None) -> pl.DataFrame:
    """Return arm and is_counted per person: with a full window, or any observation where there is no fixed window.

    Where persons are added up, a row stands for several (`SIZE`).
    """
    value = outcome_of(data.plan, outcome).value
    if value is not None:
        has_value = pl.col(value).is_not_null() if value in data.persons.columns else pl.lit(value=False)
        return data.persons.select("arm", has_value.alias("is_counted"))
    rows = outcome_rows(data, outcome, window)
    fixed = data.plan.design == "before_after" or window is not None
    counted = pl.col("is_complete") if fixed else pl.col("days_observed") > 0
    return rows.select("arm", pl.col(f"^{SIZE}$"), counted.fill_null(value=False).alias("is_counted"))


@gate(
    name="size",
    rule="Persons with full follow-up in the smaller arm: enough pass, few warn (a Bayesian interval stands beside), "
    "fewer fail.",
    threshold=f">= {ENOUGH_PERSONS} in both arms; < {FEWEST_PERSONS} fails",
    source="Justice Data Lab",
)
def size(data: AnalysisData, comparability: Comparability, effects: Sequence[EffectRow]) -> tuple[GateResult, ...]:
    """Gate on the number of persons with full follow-up in the smaller arm (Justice Data Lab)."""
    threshold = facts_of(size).threshold
    if data.plan.design == "before_after" and data.plan.cluster:
        return fold(
            "size",
            threshold,
            [
                Finding(
                    "not_applicable",
                    "-",
                    f"Counted in units of {data.plan.cluster}: see the gate on clusters.",
                    "Hier tellen groepen of gezinnen, geen personen. Zie de toets op groepen.",
                )
            ],
        )
    findings = []
    for treated, _, outcome, window, pairs in _units(data):
        counted = counted_persons(data, outcome, window)
        numbers = [
            n_persons(counted.filter((pl.col("arm") == arm) & pl.col("is_counted"))) for arm in arms_of(data, treated)
        ]
        smallest = min(numbers)
        figure = f"{' and '.join(map(str, numbers))} persons"
        more = max(ENOUGH_PERSONS - smallest, 0)
        if smallest >= ENOUGH_PERSONS:
            findings.append(
                Finding("passed", figure, "Both groups are large enough.", "Beide groepen zijn groot genoeg.", pairs)
            )
        elif smallest >= FEWEST_PERSONS:
            findings.append(
                Finding(
                    "warned",
                    figure,
                    f"The smallest group has {smallest} persons with full follow-up. That is few: chance "
                    "plays a large part. "
                    f"With about {more} more this warning goes.",
                    f"De kleinste groep telt {smallest} personen die lang genoeg te volgen zijn. Dat is "
                    "weinig: toeval speelt "
                    f"een grote rol. Met nog ongeveer {more} personen vervalt deze waarschuwing.",
                    pairs,
                )
            )
        else:
            findings.append(
                Finding(
                    "failed",
                    figure,
                    f"Too few: the smallest group has {smallest} persons with full follow-up, and "
                    f"{FEWEST_PERSONS} is the least. "
                    f"With about {FEWEST_PERSONS - smallest} more an estimate can be shown.",
                    f"Te weinig: de kleinste groep telt {smallest} personen die lang genoeg te volgen zijn. Minstens "
                    f"{FEWEST_PERSONS} is nodig. Met nog ongeveer {FEWEST_PERSONS - smallest} personen kan het wel.",
                    pairs,
                )
            )
    return fold("size", threshold, findings)


@gate(
    name="clusters",
    rule="Clusters (families, sites) in the arm with the fewest: enough pass, few warn (cluster-jackknife t, "
    "permutation "
    "and Bayes beside it), fewer fail.",
    threshold=f">= {ENOUGH_CLUSTERS} in both arms; < {FEWEST_CLUSTERS} fails",
    source="own simulation (benchmarks/coverage.md)",
    hides="every effect; the raw change of a before-after design stays, as a description",
)
def clusters(data: AnalysisData, comparability: Comparability, effects: Sequence[EffectRow]) -> tuple[GateResult, ...]:
    """Gate on the number of clusters in each arm: with few, the usual errors are too small."""
    threshold = facts_of(clusters).threshold
    if not data.plan.cluster:
        return fold(
            "clusters",
            threshold,
            [
                Finding(
                    "not_applicable",
                    "-",
                    "Persons are counted one by one, not in groups.",
                    "Personen tellen los, niet in groepen.",
                )
            ],
        )
    if data.persons["cluster"].null_count() == data.persons.height:
        return fold(
            "clusters",
            threshold,
            [
                Finding(
                    "not_evaluated",
                    "-",
                    f"Not evaluated: '{data.plan.cluster}' is empty for everyone. Deliver it to have the groups "
                    "counted.",
                    f"Niet te toetsen: '{data.plan.cluster}' is voor iedereen leeg. Lever het aan, dan kan het wel.",
                )
            ],
        )
    findings = []
    for treated, label in data.plan.contrasts:
        pairs = contrast_pairs(data.plan, label)
        numbers = [
            data.persons.filter(pl.col("arm") == arm)["cluster"].drop_nulls().n_unique()
            for arm in arms_of(data, treated)
        ]
        fewest = min(numbers)
        figure = f"{' and '.join(map(str, numbers))} clusters"
        findings.append(_clusters_finding(fewest, figure, pairs))
    return fold("clusters", threshold, findings)


def _clusters_finding(fewest: int, figure: str, pairs: tuple[tuple[str, object], ...]) -> Finding:
    """Judge the arm with the fewest clusters."""
    if fewest >= ENOUGH_CLUSTERS:
        return Finding(
            "passed",
            figure,
            "There are enough groups in both arms.",
            "Er zijn aan beide kanten genoeg groepen.",
            pairs,
        )
    if fewest >= FEWEST_CLUSTERS:
        return Finding(
            "warned",
            figure,
            f"On one side there are fewer than {ENOUGH_CLUSTERS} groups (such as families or sites). The "
            "interval allows for that, and "
            f"other methods stand beside it. With {ENOUGH_CLUSTERS - fewest} more this warning goes.",
            f"Aan één kant zijn er minder dan {ENOUGH_CLUSTERS} groepen (zoals gezinnen of locaties). De marge "
            "houdt daar rekening mee, "
            f"en andere methoden staan ernaast. Met nog {ENOUGH_CLUSTERS - fewest} groepen "
            "vervalt deze waarschuwing.",
            pairs,
        )
    return Finding(
        "failed",
        figure,
        f"Too few groups (such as families or sites): fewer than {FEWEST_CLUSTERS} on one side. "
        "What happened can be described, its cause cannot be told. "
        f"{FEWEST_CLUSTERS - fewest} more would allow it.",
        f"Te weinig groepen (zoals gezinnen of locaties): minder dan {FEWEST_CLUSTERS} aan één kant. "
        "Wij kunnen zeggen wat er gebeurde, maar niet waardoor. Met nog "
        f"{FEWEST_CLUSTERS - fewest} groepen kan het wel.",
        pairs,
    )


@gate(
    name="time_zero",
    rule="Nobody is classified by what happened after time zero: participants' events before their start are as many "
    "as "
    "the comparison group's course predicts.",
    threshold=f"events before the start of participation as expected (p >= {FOLLOW_UP_P:g})",
    source="target-trial emulation (Hernán and Robins 2016, doi:10.1093/aje/kwv254)",
)
def time_zero(data: AnalysisData, comparability: Comparability, effects: Sequence[EffectRow]) -> tuple[GateResult, ...]:
    """Gate on immortal time: people who are in the treated arm because nothing happened to them before they started.

    Where the persons frame carries ``start_delay_days`` (first day of participation minus time zero) the treated arm's
    first events before the start are compared with what the comparison arm's course predicts. An arm defined by
    starting has none.
    """
    threshold = facts_of(time_zero).threshold
    known = data.persons if data.follow_up is None else data.follow_up
    has_starts = "start_delay_days" in known.columns and known["start_delay_days"].count() > 0
    if not has_starts or not data.plan.outcomes:
        if data.plan.design == "comparison_cohort":
            return fold(
                "time_zero",
                threshold,
                [
                    Finding(
                        "not_evaluated",
                        "start dates not delivered",
                        "Not evaluated: without start dates we cannot see whether only people who stayed "
                        "out of trouble could start. "
                        "Deliver `start_date` to have it checked.",
                        "Niet te toetsen: zonder startdatum zien wij niet of alleen mensen konden "
                        "starten met wie niets gebeurd was. "
                        "Lever `start_date` aan, dan kan het wel.",
                    )
                ],
            )
        return fold(
            "time_zero",
            threshold,
            [
                Finding(
                    "passed",
                    "one time zero per person",
                    "Everyone is followed from the day that decided their group.",
                    "Iedereen wordt gevolgd vanaf de dag waarop de groep vaststond.",
                )
            ],
        )
    outcome = primary_outcome(data.plan)
    window = windows_of(data.plan, outcome)[0]
    findings = []
    for treated, label in data.plan.contrasts:
        rows = outcome_rows(data, outcome, window)
        late = rows.filter((pl.col("arm") == treated) & (pl.col("start_delay_days") > 0))
        reference = rows.filter((pl.col("arm") == data.plan.arms.comparison) & pl.col("is_complete"))
        findings.append(_time_zero_finding(late, reference, contrast_pairs(data.plan, label)))
    return fold("time_zero", threshold, findings)


def _time_zero_finding(late: pl.DataFrame, reference: pl.DataFrame, pairs: tuple[tuple[str, object], ...]) -> Finding:
    if late.height == 0 or n_persons(reference) < _FEWEST_REFERENCE:
        return Finding(
            "passed",
            f"{n_persons(late)} started after time zero",
            "Nobody's group depends on what came after time zero.",
            "Van niemand hangt de groep af van wat later gebeurde.",
            pairs,
        )
    surplus = surplus_of_events(
        late["start_delay_days"].to_numpy(),
        late["first_event_day"].to_numpy(),
        reference["first_event_day"].to_numpy(),
        size=sizes(late),
        reference_size=sizes(reference),
    )
    figure = f"{surplus.observed} events before the start, {surplus.expected:.1f} expected (p = {surplus.p_value:.2g})"
    if surplus.p_value < FOLLOW_UP_P and surplus.observed < surplus.expected:
        return Finding(
            "failed",
            figure,
            "The treated group was formed after time zero: hardly anyone in it had an event before "
            "starting. People with an "
            "early event never got to start, which flatters the programme. Deliver everyone who was "
            "assigned, or let time "
            "zero be the start for both groups.",
            "De groep deelnemers is pas later gevormd: bijna niemand had vóór de start een voorval. Wie "
            "vroeg een voorval had, "
            "begon nooit. Dat maakt het programma mooier dan het is. Lever iedereen aan die was "
            "aangewezen, of tel voor beide "
            "groepen vanaf de start.",
            pairs,
        )
    return Finding(
        "passed",
        figure,
        "Events before the start of participation are as many as expected.",
        "Vóór de start gebeurde ongeveer zo veel als verwacht.",
        pairs,
    )


@gate(
    name="follow_up",
    rule="Nearly everyone has a complete window, in each arm, and completeness does not depend on the outcome: among "
    "the "
    "briefly followed, events are as many as those followed longer predict. To the end of follow-up only the second "
    "half "
    "applies.",
    threshold=f">= {percent(COMPLETE_SHARE)} complete per arm; short follow-up has its expected events "
    f"(p >= {FOLLOW_UP_P:g})",
    source="a re-arrest file whose short follow-ups were all recidivists",
    hides="the outcome and window it concerns",
)
def follow_up(data: AnalysisData, comparability: Comparability, effects: Sequence[EffectRow]) -> tuple[GateResult, ...]:
    """Gate on complete windows, and on completeness that depends on the outcome."""
    threshold = facts_of(follow_up).threshold
    findings = []
    for treated, _, outcome, window, pairs in _units(data):
        if outcome_of(data.plan, outcome).value is not None:
            continue  # a value has no window; the gate on what is missing counts who has none
        rows = outcome_rows(data, outcome, window)
        arms = arms_of(data, treated)
        around = data.plan.before_after
        fixed = window if data.plan.design != "before_after" else around.wash_in_days + around.after_days
        surplus = _short_follow_up(rows.filter(pl.col("arm").is_in(arms)), fixed)
        shares = [] if fixed is None else [_share_complete(rows.filter(pl.col("arm") == arm)) for arm in arms]
        findings.append(_follow_up_finding(shares, surplus, pairs))
    if not findings:
        findings = [
            Finding(
                "not_applicable",
                "-",
                "Every outcome was delivered as a value, without a window to follow people for.",
                "Elke uitkomst is als waarde aangeleverd. Er is geen periode waarin wij mensen volgen.",
            )
        ]
    return fold("follow_up", threshold, findings)


def _share_complete(rows: pl.DataFrame) -> float:
    return n_persons(rows.filter(pl.col("is_complete"))) / max(n_persons(rows), 1)


def _short_follow_up(rows: pl.DataFrame, window: int | None) -> Surplus | str | None:
    """Compare events among persons with short potential follow-up with the course of the others, arm by arm.

    Returns None where nobody is short, and a word where it cannot be told.
    """
    rows = rows.filter(pl.col("days_observed").is_not_null())
    potential = rows["potential_follow_up_days"]
    if rows.height == 0 or potential.null_count() == rows.height:
        return "unknown"
    had_event = rows.filter(pl.col("n_events") > 0)
    if had_event["first_event_day"].null_count() > 0:
        return "undated"
    limit = window
    if limit is None:
        ends_at_event = had_event.filter(pl.col("potential_follow_up_days") <= pl.col("first_event_day"))
        if had_event.height and n_persons(ends_at_event) >= _ALL_BUT * n_persons(had_event):
            return "unknown"
        limit = _floor_of_median(rows.filter(pl.col("potential_follow_up_days").is_not_null()))
    parts = []
    for (_arm,), group in rows.group_by("arm", maintain_order=True):
        short = group.filter(pl.col("potential_follow_up_days") < limit)
        reference = group.filter(pl.col("potential_follow_up_days") >= limit)
        if short.height == 0:
            continue
        if n_persons(reference) < _FEWEST_REFERENCE:
            return "no reference"
        parts.append(
            surplus_of_events(
                short["potential_follow_up_days"].to_numpy(),
                short["first_event_day"].to_numpy(),
                reference["first_event_day"].to_numpy(),
                size=sizes(short),
                reference_size=sizes(reference),
            )
        )
    return Surplus.together(parts) if parts else None


def _floor_of_median(rows: pl.DataFrame) -> int:
    """Return the median potential follow-up of persons, in whole days."""
    rows = rows.sort("potential_follow_up_days")
    days, reached = rows["potential_follow_up_days"].to_numpy(), np.cumsum(sizes(rows))
    n = int(reached[-1])
    low, high = (days[np.searchsorted(reached, rank, side="left")] for rank in ((n + 1) // 2, n // 2 + 1))
    return int((low + high) // 2)


def _follow_up_finding(
    shares: Sequence[float], surplus: Surplus | str | None, pairs: tuple[tuple[str, object], ...]
) -> Finding:
    """Put both halves of the rule together; the graver one speaks."""
    complete = " and ".join(percent(share) for share in shares)
    figure = f"{complete} complete" if shares else "followed to the end of their own follow-up"
    if isinstance(surplus, Surplus):
        figure += (
            f"; short follow-up: {surplus.observed} events, {surplus.expected:.1f} expected (p = {surplus.p_value:.2g})"
        )
        if surplus.p_value < FOLLOW_UP_P:
            return Finding(
                "failed",
                figure,
                "How long people were followed depends on what happened to them. Among those followed "
                "too briefly there were "
                f"{surplus.observed} persons with an event, where {surplus.expected:.0f} were to be "
                "expected. Leaving them out "
                "would distort the result. Ask the supplier until which day each person could be "
                "followed, event or not.",
                "Hoe lang iemand is gevolgd, hangt af van wat er met die persoon gebeurde. Bij de mensen "
                "die te kort zijn gevolgd, "
                f"hadden {surplus.observed} personen een voorval. Te verwachten waren er "
                f"{surplus.expected:.0f}. Hen weglaten geeft een "
                "verkeerd beeld. Vraag de leverancier tot welke dag iedereen te volgen was, met of zonder voorval.",
                pairs,
            )
    if shares and min(shares) < COMPLETE_SHARE:
        return Finding(
            "failed",
            figure,
            f"Follow-up is not finished: in one group only {percent(min(shares))} could be followed for "
            "the whole window "
            f"({percent(COMPLETE_SHARE)} is the least). Wait until more people have been followed to the "
            "end, or choose a "
            "shorter window.",
            f"De periode is nog niet om: in één groep is maar {percent(min(shares))} de hele periode te "
            "volgen. Minstens "
            f"{percent(COMPLETE_SHARE)} is nodig. Wacht tot meer mensen lang genoeg zijn gevolgd, of kies "
            "een kortere periode.",
            pairs,
        )
    if isinstance(surplus, str) and (not shares or min(shares) < 1):
        return Finding(
            "not_evaluated",
            figure,
            "Not evaluated: we cannot see how long people without regard to an event could have been "
            "followed. Deliver "
            "`follow_up_days` that does not stop at the event.",
            "Niet te toetsen: wij zien niet hoe lang mensen te volgen waren, los van een voorval. Lever "
            "`follow_up_days` aan "
            "die niet stopt bij het voorval.",
            pairs,
        )
    return Finding(
        "passed",
        figure,
        "Nearly everyone could be followed long enough, whatever happened to them.",
        "Bijna iedereen is lang genoeg te volgen, wat er ook gebeurde.",
        pairs,
    )
