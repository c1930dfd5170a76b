"""Commands for R, Stata and SPSS that make the primary estimate again from an exported analysis table.

Texts only. What is in the table: `effectmeter.analysis_table`. The R commands are run in the tests against the
estimates of the vault; those for Stata and SPSS say the same in those languages, and are not run here.
"""

from __future__ import annotations

from typing import Literal

from effectmeter.analysis_table import AnalysisTable

Format = Literal["csv", "dta", "sav", "parquet"]
FORMATS: tuple[Format, ...] = ("csv", "dta", "sav", "parquet")

_READ_R = {
    "csv": 'd <- read.csv("{file}")',
    "dta": 'd <- haven::zap_labels(haven::read_dta("{file}"))',
    "sav": 'd <- haven::zap_labels(haven::read_sav("{file}"))',
    "parquet": 'd <- as.data.frame(arrow::read_parquet("{file}"))',
}
_READ_STATA = {"csv": 'import delimited using "{file}", clear case(preserve)', "dta": 'use "{file}", clear'}
_READ_SPSS = {
    "csv": 'GET DATA /TYPE=TXT /FILE="{file}" /DELIMITERS="," /QUALIFIER=\'"\' /FIRSTCASE=2 /VARIABLES={columns}.',
    "sav": 'GET FILE="{file}".',
    "dta": 'GET STATA FILE="{file}".',
}
_ELSEWHERE = "export the table once more with --format {format}"

EXACT = ("risk", "odds", "rate", "hazard", "mean", "change", "trials")
"""Models whose R commands give the estimate of the vault to the last digit, unless few events asked for another one."""


def r_syntax(table: AnalysisTable, file: str, kind: Format) -> str:
    """Return an R script; base R, and survival or metafor where the model asks for it."""
    reading = _READ_R[kind].format(file=file)
    return "\n".join([f"# {_what(table)}", reading, *_R[table.model](table), ""])


def stata_syntax(table: AnalysisTable, file: str, kind: Format) -> str:
    """Return a Stata do-file."""
    template = _READ_STATA.get(kind)
    reading = template.format(file=file) if template else "* " + _ELSEWHERE.format(format="dta")
    return "\n".join([f"* {_what(table)}", reading, *_STATA[table.model](table), ""])


def spss_syntax(table: AnalysisTable, file: str, kind: Format) -> str:
    """Return SPSS syntax."""
    columns = " ".join(
        f"{name} {'A60' if str(dtype) == 'String' else 'F16.8'}" for name, dtype in table.frame.schema.items()
    )
    template = _READ_SPSS.get(kind)
    reading = template.format(file=file, columns=columns) if template else "* " + _ELSEWHERE.format(format="sav") + "."
    return "\n".join([f"* {_what(table)}.", reading, *_SPSS[table.model](table), ""])


def _what(table: AnalysisTable) -> str:
    row = table.primary
    if row is None or row.estimate is None:
        return f"{table.measure}: the vault has no primary estimate to compare with"
    return f"{table.measure}: the vault has {row.estimate:.6g} ({row.estimator}, {row.variance})"


def _terms(table: AnalysisTable, joint: str = " + ") -> str:
    blocks = [f"factor({table.strata})"] if table.strata and joint == " + " else []
    return joint.join(["treated", *table.terms, *blocks])


def _stata_terms(table: AnalysisTable) -> str:
    return " ".join(["i.treated", *table.terms, *([f"i.{table.strata}"] if table.strata else [])])


def _r_standardised(table: AnalysisTable) -> list[str]:
    asked = {
        "risk_ratio": "p1 / p0",
        "risk_difference": "p1 - p0",
        "odds_ratio": "(p1 / (1 - p1)) / (p0 / (1 - p0))",
    }[table.measure]
    return [
        "# outcome model, then each arm as if everybody in the population were in it (g-computation)",
        f"m <- glm(event ~ {_terms(table)}, family = quasibinomial, data = d, weights = weight)",
        'p1 <- weighted.mean(predict(m, transform(d, treated = 1), type = "response"), d$target)',
        'p0 <- weighted.mean(predict(m, transform(d, treated = 0), type = "response"), d$target)',
        f'cat("estimate", format({asked}, digits = 10), "\\n")',
    ]


def _r_rate(table: AnalysisTable) -> list[str]:
    terms = f"n_events ~ {_terms(table)} + offset(log(years))"
    lines = [f"m <- glm({terms}, family = quasipoisson, data = d, weights = weight)"]
    if table.measure == "rate_difference":
        return [
            *lines,
            'rate <- function(arm) sum(d$target * predict(m, transform(d, treated = arm), type = "response")) /',
            "  sum(d$target * d$years)",
            'cat("estimate", format(rate(1) - rate(0), digits = 10), "\\n")',
        ]
    return [*lines, 'cat("estimate", format(exp(coef(m)[["treated"]]), digits = 10), "\\n")']


def _r_hazard(table: AnalysisTable) -> list[str]:
    terms = " + ".join(["treated", *table.terms, *([f"strata({table.strata})"] if table.strata else [])])
    return [
        "library(survival)",
        f'm <- coxph(Surv(days, event) ~ {terms}, data = d, weights = weight, ties = "efron")',
        'cat("estimate", format(exp(coef(m)[["treated"]]), digits = 10), "\\n")',
    ]


def _r_mean(table: AnalysisTable) -> list[str]:
    return [
        f"m <- lm(event ~ {_terms(table)}, data = d, weights = weight)",
        'cat("estimate", format(coef(m)[["treated"]], digits = 10), "\\n")',
    ]


def _r_change(table: AnalysisTable) -> list[str]:
    unit = table.cluster or "id"
    lines = [
        "# per unit: of all its events, which share came after? Units without events say nothing",
        f"u <- aggregate(cbind(before, after, years_before, years_after) ~ treated + {unit}, data = d, FUN = sum)",
        "u <- subset(u, before + after > 0 & years_before > 0 & years_after > 0)",
    ]
    if table.measure == "rate_ratio":  # the raw change of the treated
        lines += ["u <- subset(u, treated == 1)"]
        formula, wanted = "cbind(after, before) ~ 1", "(Intercept)"
    else:
        formula, wanted = "cbind(after, before) ~ treated", "treated"
    return [
        *lines,
        f"m <- glm({formula} + offset(log(years_after / years_before)), family = quasibinomial, data = u)",
        f'cat("estimate", format(exp(coef(m)[["{wanted}"]]), digits = 10), "\\n")',
    ]


def _r_areas(table: AnalysisTable) -> list[str]:
    value = "value" if "value" in table.frame.columns and table.frame["value"].is_not_null().any() else "y"
    estimator = table.primary.estimator if table.primary is not None else "callaway_santanna"
    other = [] if estimator == "callaway_santanna" else [f"# the vault's {estimator} is another method than this one"]
    return [
        *other,
        "# needs the package did (Callaway and Sant'Anna 2021, doi:10.1016/j.jeconom.2020.12.001); its errors and",
        "# its weighing of groups are not quite those of the vault: expect the same direction and about the same size",
        "library(did)",
        *(["d$y <- log((d$count + 0.5) / ifelse(is.na(d$population), 1, d$population))"] if value == "y" else []),
        f'a <- att_gt(yname = "{value}", tname = "period", idname = "area", gname = "first_period", data = d,',
        '            control_group = "notyettreated")',
        'print(aggte(a, type = "simple"))' + ("  # of logs: exp() of it is the ratio" if value == "y" else ""),
    ]


def _r_series(table: AnalysisTable) -> list[str]:
    has_control = "control_count" in table.frame.columns
    logs = ["log(population)"] if "population" in table.frame.columns else []
    logs += ["-log(control_population)"] if "control_population" in table.frame.columns else []
    offset = "".join(f" + offset({each})" for each in logs)
    counts, family = ("cbind(count, control_count)", "quasibinomial") if has_control else ("count", "quasipoisson")
    wanted = "slope" if table.measure == "slope_ratio" else "level"
    return [
        "# the vault also lets neighbouring periods be alike, which moves the estimate a little and the error more",
        f"m <- glm({counts} ~ {' + '.join(table.terms)}{offset}, family = {family}, data = d)",
        f'cat("estimate", format(exp(coef(m)[["{wanted}"]]), digits = 10), "\\n")',
    ]


_HARTUNG_KNAPP = 'm <- update(m, test = if (m$tau2 > 0) "knha" else "adhoc")'
_METAFOR = {"odds_ratio": "OR", "risk_ratio": "RR", "risk_difference": "RD"}


def _r_trials(table: AnalysisTable) -> list[str]:
    method = (table.primary.estimator if table.primary is not None else "reml_hk").removesuffix("_prediction")
    options = {"dl_wald": 'method = "DL"', "pmm_hk": 'method = "PMM"'}.get(method, 'method = "REML"')
    if "events_treated" in table.frame.columns and table.measure in _METAFOR:
        call = (
            f'rma(measure = "{_METAFOR[table.measure]}", ai = events_treated, n1i = n_treated, '
            "ci = events_comparison,\n         n2i = n_comparison, data = d, to = "
            f'"only0", drop00 = TRUE, {options})'
        )
    else:
        call = f"rma(yi = estimate, sei = std_error, data = d, {options})"
    shown = "m$b[1]" if table.measure.endswith("difference") else "exp(m$b[1])"
    return [
        "library(metafor)",
        f"m <- {call}",
        *(() if method.endswith("_wald") else (_HARTUNG_KNAPP,)),
        f'cat("estimate", format({shown}, digits = 10), "\\n")',
        "print(predict(m, transf = exp))" if "exp" in shown else "print(predict(m))",
    ]


_R = {
    "risk": _r_standardised,
    "odds": _r_standardised,
    "rate": _r_rate,
    "hazard": _r_hazard,
    "mean": _r_mean,
    "change": _r_change,
    "areas": _r_areas,
    "series": _r_series,
    "trials": _r_trials,
}


def _error(table: AnalysisTable) -> str:
    return f"vce(cluster {table.cluster})" if table.cluster else "vce(robust)"


def _stata_risk(table: AnalysisTable) -> list[str]:
    asked = {
        "risk_ratio": "_b[1.treated] / _b[0.treated]",
        "risk_difference": "_b[1.treated] - _b[0.treated]",
        "odds_ratio": "(_b[1.treated] / (1 - _b[1.treated])) / (_b[0.treated] / (1 - _b[0.treated]))",
    }[table.measure]
    return [
        f"logit event {_stata_terms(table)} [pweight=weight], {_error(table)}",
        "margins treated [pweight=target], vce(unconditional) post",
        f"nlcom {asked}",
    ]


def _stata_rate(table: AnalysisTable) -> list[str]:
    return [f"poisson n_events {_stata_terms(table)} [pweight=weight], exposure(years) irr {_error(table)}"]


def _stata_hazard(table: AnalysisTable) -> list[str]:
    strata = f" strata({table.strata})" if table.strata else ""
    terms = " ".join(["i.treated", *table.terms])
    return ["stset days [pweight=weight], failure(event)", f"stcox {terms}, efron{strata} {_error(table)}"]


def _stata_mean(table: AnalysisTable) -> list[str]:
    return [f"regress event {_stata_terms(table)} [pweight=weight], {_error(table)}"]


def _stata_change(table: AnalysisTable) -> list[str]:
    unit = table.cluster or "id"
    terms = "" if table.measure == "rate_ratio" else " i.treated"
    return [
        *(["keep if treated == 1"] if table.measure == "rate_ratio" else []),
        f"collapse (sum) before after years_before years_after, by(treated {unit})",
        "generate total = before + after",
        "drop if total == 0",
        "generate log_years = log(years_after / years_before)",
        f"glm after{terms}, family(binomial total) link(logit) offset(log_years) vce(robust) eform",
    ]


def _stata_areas(table: AnalysisTable) -> list[str]:
    return [
        "* needs csdid: ssc install csdid; as in R, about the same size and not the same error",
        "generate y = log((count + 0.5) / cond(missing(population), 1, population))",
        "csdid y, ivar(area) time(period) gvar(first_period) notyet agg(simple)",
    ]


def _stata_series(table: AnalysisTable) -> list[str]:
    terms = " ".join(table.terms)
    if "control_count" in table.frame.columns:
        ratio = "log(population / control_population)" if "control_population" in table.frame.columns else "0"
        return [
            "generate total = count + control_count",
            f"generate log_ratio = {ratio}",
            f"glm count {terms}, family(binomial total) link(logit) offset(log_ratio) scale(x2) eform",
        ]
    exposure = " exposure(population)" if "population" in table.frame.columns else ""
    return [f"glm count {terms}, family(poisson) link(log){exposure} scale(x2) eform"]


def _stata_trials(table: AnalysisTable) -> list[str]:
    if "events_treated" in table.frame.columns and table.measure in _METAFOR:
        size = {"odds_ratio": "lnoratio", "risk_ratio": "lnrratio", "risk_difference": "rdiff"}[table.measure]
        lines = [
            "generate no_event_treated = n_treated - events_treated",
            "generate no_event_comparison = n_comparison - events_comparison",
            "meta esize events_treated no_event_treated events_comparison no_event_comparison, "
            f"esize({size}) random(reml)",
        ]
    else:
        lines = ["meta set estimate std_error, random(reml)"]
    return [*lines, f"meta summarize, se(khartung){'' if table.measure.endswith('difference') else ' eform'}"]


_STATA = {
    "risk": _stata_risk,
    "odds": _stata_risk,
    "rate": _stata_rate,
    "hazard": _stata_hazard,
    "mean": _stata_mean,
    "change": _stata_change,
    "areas": _stata_areas,
    "series": _stata_series,
    "trials": _stata_trials,
}


def _spss_by(table: AnalysisTable) -> tuple[str, str]:
    """Return the factors and covariates of a GENLIN command, and its model."""
    factors = f" BY {table.strata}" if table.strata else ""
    covariates = " ".join(["treated", *table.terms])
    return f"{factors} WITH {covariates}", " ".join(
        ["treated", *table.terms, *([table.strata] if table.strata else [])]
    )


def _spss_risk(table: AnalysisTable) -> list[str]:
    given, model = _spss_by(table)
    return [
        "* The rows once more without outcome, as if in one arm and as if in the other; then the means of what is",
        "* predicted, weighed by target. COMPUTE the ratio of the two means.",
        "COMPUTE as_if = -1.",
        "DATASET NAME given.",
        "DATASET COPY treated_all.",
        "DATASET COPY comparison_all.",
        "DATASET ACTIVATE treated_all.",
        "COMPUTE as_if = 1.",
        "COMPUTE treated = 1.",
        "COMPUTE event = $SYSMIS.",
        "DATASET ACTIVATE comparison_all.",
        "COMPUTE as_if = 0.",
        "COMPUTE treated = 0.",
        "COMPUTE event = $SYSMIS.",
        "DATASET ACTIVATE given.",
        "ADD FILES /FILE=* /FILE=treated_all /FILE=comparison_all.",
        f"GENLIN event (REFERENCE=FIRST){given} /MODEL {model} DISTRIBUTION=BINOMIAL LINK=LOGIT",
        "  SCALEWEIGHT=weight /CRITERIA COVB=ROBUST /SAVE MEANPRED(expected).",
        "WEIGHT BY target.",
        "SELECT IF as_if >= 0.",
        "MEANS TABLES=expected BY as_if /CELLS=MEAN.",
    ]


def _spss_rate(table: AnalysisTable) -> list[str]:
    given, model = _spss_by(table)
    return [
        "COMPUTE log_years = LN(years).",
        f"GENLIN n_events{given} /MODEL {model} DISTRIBUTION=POISSON LINK=LOG OFFSET=log_years SCALEWEIGHT=weight",
        "  /CRITERIA COVB=ROBUST /PRINT SOLUTION(EXPONENTIATED).",
    ]


def _spss_hazard(table: AnalysisTable) -> list[str]:
    strata = f" /STRATA={table.strata}" if table.strata else ""
    return [
        "* SPSS breaks ties as Breslow does; with many events on one day the ratio differs a little.",
        f"COXREG days /STATUS=event(1){strata} /METHOD=ENTER {' '.join(['treated', *table.terms])} /PRINT=CI(95).",
    ]


def _spss_mean(table: AnalysisTable) -> list[str]:
    given, model = _spss_by(table)
    return [f"GENLIN event{given} /MODEL {model} SCALEWEIGHT=weight /CRITERIA COVB=ROBUST /PRINT SOLUTION."]


def _spss_change(table: AnalysisTable) -> list[str]:
    unit = table.cluster or "id"
    model = "" if table.measure == "rate_ratio" else " WITH treated /MODEL treated"
    return [
        *(["SELECT IF treated = 1."] if table.measure == "rate_ratio" else []),
        f"AGGREGATE /OUTFILE=* MODE=REPLACE /BREAK=treated {unit} /before=SUM(before) /after=SUM(after)",
        "  /years_before=SUM(years_before) /years_after=SUM(years_after).",
        "COMPUTE total = before + after.",
        "SELECT IF total > 0.",
        "COMPUTE log_years = LN(years_after / years_before).",
        f"GENLIN after OF total{model or ' /MODEL INTERCEPT=YES'} DISTRIBUTION=BINOMIAL LINK=LOGIT OFFSET=log_years",
        "  /CRITERIA COVB=ROBUST /PRINT SOLUTION(EXPONENTIATED).",
    ]


def _spss_none(table: AnalysisTable) -> list[str]:
    return ["* SPSS has no command for areas that start at different times: use R or Stata."]


def _spss_series(table: AnalysisTable) -> list[str]:
    terms = " ".join(table.terms)
    if "control_count" in table.frame.columns:
        has = "control_population" in table.frame.columns
        return [
            "COMPUTE total = count + control_count.",
            f"COMPUTE log_ratio = {'LN(population / control_population)' if has else '0'}.",
            f"GENLIN count OF total WITH {terms} /MODEL {terms} DISTRIBUTION=BINOMIAL LINK=LOGIT OFFSET=log_ratio",
            "  /CRITERIA SCALE=PEARSON /PRINT SOLUTION(EXPONENTIATED).",
        ]
    has = "population" in table.frame.columns
    return [
        f"COMPUTE log_population = {'LN(population)' if has else '0'}.",
        f"GENLIN count WITH {terms} /MODEL {terms} DISTRIBUTION=POISSON LINK=LOG OFFSET=log_population",
        "  /CRITERIA SCALE=PEARSON /PRINT SOLUTION(EXPONENTIATED).",
    ]


def _spss_trials(table: AnalysisTable) -> list[str]:
    has_counts = "events_treated" in table.frame.columns
    kind = "Binary Outcomes > Raw Data" if has_counts else "Continuous Outcomes > Effect Size"
    return [
        f"* In SPSS 28 and newer: Analyze > Meta Analysis > {kind}, random effects, restricted maximum",
        "* likelihood, standard error by Knapp and Hartung.",
    ]


_SPSS = {
    "risk": _spss_risk,
    "odds": _spss_risk,
    "rate": _spss_rate,
    "hazard": _spss_hazard,
    "mean": _spss_mean,
    "change": _spss_change,
    "areas": _spss_none,
    "series": _spss_series,
    "trials": _spss_trials,
}
