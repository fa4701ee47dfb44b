//! Cards as JSON, CSV and a table.

use std::path::Path;

use finstage_model::Card;
use finstage_research::evidence::Evidence;

use crate::cli::Global;
use crate::commands::{print_json, print_table};
use crate::exit::{Exit, Failure, Result};

/// A form of figures, by the ending of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Csv,
}

impl Form {
    pub(super) fn of(path: &Path) -> Result<Self> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("json") => Ok(Self::Json),
            Some("csv") => Ok(Self::Csv),
            _ => {
                let shown = path.display();
                Err(Failure::usage(format!("-o {shown}: the name must end in .json or .csv")))
            }
        }
    }

    pub(super) fn write(self, path: &Path, evidence: &Evidence) -> Result<()> {
        let text = match self {
            Self::Json => {
                let text = serde_json::to_string_pretty(evidence).map_err(Failure::usage)?;
                text + "\n"
            }
            Self::Csv => csv(evidence),
        };
        write(path, text.as_bytes())
    }
}

pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes)
        .map_err(|e| Failure::new(Exit::Store, format!("writing {}: {e}", path.display())))
}

pub(super) fn show(global: &Global, evidence: &Evidence) -> Result<()> {
    if global.json {
        return print_json(evidence);
    }
    let names = [
        "verdict", "grade", "strategy", "scope", "horizon", "claim", "n", "n_eff", "hit", "usual",
        "net", "low", "high", "p", "q", "words",
    ];
    print_table(&names, &evidence.rows.iter().map(cells).collect::<Vec<_>>())
}

fn cells(card: &Card) -> Vec<String> {
    let dash = || "-".to_owned();
    let percent = |value: Option<f64>, digits: usize| {
        value.map_or_else(dash, |value| format!("{:.digits$}%", 100.0 * value))
    };
    let chance = |value: Option<f64>| value.map_or_else(dash, |value| format!("{value:.4}"));
    vec![
        card.verdict.to_string(),
        card.grade.map_or_else(dash, |grade| grade.as_str().to_owned()),
        card.strategy.clone(),
        card.scope.clone(),
        card.horizon.to_string(),
        card.claim.to_string(),
        card.n.to_string(),
        card.n_eff.to_string(),
        percent(card.hit_rate, 1),
        percent(card.base_rate, 1),
        percent(card.theta_net, 2),
        percent(card.net_low, 2),
        percent(card.net_high, 2),
        chance(card.p_value),
        chance(card.q_value),
        card.words.clone(),
    ]
}

/// The figures that are relied on, then what a table program can use besides.
fn csv(evidence: &Evidence) -> String {
    let mut text = String::from(
        "strategy,scope,horizon,claim,n,n_eff,base_rate,hit_rate,hit_low,hit_high,mean_return,\
         p_value,q_value,verdict,reasons,grade,interval,direction,theta,theta_net,net_low,net_high,\
         se,mde,shrunken,p_boot,p_t,q_by,psr,dsr,family,look,threshold,from,to,id,words\n",
    );
    for card in &evidence.rows {
        let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
        let moment = |value: Option<finstage_model::Timestamp>| {
            value.map_or_else(String::new, |v| v.to_string())
        };
        let reasons: Vec<&str> = card.reasons.iter().map(|reason| reason.as_str()).collect();
        let fields = [
            card.strategy.clone(),
            card.scope.clone(),
            card.horizon.to_string(),
            card.claim.to_string(),
            card.n.to_string(),
            card.n_eff.to_string(),
            number(card.base_rate),
            number(card.hit_rate),
            number(card.hit_low),
            number(card.hit_high),
            number(card.mean_return),
            number(card.p_value),
            number(card.q_value),
            card.verdict.to_string(),
            reasons.join(" "),
            card.grade.map_or_else(String::new, |grade| grade.as_str().to_owned()),
            card.interval.to_string(),
            card.direction.to_string(),
            number(card.theta),
            number(card.theta_net),
            number(card.net_low),
            number(card.net_high),
            number(card.se),
            number(card.mde),
            number(card.shrunken),
            number(card.p_boot),
            number(card.p_t),
            number(card.q_by),
            number(card.psr),
            number(card.dsr),
            card.family.to_string(),
            card.look.to_string(),
            card.threshold.to_string(),
            moment(card.from),
            moment(card.to),
            card.id.to_string(),
            card.words.clone(),
        ];
        let quoted = fields.map(|field| match field.contains([',', '"', '\n']) {
            true => format!("\"{}\"", field.replace('"', "\"\"")),
            false => field,
        });
        text.push_str(&quoted.join(","));
        text.push('\n');
    }
    text
}
