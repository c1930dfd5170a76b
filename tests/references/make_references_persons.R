# Golden values for small numbers in designs on persons: penalised Cox and odds ratios.
# Rscript tests/references/make_references_persons.R, from the project's root, after make_references.R (persons.csv).

library(survival)
library(sandwich)

folder <- "tests/references"
persons <- read.csv(file.path(folder, "persons.csv"))
golden <- data.frame(case = character(), quantity = character(), value = numeric())
keep <- function(case, ...) {
  values <- c(...)
  golden <<- rbind(golden, data.frame(case = case, quantity = names(values), value = unname(values)))
}

# Firth's penalised partial likelihood by brute force: survival gives log likelihood and information at any beta.
at <- function(formula, data, beta, ties) {
  fit <- suppressWarnings(coxph(formula, data, init = beta, ties = ties, control = coxph.control(iter.max = 0)))
  fit$loglik[2] - as.numeric(determinant(as.matrix(fit$var))$modulus) / 2
}
penalised <- function(case, formula, data, p, ties = "efron") {
  minus <- function(beta) -at(formula, data, beta, ties)
  found <- if (p == 1) optimize(function(b) minus(b), c(-8, 8), tol = 1e-10) else
    optim(rep(0, p), minus, method = "BFGS", control = list(reltol = 1e-14, maxit = 500))
  best <- if (p == 1) found$minimum else found$par
  top <- -minus(best)
  gap <- function(c) {
    inner <- if (p == 1) minus(c) else
      optim(best[-1], function(rest) minus(c(c, rest)), method = "BFGS", control = list(reltol = 1e-14))$value
    2 * (top + inner) - qchisq(.95, 1)
  }
  limit <- function(side) tryCatch(
    uniroot(gap, sort(best[1] + c(0, side * 6)), tol = 1e-8)$root, error = function(e) NA)
  keep(case, log_ratio = best[1], low = limit(-1), high = limit(1))
}

few <- persons[seq(1, nrow(persons), by = 3), ]
few$rank <- ave(few$days, few$treated, few$event, FUN = rank)
few$rare <- as.numeric(few$event == 1 & few$rank <= ifelse(few$treated == 1, 3, 9))
none <- few
none$rare[none$treated == 1] <- 0
write.csv(few[, c("days", "rare", "treated", "age", "sex")], file.path(folder, "few_events.csv"), row.names = FALSE)

penalised("firth_cox", Surv(days, rare) ~ treated, few, 1)
penalised("firth_cox_adjusted", Surv(days, rare) ~ treated + age + sex, few, 3)
penalised("firth_cox_strata", Surv(days, rare) ~ treated + age + strata(sex), few, 2)
penalised("firth_cox_none", Surv(days, rare) ~ treated + age, none, 2)

# Without covariates the marginal odds ratio is the model's own.
fit <- glm(event ~ treated, binomial, persons)
keep("odds_raw",
  log_ratio = unname(coef(fit)[2]), se_model = sqrt(vcov(fit)[2, 2]), se_hc1 = sqrt(vcovHC(fit, "HC1")[2, 2]),
  se_hc3 = sqrt(vcovHC(fit, "HC3")[2, 2]))

write.csv(golden, file.path(folder, "golden_persons.csv"), row.names = FALSE)
