//! What the system says about its user: language and time zone.

use std::path::Path;

use super::environment;
use crate::report::Language;

/// The language of the user's surroundings; English where it is neither of ours.
#[must_use]
pub fn language() -> Language {
    let named = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(|name| {
        environment(|known| known == name).pop().map(|(_, v)| v).filter(|v| !v.is_empty())
    });
    match named {
        Some(text) if text.starts_with("ko") => Language::Ko,
        _ => Language::En,
    }
}

/// The IANA name of the system's time zone; UTC where it cannot be told.
#[must_use]
pub fn timezone() -> String {
    let variable = environment(|name| name == "TZ").pop().map(|(_, value)| value);
    let variable = variable.map(|text| text.trim_start_matches(':').to_owned());
    let written = || std::fs::read_to_string("/etc/timezone").ok().map(|t| t.trim().to_owned());
    let linked = || zone_of(&std::fs::read_link("/etc/localtime").ok()?);
    let is_zone = |name: &String| !name.is_empty() && jiff::tz::TimeZone::get(name).is_ok();
    let found = variable.filter(is_zone);
    let found = found.or_else(|| linked().filter(is_zone)).or_else(|| written().filter(is_zone));
    match found {
        Some(name) if name != "Etc/UTC" && name != "Universal" => name,
        _ => "UTC".into(),
    }
}

/// The zone that a link into the system's database of zones names.
fn zone_of(link: &Path) -> Option<String> {
    let text = link.to_str()?;
    text.split_once("zoneinfo/").map(|(_, name)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_into_the_database_names_its_zone() {
        let zone = |link: &str| zone_of(Path::new(link));
        assert_eq!(zone("/usr/share/zoneinfo/Asia/Seoul").as_deref(), Some("Asia/Seoul"));
        assert_eq!(zone("../usr/share/zoneinfo/UTC").as_deref(), Some("UTC"));
        assert_eq!(zone("/etc/somewhere"), None);
    }

    #[test]
    fn whatever_the_system_says_is_a_zone() {
        assert!(jiff::tz::TimeZone::get(&timezone()).is_ok());
    }
}
