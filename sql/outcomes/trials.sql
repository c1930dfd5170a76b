-- The trials to be pooled, as they were delivered.
--
-- Grain:    one row per trial.
-- Inputs:   landing.trials.
-- Fills in: named_columns: the subgroup columns that the plan names. Quoted identifiers only.
select
    trials.trial_id,
    trials.events_treated::double as events_treated,
    trials.n_treated::double as n_treated,
    trials.events_comparison::double as events_comparison,
    trials.n_comparison::double as n_comparison,
    trials.measure,
    trials.estimate::double as estimate,
    trials.std_error::double as std_error{named_columns}
from landing.trials as trials
order by trials.trial_id
