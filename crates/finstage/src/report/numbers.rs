//! Numbers, moments and lengths of time as people of each language write them.

use finstage_model::{Day, Horizon, Interval, Price, Timestamp};
use jiff::tz::TimeZone;

use super::InstrumentDay;
use super::words::Language;

/// How values are written: the language and the zone.
#[derive(Debug, Clone)]
pub(super) struct Style {
    pub(super) language: Language,
    zone: TimeZone,
}

impl Style {
    pub(super) fn new(language: Language, zone: &str) -> Self {
        Self { language, zone: TimeZone::get(zone).unwrap_or(TimeZone::UTC) }
    }

    /// A fraction as percent; English sets the sign apart, Korean does not.
    fn percent(&self, text: &str) -> String {
        format!("{text}{}", self.language.pick(" %", "%"))
    }

    /// A share with one digit.
    pub(super) fn share(&self, value: Option<f64>) -> String {
        value.map_or_else(|| "–".to_owned(), |value| self.percent(&format!("{:.1}", 100.0 * value)))
    }

    /// A change with its sign and two digits; nothing has no sign.
    pub(super) fn change(&self, value: Option<f64>) -> String {
        let Some(value) = value.filter(|value| value.is_finite()) else { return "–".to_owned() };
        let text = format!("{:+.2}", 100.0 * value);
        let text = if text == "-0.00" || text == "+0.00" { "0.00".to_owned() } else { text };
        self.percent(&text.replace('-', "−"))
    }

    /// A whole number with its thousands parted.
    pub(super) fn count(count: u64) -> String {
        thousands(&count.to_string())
    }

    /// A price with all its digits, its thousands parted.
    pub(super) fn price(price: Price) -> String {
        let text = price.to_string();
        match text.split_once('.') {
            Some((whole, part)) => format!("{}.{part}", thousands(whole)),
            None => thousands(&text),
        }
    }

    pub(super) fn maybe_price(price: Option<Price>) -> String {
        price.map_or_else(|| "–".to_owned(), Self::price)
    }

    /// A day with its weekday.
    pub(super) fn long_date(&self, day: Day) -> String {
        const ENGLISH: [&str; 7] =
            ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
        const KOREAN: [&str; 7] = ["월", "화", "수", "목", "금", "토", "일"];
        const MONTHS: [&str; 12] = [
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ];
        let (year, month, of_month) = day.civil();
        let weekday = day.days_from_monday() as usize % 7;
        match self.language {
            Language::En => {
                let month = MONTHS[(month as usize + 11) % 12];
                format!("{} {of_month} {month} {year}", ENGLISH[weekday])
            }
            Language::Ko => format!("{year}년 {month}월 {of_month}일 ({})", KOREAN[weekday]),
        }
    }

    /// A moment in the zone, as a clock on the wall says it: `2026-11-20 18:00`.
    pub(super) fn moment(&self, at: Timestamp) -> String {
        on_the_wall(at, &self.zone, "%Y-%m-%d %H:%M")
    }

    /// The time of the day in the zone.
    pub(super) fn time(&self, at: Timestamp) -> String {
        on_the_wall(at, &self.zone, "%H:%M")
    }

    /// The day of a moment in the zone.
    pub(super) fn date(&self, at: Timestamp) -> String {
        match jiff::Timestamp::from_second(at.secs()) {
            Ok(instant) => instant.to_zoned(self.zone.clone()).strftime("%Y-%m-%d").to_string(),
            Err(_) => at.to_string(), // cannot happen: jiff's range is the wider one
        }
    }

    pub(super) const fn horizon(&self, horizon: Horizon) -> &'static str {
        self.language.interval(horizon.interval())
    }

    pub(super) const fn interval(&self, interval: Interval) -> &'static str {
        self.language.interval(interval)
    }
}

/// A moment as a clock on the wall of a zone shows it; where clocks are set back, an hour comes twice and says its
/// offset.
pub(crate) fn on_the_wall(at: Timestamp, zone: &TimeZone, form: &str) -> String {
    let Ok(instant) = jiff::Timestamp::from_second(at.secs()) else {
        return at.to_string(); // cannot happen: jiff's range is the wider one
    };
    let local = instant.to_zoned(zone.clone());
    let shown = local.strftime(form).to_string();
    match zone.to_ambiguous_timestamp(local.datetime()).is_ambiguous() {
        true => format!("{shown} {}", local.strftime("%:z")),
        false => shown,
    }
}

/// A price in what it is traded in, where that is known.
pub(super) fn priced(price: Price, currency: Option<&str>) -> String {
    let price = Style::price(price);
    currency.map_or_else(|| price.clone(), |currency| format!("{price} {currency}"))
}

impl InstrumentDay {
    /// A price of this instrument.
    pub(super) fn money(&self, price: Price) -> String {
        priced(price, self.currency.as_deref())
    }
}

fn thousands(digits: &str) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |rest| ("−", rest));
    let mut out = String::from(sign);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_each_language_does() {
        let (english, korean) = (Style::new(Language::En, "UTC"), Style::new(Language::Ko, "UTC"));
        assert_eq!(english.change(Some(-0.012_345)), "−1.23 %");
        assert_eq!(korean.change(Some(0.012_345)), "+1.23%");
        assert_eq!(english.change(Some(-0.000_01)), "0.00 %");
        assert_eq!(english.change(Some(f64::NAN)), "–");
        assert_eq!((english.share(Some(0.5)), korean.share(None)), ("50.0 %".into(), "–".into()));
        let price = |text: &str| Style::price(text.parse().unwrap());
        assert_eq!(price("1234567.000000001"), "1,234,567.000000001");
        assert_eq!((price("999"), price("-1000.5")), ("999".into(), "−1,000.5".into()));
        let day: Day = "2026-11-20".parse().unwrap();
        assert_eq!(english.long_date(day), "Friday 20 November 2026");
        assert_eq!(korean.long_date(day), "2026년 11월 20일 (금)");
    }

    #[test]
    fn moments_are_those_of_the_zone() {
        let seoul = Style::new(Language::Ko, "Asia/Seoul");
        let at = "2026-11-20T18:30:00Z".parse().unwrap();
        assert_eq!(
            (seoul.moment(at), seoul.date(at)),
            ("2026-11-21 03:30".into(), "2026-11-21".into())
        );
    }
}
