# Reference values for the errors of a before-after ratio. Run from the project's root:
# Rscript tests/references/make_references_families.R   (needs sandwich; reads families.csv, writes golden_families.csv)
# CR1 and HC1 here correct per arm (g / (g - 1)), since each arm's change is a fit of its own: variances add up.
suppressMessages(library(sandwich))
folder <- "tests/references"
rows <- list()
put <- function(case, ...) {
  values <- c(...)
  rows[[length(rows) + 1]] <<- data.frame(case = case, quantity = names(values), value = unname(values))
}
f <- subset(read.csv(file.path(folder, "families.csv")), before + after > 0)
f$moved <- log(f$years_after / f$years_before)
control <- glm.control(epsilon = 1e-14, maxit = 100)
fits <- lapply(c(1, 0), function(arm)
  glm(cbind(after, before) ~ 1, binomial, subset(f, treated == arm), offset = moved, control = control))
squared <- function(m, type, group = NULL) {
  unit <- if (is.null(group)) seq_len(nobs(m)) else group
  g <- length(unique(unit))
  v <- vcovCL(m, unit, type = "HC0", cadjust = FALSE)[1, 1]
  switch(type, model = vcov(m)[1, 1], cr0 = v, cr1 = v * g / (g - 1))
}
put("change", estimate = unname(coef(fits[[1]])[1]),
    model = sqrt(squared(fits[[1]], "model")), cr0 = sqrt(squared(fits[[1]], "cr0")), cr1 = sqrt(squared(fits[[1]], "cr1")))
put("difference", estimate = unname(coef(fits[[1]])[1] - coef(fits[[2]])[1]),
    model = sqrt(sum(sapply(fits, squared, "model"))), cr0 = sqrt(sum(sapply(fits, squared, "cr0"))),
    cr1 = sqrt(sum(sapply(fits, squared, "cr1"))))
# leaving out each family in turn
whole <- f
one_out <- sapply(seq_len(nrow(whole)), function(i) {
  left <- whole[-i, ]
  b <- sapply(c(1, 0), function(arm) coef(glm(cbind(after, before) ~ 1, binomial, subset(left, treated == arm), offset = moved, control = control))[1])
  b[1] - b[2]
})
put("leave_one_out", lowest = min(one_out), highest = max(one_out))
# the absolute difference: treated rate after, less treated rate before times the comparison's change
t1 <- subset(read.csv(file.path(folder, "families.csv")), treated == 1)
put("difference_in_rates", estimate = sum(t1$after) / sum(t1$years_after) -
    sum(t1$before) / sum(t1$years_before) * exp(unname(coef(fits[[2]])[1])))
# E[rate | count] of a gamma-Poisson, by numerical integration
y <- 6; t <- 1.5; mean <- 2; k <- 0.8
post <- function(r) dgamma(r, shape = 1 / k, rate = 1 / (mean * k)) * dpois(y, r * t)
put("gamma_poisson", rate = integrate(function(r) r * post(r), 0, 60, rel.tol = 1e-12)$value / integrate(post, 0, 60, rel.tol = 1e-12)$value)
out <- do.call(rbind, rows)
out$value <- sprintf("%.12g", out$value)
write.csv(out, file.path(folder, "golden_families.csv"), row.names = FALSE, quote = FALSE)
