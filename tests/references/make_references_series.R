# Golden values for tests/test_series_golden.py, by stats::glm and nlme::gls.
# Run from the project's root: Rscript tests/references/make_references_series.R
suppressPackageStartupMessages(library(nlme))
folder <- "tests/references"
golden <- data.frame(case = character(), quantity = character(), value = numeric())
put <- function(case, ...) {
  values <- list(...)
  for (name in names(values)) golden[nrow(golden) + 1, ] <<- list(case, name, as.numeric(values[[name]]))
}

# ---- data: 59 months of admissions with a population, a start after 36 months, a control, and four months missing
set.seed(20260105)
month <- 0:58
after <- as.integer(month >= 36)
population <- round(360000 + 90 * month + rnorm(59, 0, 400))
control_population <- round(510000 - 60 * month)
season <- 0.10 * sin(2 * pi * month / 12) + 0.06 * cos(2 * pi * month / 12) - 0.04 * sin(4 * pi * month / 12)
shared <- as.numeric(arima.sim(list(ar = 0.5), 59, sd = 0.04))
d <- data.frame(
  month, after, population, control_population,
  count = rpois(59, population * 0.0022 * exp(0.003 * month + season + shared - 0.11 * after)),
  control = rpois(59, control_population * 0.0018 * exp(0.002 * month + season + shared))
)
d <- d[!(d$month %in% c(7, 20, 21, 44)), ]
write.csv(d, file.path(folder, "series.csv"), row.names = FALSE)
d <- read.csv(file.path(folder, "series.csv"))

d$years <- (d$month - 36) / 12
d$since <- d$after * (d$month - 36)
for (k in 1:2) {
  d[[paste0("s", k)]] <- sin(2 * pi * k * d$month / 12)
  d[[paste0("c", k)]] <- cos(2 * pi * k * d$month / 12)
}
entry <- function(fit, name) {
  row <- summary(fit)$coefficients[name, ]
  list(estimate = exp(row[[1]]), std_error = row[[2]], p_value = row[[4]], dispersion = summary(fit)$dispersion,
       low = exp(row[[1]] - qt(0.975, fit$df.residual) * row[[2]]), high = exp(row[[1]] + qt(0.975, fit$df.residual) * row[[2]]))
}
precise <- glm.control(epsilon = 1e-14, maxit = 100)
# twice, the second time from its own end: glm keeps the weights of the step before the last
twice <- function(formula, family, data) {
  first <- do.call(glm, list(formula, family, data, control = precise))
  do.call(glm, list(formula, family, data, control = precise, start = coef(first)))
}
quasi <- function(formula, data) twice(formula, quasipoisson(), data)

do.call(put, c("raw", entry(quasi(count ~ after + offset(log(population)), d), "after")))
do.call(put, c("trend_only", entry(quasi(count ~ after + years + offset(log(population)), d), "after")))
do.call(put, c("two_harmonics", entry(quasi(count ~ after + years + s1 + c1 + s2 + c2 + offset(log(population)), d), "after")))
slope <- quasi(count ~ after + since + years + s1 + c1 + s2 + c2 + offset(log(population)), d)
do.call(put, c("level_of_two", entry(slope, "after")))
do.call(put, c("slope_of_two", entry(slope, "since")))
# the whole time after the start, with and without: delta method by numerical derivatives
X <- model.matrix(slope)
without <- X
without[, c("after", "since")] <- 0
ratio <- function(b) {
  keep <- d$after == 1
  log(sum(exp(X %*% b)[keep] * d$population[keep]) / sum(exp(without %*% b)[keep] * d$population[keep]))
}
b <- coef(slope)
g <- sapply(seq_along(b), function(j) {
  h <- 1e-6; up <- b; down <- b
  up[j] <- up[j] + h; down[j] <- down[j] - h
  (ratio(up) - ratio(down)) / (2 * h)
})
put("whole_period", estimate = exp(ratio(b)), std_error = sqrt(drop(t(g) %*% vcov(slope) %*% g)))

# against the control: one model in which every term differs, and the share of the series in both
both <- rbind(data.frame(d, y = d$count, size = d$population, own = 1), data.frame(d, y = d$control, size = d$control_population, own = 0))
joint <- quasi(y ~ (after + years + s1 + c1 + s2 + c2) * own + offset(log(size)), both)
do.call(put, c("side_by_side", entry(joint, "after:own")))
share <- twice(cbind(count, control) ~ after + years + s1 + c1 + s2 + c2 + offset(log(population / control_population)),
               quasibinomial(), d)
do.call(put, c("share", entry(share, "after")))

# correlated neighbours at a given rho: generalised least squares on the working response, until nothing changes
formula <- z ~ after + years + s1 + c1 + s2 + c2
for (rho in c(0.4, -0.2)) {
  b <- coef(quasi(count ~ after + years + s1 + c1 + s2 + c2 + offset(log(population)), d))
  for (turn in 1:50) {
    eta <- log(d$population) + drop(model.matrix(formula, transform(d, z = 0)) %*% b)
    d$inverse <- exp(-eta)
    d$z <- eta - log(d$population) + (d$count - exp(eta)) * exp(-eta)
    fit <- gls(formula, d, correlation = corAR1(rho, form = ~month, fixed = TRUE), weights = varFixed(~inverse), method = "REML")
    if (max(abs(coef(fit) - b)) < 1e-13) break
    b <- coef(fit)
  }
  put(sprintf("ar1_%g", rho), estimate = exp(coef(fit)[["after"]]), std_error = sqrt(vcov(fit)["after", "after"]), dispersion = fit$sigma^2)
}
# the restricted likelihood of rho for one fixed response, less that at rho = 0
d$z <- log(d$count / d$population)
reml <- function(rho) {
  as.numeric(logLik(gls(formula, d, correlation = corAR1(rho, form = ~month, fixed = TRUE), method = "REML")))
}
for (rho in c(-0.3, 0.3, 0.6, 0.9)) put("restricted_likelihood", value = reml(rho) - as.numeric(logLik(gls(formula, d, method = "REML"))))
golden$quantity[golden$case == "restricted_likelihood"] <- c("-0.3", "0.3", "0.6", "0.9")
golden$value <- sprintf("%.15g", as.numeric(golden$value))
write.csv(golden, file.path(folder, "golden_series.csv"), row.names = FALSE, quote = FALSE)
