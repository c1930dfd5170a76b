# Golden values for tests/test_estimators_*.py, made by other people's code (survival, sandwich, clubSandwich) or, where there
# is none, by plain numerical differentiation and optimisation that share nothing with ours.
# Run from the project's root: Rscript tests/references/make_references.R
suppressPackageStartupMessages({
  library(survival); library(sandwich); library(clubSandwich)
})
folder <- "tests/references"
golden <- data.frame(case = character(), quantity = character(), value = numeric())
put <- function(case, ...) {
  values <- list(...)
  for (name in names(values)) golden[nrow(golden) + 1, ] <<- list(case, name, as.numeric(values[[name]]))
}

# ---- data: 400 persons in 24 sites, treated more often at higher priors; rounded so that the CSV holds them exactly
set.seed(20260101)
n <- 400
site <- rep(seq_len(24), length.out = n)
age <- round(rnorm(n, 17, 2), 1)
priors <- rpois(n, 1.5)
sex <- rbinom(n, 1, 0.3)
block <- rep(1:4, each = n / 4)
pull <- rnorm(24, 0, 0.5)[site]
treated <- rbinom(n, 1, plogis(-0.6 + 0.25 * priors - 0.1 * (age - 17) + 0.3 * sex))
event <- rbinom(n, 1, plogis(-0.9 - 0.4 * treated + 0.3 * priors - 0.4 * sex + pull))
years <- round(runif(n, 0.3, 1), 2)
n_events <- rpois(n, years * exp(-0.3 - 0.4 * treated + 0.25 * priors - 0.3 * sex + pull) * rgamma(n, 2, 2))
value <- round(10 + 1.5 * treated + priors - 0.5 * sex + pull * 2 + rnorm(n, 0, 1 + 0.4 * priors), 2)
fate <- ceiling(rexp(n, exp(-0.2 - 0.4 * treated + 0.25 * priors + pull)) * 40)
end <- sample(20:52, n, replace = TRUE)
days <- pmin(fate, end)
first_event <- as.integer(fate <= end)
weight <- round(runif(n, 0.2, 3), 2)
d <- data.frame(site, block, age, priors, sex, treated, event, n_events, years, value, days, first_event, weight)
write.csv(d, file.path(folder, "persons.csv"), row.names = FALSE)
d <- read.csv(file.path(folder, "persons.csv"))

# glm keeps the weights of the step before the last; starting from its own end makes them those of the end.
fit_glm <- function(formula, family, data, ...) {
  control <- glm.control(epsilon = 1e-14, maxit = 100)
  call <- match.call(); call[[1]] <- quote(glm); call$control <- control
  first <- eval(call, parent.frame()); call$start <- coef(first)
  eval(call, parent.frame())
}

# ---- Poisson rates
m <- fit_glm(n_events ~ treated + age + priors + sex + offset(log(years)), poisson, d)
put("poisson", estimate = coef(m)["treated"], model = sqrt(vcov(m)["treated", "treated"]),
    hc0 = sqrt(vcovHC(m, "HC0")["treated", "treated"]), hc1 = sqrt(vcovHC(m, "HC1")["treated", "treated"]),
    hc3 = sqrt(vcovHC(m, "HC3")["treated", "treated"]),
    cr0 = sqrt(vcovCL(m, d$site, type = "HC0", cadjust = FALSE)["treated", "treated"]),
    cr1 = sqrt(vcovCL(m, d$site, type = "HC1")["treated", "treated"]),
    cr3 = sqrt(vcovCR(m, d$site, type = "CR3")["treated", "treated"]))
b <- fit_glm(n_events ~ treated + age + priors + sex + factor(block) + offset(log(years)), poisson, d)
put("poisson_blocks", estimate = coef(b)["treated"], hc3 = sqrt(vcovHC(b, "HC3")["treated", "treated"]))
w <- fit_glm(n_events ~ treated + age + priors + sex + offset(log(years)), quasipoisson, d, weights = weight)
put("poisson_weighted", estimate = coef(w)["treated"], hc0 = sqrt(sandwich(w)["treated", "treated"]))

# ---- least squares
l <- lm(value ~ treated + age + priors + sex, d)
put("mean", estimate = coef(l)["treated"], model = sqrt(vcov(l)["treated", "treated"]),
    model_low = confint(l)["treated", 1], hc1 = sqrt(vcovHC(l, "HC1")["treated", "treated"]),
    hc3 = sqrt(vcovHC(l, "HC3")["treated", "treated"]),
    cr1 = sqrt(vcovCL(l, d$site, type = "HC1")["treated", "treated"]),
    cr3 = sqrt(vcovCR(l, d$site, type = "CR3")["treated", "treated"]))

# ---- raw ratios: the log-link Poisson model of the arm alone, on a 0/1 outcome
r <- fit_glm(event ~ treated, poisson, d)
put("raw_risk", estimate = coef(r)["treated"], hc0 = sqrt(vcovHC(r, "HC0")["treated", "treated"]),
    hc1 = sqrt(vcovHC(r, "HC1")["treated", "treated"]), hc3 = sqrt(vcovHC(r, "HC3")["treated", "treated"]),
    cr1 = sqrt(vcovCL(r, d$site, type = "HC1")["treated", "treated"]))

# ---- Cox, Efron's ties
tight <- coxph.control(eps = 1e-13, toler.chol = 1e-14, iter.max = 100)
c1 <- coxph(Surv(days, first_event) ~ treated + age + priors + sex, d, ties = "efron", control = tight)
c2 <- coxph(Surv(days, first_event) ~ treated + age + priors + sex + cluster(id), transform(d, id = seq_len(n)), ties = "efron", control = tight)
c3 <- coxph(Surv(days, first_event) ~ treated + age + priors + sex + cluster(site), d, ties = "efron", control = tight)
c4 <- coxph(Surv(days, first_event) ~ treated + age + priors + sex + strata(block) + cluster(site), d, ties = "efron", control = tight)
c5 <- coxph(Surv(days, first_event) ~ treated + age + priors + sex + cluster(site), d, weights = weight, ties = "efron", control = tight)
put("cox", estimate = coef(c1)["treated"], model = sqrt(vcov(c1)["treated", "treated"]), log_likelihood = c1$loglik[2],
    hc0 = sqrt(vcov(c2)["treated", "treated"]), cr0 = sqrt(vcov(c3)["treated", "treated"]))
put("cox_strata", estimate = coef(c4)["treated"], cr0 = sqrt(vcov(c4)["treated", "treated"]), log_likelihood = c4$loglik[2])
put("cox_weighted", estimate = coef(c5)["treated"], cr0 = sqrt(vcov(c5)["treated", "treated"]), log_likelihood = c5$loglik[2])

# ---- Kaplan-Meier
k <- survfit(Surv(days, first_event) ~ 1, d, conf.type = "log-log")
for (day in c(5, 20, 50)) {
  s <- summary(k, times = day)
  put(paste0("km_", day), incidence = 1 - s$surv, std_error = s$std.err, low = 1 - s$upper, high = 1 - s$lower)
}
kw <- summary(survfit(Surv(days, first_event) ~ 1, d, weights = weight), times = 20)
put("km_weighted_20", incidence = 1 - kw$surv)

# ---- before and after: grouped binomial per cluster, CR3
set.seed(79)
clusters <- 40
arm <- rep(1:0, c(12, 28))
base <- rgamma(clusters, 1, 0.35)
families <- data.frame(
  family = seq_len(clusters), treated = arm, before = rpois(clusters, base * 1.2),
  after = rpois(clusters, base * ifelse(arm == 1, 0.6, 0.9)),
  years_before = round(runif(clusters, 0.5, 1.5), 2), years_after = round(runif(clusters, 0.5, 1.5), 2))
write.csv(families, file.path(folder, "families.csv"), row.names = FALSE)
f <- subset(read.csv(file.path(folder, "families.csv")), before + after > 0)
f$moved <- log(f$years_after / f$years_before)
one <- fit_glm(cbind(after, before) ~ 1, binomial, subset(f, treated == 1), offset = moved)
put("change", estimate = coef(one)[1], clusters = sum(f$treated),
    cr3 = sqrt(vcovCR(one, f$family[f$treated == 1], type = "CR3")[1, 1]))
two <- fit_glm(cbind(after, before) ~ treated, binomial, f, offset = moved)
put("difference_in_change", estimate = coef(two)["treated"], cr3 = sqrt(vcovCR(two, f$family, type = "CR3")["treated", "treated"]))

# ---- stacked M-estimation by brute force: all estimating equations of one person, a numerical Jacobian, a sandwich
solve_stack <- function(psi, start) {
  theta <- start
  jacobian <- function(theta) {
    total <- function(at) colSums(psi(at))
    sapply(seq_along(theta), function(j) {
      h <- 1e-4 * max(1, abs(theta[j])); up <- down <- up2 <- down2 <- theta
      up[j] <- up[j] + h; down[j] <- down[j] - h; up2[j] <- up2[j] + 2 * h; down2[j] <- down2[j] - 2 * h
      (8 * (total(up) - total(down)) - (total(up2) - total(down2))) / (12 * h)
    })
  }
  for (i in 1:100) {
    step <- solve(jacobian(theta), colSums(psi(theta)))
    theta <- theta - step
    if (max(abs(step)) < 1e-11) break
  }
  inverse <- solve(jacobian(theta))
  influence <- -psi(theta) %*% t(inverse)
  list(theta = theta, influence = influence)
}
errors <- function(fit, contrast) {
  values <- fit$influence %*% contrast
  c(hc0 = sqrt(sum(values^2)), cr0 = sqrt(sum(tapply(values, d$site, sum)^2)))
}
X <- scale(as.matrix(d[, c("age", "priors", "sex")]))
Z <- cbind(1, X)
q <- ncol(Z)
t1 <- d$treated
# A recipe: weight and target share as functions of the weight's parameters g, and the equations of g.
recipes <- list(
  gcomp_ate = list(start = numeric(0), w = function(g) rep(1, n), share = function(g) rep(1, n), eq = function(g) NULL),
  gcomp_att = list(start = numeric(0), w = function(g) rep(1, n), share = function(g) t1, eq = function(g) NULL),
  overlap_ato = list(
    start = rep(0, q), w = function(g) { e <- plogis(Z %*% g); t1 * (1 - e) + (1 - t1) * e },
    share = function(g) { e <- plogis(Z %*% g); e * (1 - e) }, eq = function(g) Z * as.vector(t1 - plogis(Z %*% g))),
  ipw_att = list(
    start = rep(0, q), w = function(g) t1 + (1 - t1) * exp(Z %*% g), share = function(g) t1,
    eq = function(g) Z * as.vector(t1 - plogis(Z %*% g))),
  ipw_ate = list(
    start = rep(0, q), w = function(g) { e <- plogis(Z %*% g); t1 / e + (1 - t1) / (1 - e) },
    share = function(g) rep(1, n), eq = function(g) Z * as.vector(t1 - plogis(Z %*% g))),
  entropy_att = list(
    start = rep(0, q), w = function(g) t1 + (1 - t1) * exp(Z %*% g), share = function(g) t1,
    eq = function(g) Z * as.vector(t1 - (1 - t1) * exp(Z %*% g))),
  entropy_ate = list(
    start = rep(0, 2 * q),
    w = function(g) t1 * exp(Z %*% g[1:q]) + (1 - t1) * exp(Z %*% g[q + 1:q]), share = function(g) rep(1, n),
    eq = function(g) cbind(Z * as.vector(1 - t1 * exp(Z %*% g[1:q])), Z * as.vector(1 - (1 - t1) * exp(Z %*% g[q + 1:q])))))
D <- cbind(1, t1, X); D1 <- cbind(1, 1, X); D0 <- cbind(1, 0, X); p <- ncol(D)
for (name in names(recipes)) {
  rec <- recipes[[name]]; k <- length(rec$start); here <- function(th) th[seq_len(k)]
  risk <- function(th) {
    g <- here(th); beta <- th[k + 1:p]; w <- as.vector(rec$w(g)); s <- as.vector(rec$share(g))
    cbind(rec$eq(g), D * (w * as.vector(d$event - plogis(D %*% beta))),
          s * (plogis(D1 %*% beta) - th[k + p + 1]), s * (plogis(D0 %*% beta) - th[k + p + 2]))
  }
  fit <- solve_stack(risk, c(rec$start, rep(0, p), 0.4, 0.4)); m1 <- fit$theta[k + p + 1]; m0 <- fit$theta[k + p + 2]
  a <- errors(fit, c(rep(0, k + p), 1 / m1, -1 / m0)); b <- errors(fit, c(rep(0, k + p), 1, -1))
  put(paste0("risk_", name), treated = m1, comparison = m0, log_ratio_hc0 = a["hc0"], log_ratio_cr0 = a["cr0"],
      difference_hc0 = b["hc0"], difference_cr0 = b["cr0"])
  rate <- function(th) {
    g <- here(th); beta <- th[k + 1:p]; w <- as.vector(rec$w(g)); s <- as.vector(rec$share(g)) * d$years
    cbind(rec$eq(g), D * (w * as.vector(d$n_events - d$years * exp(D %*% beta))),
          s * (exp(D1 %*% beta) - th[k + p + 1]), s * (exp(D0 %*% beta) - th[k + p + 2]))
  }
  fit <- solve_stack(rate, c(rec$start, rep(0, p), 0.8, 0.8)); m1 <- fit$theta[k + p + 1]; m0 <- fit$theta[k + p + 2]
  a <- errors(fit, c(rep(0, k + p), 1 / m1, -1 / m0)); b <- errors(fit, c(rep(0, k + p), 1, -1))
  put(paste0("rate_", name), treated = m1, comparison = m0, log_ratio_hc0 = a["hc0"], log_ratio_cr0 = a["cr0"],
      difference_hc0 = b["hc0"], difference_cr0 = b["cr0"])
}
lg <- fit_glm(event ~ treated + age + priors + sex, binomial, d)
at <- function(v) { nd <- d; nd$treated <- v; model.matrix(~ treated + age + priors + sex, nd) }
mu1 <- plogis(at(1) %*% coef(lg)); mu0 <- plogis(at(0) %*% coef(lg))
grad <- colMeans(at(1) * as.vector(mu1 * (1 - mu1))) / mean(mu1) - colMeans(at(0) * as.vector(mu0 * (1 - mu0))) / mean(mu0)
put("risk_model", estimate = log(mean(mu1) / mean(mu0)), model = sqrt(grad %*% vcov(lg) %*% grad))

# ---- Firth's penalised likelihood and its profile, by a general optimiser
few <- d[1:150, ]
few$rare <- as.integer(few$event == 1 & few$priors >= 2 & few$sex == 0 & few$age > 16)
Xf <- cbind(1, few$treated, few$age - 17, few$priors)
penalised <- function(beta, family) {
  eta <- as.vector(Xf %*% beta)
  if (family == "binomial") { mu <- plogis(eta); v <- mu * (1 - mu); ll <- sum(few$rare * eta - log1p(exp(eta))) }
  else { mu <- exp(eta); v <- mu; ll <- sum(few$rare * eta - mu) }
  ll + as.numeric(determinant(crossprod(Xf * sqrt(v)))$modulus) / 2
}
for (family in c("binomial", "poisson")) {
  climb <- function(start, f) {
    for (i in 1:30) { o <- optim(start, f, method = "BFGS", control = list(fnscale = -1, reltol = 1e-15, maxit = 2000, ndeps = rep(1e-5, length(start)))); start <- o$par }
    o
  }
  top <- climb(c(-2, 0, 0, 0), function(b) penalised(b, family))
  gap <- function(value) {
    o <- climb(top$par[-2], function(b) penalised(c(b[1], value, b[2:3]), family))
    2 * (top$value - o$value) - qchisq(0.95, 1)
  }
  put(paste0("firth_", family), events = sum(few$rare), estimate = top$par[2],
      low = uniroot(gap, c(top$par[2] - 5, top$par[2]), tol = 1e-9)$root,
      high = uniroot(gap, c(top$par[2], top$par[2] + 5), tol = 1e-9)$root)
}

# ---- score intervals by brute force (restricted likelihood by search), and exact rates
miettinen <- function(x1, n1, x0, n0, ratio) {
  p1 <- x1 / n1; p0 <- x0 / n0; N <- n1 + n0
  statistic <- function(theta) {
    up <- if (ratio) min(1, 1 / theta) else min(1, 1 - theta)
    down <- if (ratio) 0 else max(0, -theta)
    ll <- function(q) { q1 <- if (ratio) theta * q else q + theta; dbinom(x1, n1, q1, TRUE) + dbinom(x0, n0, q, TRUE) }
    q0 <- optimize(ll, c(down + 1e-12, up - 1e-12), maximum = TRUE, tol = 1e-13)$maximum
    q1 <- if (ratio) theta * q0 else q0 + theta
    v <- if (ratio) q1 * (1 - q1) / n1 + theta^2 * q0 * (1 - q0) / n0 else q1 * (1 - q1) / n1 + q0 * (1 - q0) / n0
    (if (ratio) p1 - theta * p0 else p1 - p0 - theta) / sqrt(v * N / (N - 1))
  }
  z <- qnorm(0.975)
  centre <- if (ratio) p1 / p0 else p1 - p0
  ends <- if (ratio) c(1e-4, 1e4) else c(-0.9999, 0.9999)
  c(low = uniroot(function(v) statistic(v) - z, c(ends[1], centre), tol = 1e-12)$root,
    high = uniroot(function(v) statistic(v) + z, c(centre, ends[2]), tol = 1e-12)$root)
}
for (counts in list(c(48, 216, 66, 216), c(2, 60, 9, 60), c(56, 70, 48, 80))) {
  label <- paste(counts, collapse = "_")
  put(paste0("score_ratio_", label), low = miettinen(counts[1], counts[2], counts[3], counts[4], TRUE)["low"],
      high = miettinen(counts[1], counts[2], counts[3], counts[4], TRUE)["high"])
  put(paste0("score_difference_", label), low = miettinen(counts[1], counts[2], counts[3], counts[4], FALSE)["low"],
      high = miettinen(counts[1], counts[2], counts[3], counts[4], FALSE)["high"])
}
e <- poisson.test(c(2, 9), c(58.5, 61))
put("exact_rates", estimate = e$estimate, low = e$conf.int[1], high = e$conf.int[2])

golden$value <- trimws(formatC(golden$value, digits = 17, format = "g"))
write.csv(golden, file.path(folder, "golden.csv"), row.names = FALSE, quote = FALSE)
info <- capture.output(print(sessionInfo(), locale = FALSE, tzone = FALSE))
writeLines(grep("^(BLAS|LAPACK|Running|Matrix products)", info, invert = TRUE, value = TRUE), file.path(folder, "session_info.txt"))
