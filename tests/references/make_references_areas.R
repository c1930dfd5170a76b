# Golden values for tests/test_areas_golden.py: base glm and lm with a dummy per area and period, errors by sandwich or
# by leaving out one area at a time; Callaway-Sant'Anna by hand from cell means.
# Run from the project's root: Rscript tests/references/make_references_areas.R
suppressPackageStartupMessages(library(sandwich))
folder <- "tests/references"
golden <- data.frame(case = character(), quantity = character(), value = numeric())
put <- function(case, ...) {
  values <- list(...)
  for (name in names(values)) golden[nrow(golden) + 1, ] <<- list(case, name, as.numeric(values[[name]]))
}

# ---- data: 30 areas, 8 periods, three starts, population that changes, a few gaps
set.seed(20260301)
n <- 30; length <- 8
start <- c(rep(4, 4), rep(5, 4), rep(6, 4), rep(NA, 18))
d <- expand.grid(period = 0:(length - 1), area = seq_len(n))
d$start <- start[d$area]
d$treated <- as.integer(!is.na(d$start) & d$period >= d$start)
d$ring <- ifelse(d$area > 24, 1, 0)
d$population <- round(exp(rnorm(n, 8, 0.5))[d$area] * exp(0.02 * d$period + rnorm(nrow(d), 0, 0.05)))
level <- rnorm(n, log(0.004), 0.4)[d$area]
d$count <- rpois(nrow(d), d$population * exp(level + 0.15 * sin(d$period) - 0.35 * d$treated + rnorm(nrow(d), 0, 0.15)))
d$value <- round(5 + 2 * level + 0.3 * d$period - 0.8 * d$treated + 0.2 * (d$ring == 1 & d$period >= 5) + rnorm(nrow(d)), 3)
d$gap <- as.integer(runif(nrow(d)) < 0.06 & d$period %in% c(1, 2, 7) & d$area > 3)
write.csv(d[, c("area", "period", "start", "treated", "ring", "population", "count", "value", "gap")],
          file.path(folder, "areas.csv"), row.names = FALSE, na = "")
d <- read.csv(file.path(folder, "areas.csv"))
d$exposed <- as.integer(d$ring == 1 & d$period >= 5)
seen <- d[d$gap == 0, ]

# ---- two-way fixed effects, with gaps and a ring
m <- lm(value ~ treated + exposed + factor(area) + factor(period), seen)
put("twoway", treated = coef(m)["treated"], ring = coef(m)["exposed"],
    model = sqrt(vcov(m)["treated", "treated"]), hc1 = sqrt(vcovHC(m, "HC1")["treated", "treated"]),
    hc3 = sqrt(vcovHC(m, "HC3")["treated", "treated"]),
    cr0 = sqrt(vcovCL(m, seen$area, type = "HC0", cadjust = FALSE)["treated", "treated"]),
    ring_hc1 = sqrt(vcovHC(m, "HC1")["exposed", "exposed"]))
# clubSandwich's CR3 fails on areas' own dummies, so the jackknife itself
left <- sapply(unique(seen$area), function(i) coef(lm(formula(m), seen[seen$area != i, ]))["treated"])
put("twoway", cr3 = sqrt(sum((left - coef(m)["treated"])^2)))
k <- length(unique(seen$period)) + 2
g <- length(unique(seen$area))
put("twoway", cr1 = sqrt(vcovCL(m, seen$area, type = "HC0", cadjust = FALSE)["treated", "treated"] *
                           g / (g - 1) * (nrow(seen) - 1) / (nrow(seen) - k)))

# ---- Poisson: cohort x period terms without a population equal what untreated area-periods predict
cell <- ifelse(d$treated == 1, paste(d$start, d$period), "none")
d$cell <- relevel(factor(cell), "none")
p <- glm(count ~ factor(area) + factor(period) + cell, poisson, d, control = glm.control(1e-14, 100))
term <- grepl("^cell", names(coef(p)))
beta <- model.matrix(p)[, term] %*% coef(p)[term]
one <- d$treated == 1
put("poisson_cells", log_ratio = log(sum(fitted(p)[one]) / sum(fitted(p)[one] * exp(-beta[one]))))
# ---- with a population that changes and gaps: every treated area-period free, so the fit is that of the rest
untreated <- d[d$gap == 0 & d$treated == 0, ]
asked <- d[d$gap == 0 & d$treated == 1, ]
ratio <- function(untreated, asked) {
  q <- glm(count ~ factor(area) + factor(period) + offset(log(population)), poisson, untreated,
           control = glm.control(1e-14, 100))
  log(sum(asked$count) / sum(predict(q, asked, type = "response")))
}
full <- ratio(untreated, asked)
left <- sapply(seq_len(n), function(i) ratio(untreated[untreated$area != i, ], asked[asked$area != i, ]))
put("poisson_population", log_ratio = full, jackknife = sqrt(sum((left - full)^2)))

# ---- Callaway-Sant'Anna on rates, not yet treated, areas without gaps alike
d$rate <- d$count / d$population
simple <- function(d) {
  y <- xtabs(rate ~ area + period, d); s <- d$start[match(rownames(y), d$area)]; s[is.na(s)] <- Inf
  num <- 0; den <- 0; seen <- 0
  for (g in sort(unique(s[is.finite(s)]))) for (t in g:(length - 1)) {
    own <- s == g; rest <- s > t
    change <- y[, as.character(t)] - y[, as.character(g - 1)]
    num <- num + sum(own) * (mean(change[own]) - mean(change[rest])); den <- den + sum(own)
    seen <- seen + sum(y[own, as.character(t)])
  }
  c(att = num / den, log_ratio = log((seen / den) / (seen / den - num / den)))
}
full <- simple(d)
left <- sapply(seq_len(n), function(i) simple(d[d$area != i, ]))
put("callaway_santanna", att = full["att"], log_ratio = full["log_ratio"],
    jackknife = sqrt(sum((left["att", ] - full["att"])^2)),
    jackknife_ratio = sqrt(sum((left["log_ratio", ] - full["log_ratio"])^2)))

golden$value <- format(golden$value, digits = 16, trim = TRUE, scientific = FALSE)
write.csv(golden, file.path(folder, "golden_areas.csv"), row.names = FALSE, quote = FALSE)
