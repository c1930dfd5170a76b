"""What is to be done next: one list of rules, each with its condition, for both languages.

What a manager asks last and what a figure alone does not answer. Advice about deciding, never about the programme's
contents. Here: the rules. Not here: what may be said (`effectmeter.sentences.limits`), nor what would settle an open
question (`effectmeter.sentences.verdict.settle_sentence`), which stands with the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from effectmeter.sentences.facts import Facts
from effectmeter.sentences.numbers import Language


@dataclass(frozen=True, slots=True)
class Standing:
    """How a release stands: what a step may depend on beside the figures.

    Attributes
    ----------
    is_approved
        Whether a second person approved it.
    n_noticed
        Checks of the delivery that were not in order.
    """

    is_approved: bool = False
    n_noticed: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One step with its condition."""

    name: str
    holds: Callable[[Facts, Standing], bool]
    nl: str
    en: str


STEPS: tuple[Step, ...] = (
    Step(
        "synthetic",
        lambda f, s: f.is_synthetic,
        "Besluit niets op deze cijfers: ze zijn verzonnen (SYNTHETIC). Lever echte gegevens aan.",
        "Decide nothing on these figures: they are made up (SYNTHETIC). Deliver real data.",
    ),
    Step(
        "approve",
        lambda f, s: not s.is_approved,
        "Laat een tweede persoon dit rapport lezen en goedkeuren. Gebruik het tot dan niet in het openbaar.",
        "Have a second person read and approve this report. Until then, do not use it in public.",
    ),
    Step(
        "harm",
        lambda f, s: f.is_harm,
        "Bespreek dit meteen met de uitvoerders. Zoek uit waardoor het komt voordat er nieuwe deelnemers beginnen.",
        "Discuss this at once with those who run it. Find out why before anybody new begins.",
    ),
    Step(
        "works",
        lambda f, s: f.works,
        "Houd het programma zoals het is, en blijf meten. Verandert het, dan geldt dit cijfer niet meer.",
        "Keep the programme as it is, and go on measuring. If it changes, this figure no longer holds.",
    ),
    Step(
        "cause",
        lambda f, s: f.is_benefit and not f.works,
        "Laat een onderzoeker zeggen welke toets voor een oordeel over de oorzaak nog nodig is. "
        "Ze staan bij ‘Kunnen we dit vertrouwen?’.",
        "Ask a researcher which check is still needed to judge the cause. "
        "They stand under ‘Can we trust it?’.",
    ),
    Step(
        "no_difference",
        lambda f, s: f.direction == "no_effect_of_importance",
        "Bespreek of dit doel met dit programma te halen is. Andere doelen zijn hiermee niet beoordeeld.",
        "Discuss whether this goal can be reached with this programme. Other goals are not judged by this.",
    ),
    Step(
        "wait",
        lambda f, s: f.direction == "inconclusive",
        "Stop of groei niet op dit cijfer alleen. Hierboven staat wat er nodig is voor een oordeel.",
        "Do not stop or grow on this figure alone. What would settle it stands above.",
    ),
    Step(
        "mend",
        lambda f, s: f.direction == "not_shown",
        "Vraag de onderzoeker of wat bij ‘Waarom niet?’ staat, op te lossen is. "
        "Zo niet, dan is een andere manier van vergelijken nodig.",
        "Ask the researcher whether what stands under ‘Why not?’ can be mended. "
        "If not, another way of comparing is needed.",
    ),
    Step(
        "claims",
        lambda f, s: any(claim.ruling in {"contradicted", "weaker_than_claimed"} for claim in f.claims),
        "Gebruik de uitspraken die niet kloppen, niet meer. Bij elke uitspraak staat wat u wel kunt zeggen.",
        "Stop using the claims that do not hold. Beside each claim stands what can be said.",
    ),
    Step(
        "data",
        lambda f, s: s.n_noticed > 0,
        "Bespreek met de leverancier wat bij de gegevens is opgevallen. Dat staat bij ‘Hoe goed zijn de gegevens?’.",
        "Discuss with the supplier what stood out in the data. It stands under ‘How good are the data?’.",
    ),
    Step(
        "next",
        lambda f, s: not f.is_synthetic,
        "Lees het rapport van het volgende kwartaal: daarin staat wat er is veranderd, en waarom.",
        "Read the report of the next quarter: it tells what changed, and why.",
    ),
)  # fmt: skip
"""What to do, most urgent first."""


def next_steps(facts: Facts, standing: Standing, language: Language) -> list[str]:
    """Return what is to be done next, most urgent first."""
    return [step.nl if language == "nl" else step.en for step in STEPS if step.holds(facts, standing)]
