# Golden values for tests/test_trials_*.py: metafor for what it has, lm for tests of asymmetry, mantelhaen.test for the exact
# common odds ratio, and plain numerical integration for the likelihood of the counts.
# Run from the project's root: Rscript tests/references/make_references_trials.R   (R with metafor from Debian)
suppressPackageStartupMessages(library(metafor))
folder <- "tests/references"
golden <- data.frame(case = character(), quantity = character(), value = numeric())
put <- function(case, ...) {
  values <- list(...)
  for (name in names(values)) golden[nrow(golden) + 1, ] <<- list(case, name, as.numeric(values[[name]]))
}
tight <- list(threshold = 1e-13, maxiter = 10000)
tight_root <- list(tol = 1e-13, maxiter = 10000)

# ---- data: two published sets, and one with empty cells (the last trial has no event at all)
sparse <- data.frame(
  trial_id = paste0("t", 1:9),
  events_treated = c(0, 2, 1, 0, 3, 1, 0, 2, 0), n_treated = c(40, 55, 120, 33, 80, 61, 25, 140, 30),
  events_comparison = c(3, 4, 0, 2, 7, 3, 1, 6, 0), n_comparison = c(42, 50, 118, 35, 85, 20, 50, 139, 31))
write.csv(sparse, file.path(folder, "trials_sparse.csv"), row.names = FALSE, quote = FALSE)
sets <- list(
  scared = read.csv("programmes/deliveries/scared-straight/trials.csv"),
  cbt = read.csv("programmes/deliveries/cbt-for-offenders/trials.csv"),
  sparse = sparse)

with_counts <- function(f, d, ...) f(ai = d$events_treated, n1i = d$n_treated, ci = d$events_comparison, n2i = d$n_comparison, ...)

for (set in names(sets)) for (measure in c("OR", "RR", "RD")) {
  d <- sets[[set]]
  case <- paste(set, measure, sep = "_")
  e <- with_counts(escalc, d, measure = measure, drop00 = measure != "RD")
  e <- e[!is.na(e$yi), ]
  for (i in seq_len(min(nrow(e), 3))) do.call(put, setNames(list(case, e$yi[i], e$vi[i]), c("case", paste0(c("y", "v"), i))))
  # Hartung and Knapp's error; where no variance between trials is seen not below Wald's
  wald <- rma(yi, vi, data = e, control = tight)
  fits <- list(reml_hk = rma(yi, vi, data = e, test = if (wald$tau2 > 0) "knha" else "adhoc", control = tight), reml_wald = wald,
               dl_wald = rma(yi, vi, data = e, method = "DL"),
               pmm_hk = update(rma(yi, vi, data = e, method = "PMM", control = tight_root), test = "knha"))
  if (fits$pmm_hk$tau2 == 0) fits$pmm_hk <- update(fits$pmm_hk, test = "adhoc")
  for (name in names(fits)) {
    m <- fits[[name]]; p <- predict(m)
    put(paste(case, name, sep = "_"), estimate = m$b, std_error = m$se, low = m$ci.lb, high = m$ci.ub, p_value = m$pval,
        tau2 = m$tau2, predict_low = p$pi.lb, predict_high = p$pi.ub)
  }
  between <- confint(fits$reml_wald, control = list(tol = 1e-12, maxiter = 10000))$random["tau^2", ]
  put(case, q = fits$reml_wald$QE, q_p = fits$reml_wald$QEp, tau2_low = between["ci.lb"], tau2_high = between["ci.ub"])
  mh <- with_counts(rma.mh, d, measure = measure, correct = FALSE, add = c(1/2, 0), to = c("only0", "none"), drop00 = c(TRUE, FALSE))
  put(paste(case, "mh", sep = "_"), estimate = mh$b, std_error = mh$se, low = mh$ci.lb, high = mh$ci.ub, p_value = mh$pval)
  egger <- summary(lm(e$yi ~ sqrt(e$vi), weights = 1 / e$vi))$coefficients
  put(paste(case, "egger", sep = "_"), slope = egger[2, 1], std_error = egger[2, 2], p_value = egger[2, 4])
  if (measure != "RD") {
    used <- d$events_treated + d$events_comparison > 0
    n <- (d$n_treated + d$n_comparison)[used]; events <- (d$events_treated + d$events_comparison)[used]
    peters <- summary(lm(e$yi ~ I(1 / n), weights = events * (n - events) / n))$coefficients
    put(paste(case, "peters", sep = "_"), slope = peters[2, 1], std_error = peters[2, 2], p_value = peters[2, 4])
  }
  if (set == "scared") for (i in 1:nrow(e)) {
    m <- rma(yi, vi, data = e[-i, ], control = tight)
    m <- update(m, test = if (m$tau2 > 0) "knha" else "adhoc")
    put(paste0(case, "_without", i), estimate = m$b, std_error = m$se)
  }
}

# ---- the likelihood of the counts: metafor's conditional exact model, and the same by brute force with its profile limits
exact <- with_counts(rma.glmm, sets$scared, measure = "OR", model = "CM.EL", control = list(dnchgcalc = "dnoncenhypergeom"))
put("scared_OR_cmel", estimate = exact$b, tau2 = exact$tau2)
log_term <- function(d, i, measure) {
  a <- d$events_treated[i]; n1 <- d$n_treated[i]; n0 <- d$n_comparison[i]; m <- a + d$events_comparison[i]
  if (measure == "RR") return(function(theta) dbinom(a, m, plogis(theta + log(n1 / n0)), log = TRUE))
  x <- max(0, m - n0):min(n1, m)
  weight <- lchoose(n1, x) + lchoose(n0, m - x); weight <- weight - max(weight)
  function(theta) sapply(theta, function(t) {
    at <- weight + t * x
    at[x == a] - max(at) - log(sum(exp(at - max(at))))
  })
}
brute <- function(d, measure) {
  d <- d[d$events_treated + d$events_comparison > 0, ]
  terms <- lapply(seq_len(nrow(d)), function(i) log_term(d, i, measure))
  loglik <- function(mu, tau) sum(sapply(terms, function(term) {
    if (tau < 1e-5) return(term(mu))
    log(integrate(function(z) exp(term(mu + tau * z)) * dnorm(z), -9, 9, rel.tol = 1e-10, subdivisions = 2000)$value)
  }))
  profile <- function(mu) max(loglik(mu, 0), optimize(function(tau) loglik(mu, tau), c(0, 3), maximum = TRUE, tol = 1e-6)$objective)
  top <- optimize(profile, c(-4, 4), maximum = TRUE, tol = 1e-7)
  gap <- function(mu) profile(mu) - top$objective + qchisq(0.95, 1) / 2
  list(estimate = top$maximum, low = uniroot(gap, c(top$maximum - 5, top$maximum), tol = 1e-7)$root,
       high = uniroot(gap, c(top$maximum, top$maximum + 5), tol = 1e-7)$root,
       p_value = pchisq(2 * (top$objective - profile(0)), 1, lower.tail = FALSE))
}
for (set in c("scared", "sparse")) for (measure in c("OR", "RR"))
  do.call(put, c(list(case = paste(set, measure, "exact", sep = "_")), brute(sets[[set]], measure)))

# ---- one arm without events in any trial: the exact common odds ratio
bound <- data.frame(events_treated = c(0, 0, 0), n_treated = c(30, 25, 41), events_comparison = c(2, 3, 1), n_comparison = c(31, 24, 40))
tables <- function(d) array(rbind(d$events_treated, d$n_treated - d$events_treated, d$events_comparison,
                                  d$n_comparison - d$events_comparison), c(2, 2, nrow(d)))
for (case in list(list("bound", bound), list("scared", sets$scared))) {
  m <- mantelhaen.test(tables(case[[2]]), exact = TRUE)
  put(paste0(case[[1]], "_exact_common"), low = m$conf.int[1], high = m$conf.int[2], estimate = m$estimate)
}

# ---- Hartung and Knapp where trials happen to agree, and where there are three
for (case in list(list("agree", c(-0.31, -0.30, -0.29, -0.30), rep(0.04, 4)), list("three", c(-0.5, 0.1, -0.2), c(0.03, 0.05, 0.02)))) {
  for (test in c("knha", "adhoc", "z")) {
    m <- rma(case[[2]], case[[3]], test = test, control = tight); p <- predict(m)
    put(paste(case[[1]], test, sep = "_"), estimate = m$b, low = m$ci.lb, high = m$ci.ub, predict_low = p$pi.lb, predict_high = p$pi.ub)
  }
}
write.csv(golden, file.path(folder, "golden_trials.csv"), row.names = FALSE, quote = FALSE)
