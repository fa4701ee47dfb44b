//! The files that `init` begins with: the examples of the repository, in the user's language and
//! zone.

use crate::cli::Preset;
use crate::report::Language;

const CRYPTO: &str = include_str!("../../../../../examples/crypto.toml");
const US: &str = include_str!("../../../../../examples/us-stocks.toml");
const KR: &str = include_str!("../../../../../examples/kr-stocks.toml");

pub(super) const fn name(preset: Preset) -> &'static str {
    match preset {
        Preset::Crypto => "crypto",
        Preset::Us => "us",
        Preset::Kr => "kr",
    }
}

/// The file, with times and reports as the system has them.
pub(super) fn text(preset: Preset, language: Language, zone: &str) -> String {
    let example = match preset {
        Preset::Crypto => CRYPTO,
        Preset::Us => US,
        Preset::Kr => KR,
    };
    let language = match language {
        Language::En => "en",
        Language::Ko => "ko",
    };
    let set = |line: &str| {
        for (key, value) in [("timezone", zone), ("language", language)] {
            if line.starts_with(&format!("{key} = ")) {
                let remark = line.split_once('#').map(|(_, remark)| format!("    #{remark}"));
                return format!("{key} = \"{value}\"{}\n", remark.unwrap_or_default());
            }
        }
        format!("{line}\n")
    };
    example.lines().map(set).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, reference};

    const ALL: [Preset; 3] = [Preset::Crypto, Preset::Us, Preset::Kr];

    #[test]
    fn every_preset_is_a_configuration_in_the_users_language_and_zone() {
        for preset in ALL {
            let text = text(preset, Language::Ko, "Asia/Seoul");
            assert!(text.contains("\ntimezone = \"Asia/Seoul\"    # of times"), "{text}");
            let table: toml::Table = text.parse().unwrap();
            assert_eq!(table["display"]["language"].as_str(), Some("ko"));
            for (section, value) in &table {
                assert!(
                    reference::schema()["properties"][section].is_object(),
                    "{section} is not in the schema"
                );
                let rows = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
                for key in rows.iter().flat_map(|row| row.as_table().unwrap().keys()) {
                    let known = reference::KEYS.iter().any(|known| {
                        known.name == key && known.section.trim_end_matches("[]") == section
                    });
                    assert!(known, "{section}.{key} is not in the schema");
                }
            }
            // A venue that this build does not know is for another build to judge.
            let venue = table["feeds"][0]["venue"].as_str().unwrap();
            if finstage_feeds::venues::find(venue).is_some() {
                let settings = config::parse("preset", &text, &[]).unwrap();
                assert!(settings.warnings.is_empty(), "{:?}", settings.warnings);
                assert!(settings.notify.is_empty() && settings.engine.strategies.len() >= 5);
            }
        }
    }

    #[test]
    fn strategies_and_watches_of_every_preset_exist() {
        for preset in ALL {
            // The same file on a venue that every build knows.
            let text = text(preset, Language::En, "UTC");
            let text = text.replace("\"yahoo\"", "\"binance\"").replace("yahoo:", "binance:");
            let settings = config::parse(name(preset), &text, &[]).unwrap();
            assert!(settings.engine.watches.len() >= 3);
        }
    }
}
