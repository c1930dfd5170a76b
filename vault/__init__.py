"""What opens a vault: intake of deliveries, cohort and outcomes by the statements in `sql/`, frames out, results in."""
