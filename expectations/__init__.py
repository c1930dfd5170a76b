"""Great Expectations suites and our own expectations: table and suite in, outcomes out. No Dagster."""
