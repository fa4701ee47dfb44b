//! Arguments of `metrics`.

use clap::Subcommand;

/// `finstage metrics`
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum Metrics {
    /// A dashboard for Grafana, as JSON to import
    #[command(after_help = "Example:  finstage metrics dashboard > finstage-dashboard.json")]
    Dashboard,
    /// Alert rules for Prometheus, as YAML for its rule_files
    #[command(
        after_help = "The job of the scrape is to be called finstage.\n\nExample:  finstage metrics rules > /etc/prometheus/finstage-rules.yml"
    )]
    Rules,
}
