"""What the experiments stand on: data, noise, trials, records, charts and pages."""
