"""When and how it runs: definitions, jobs, schedules, sensors, the command line."""
