use super::*;

fn t(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn timing(repeat: Repeat, zone: &str) -> Timing {
    Timing { zone: TimeZone::get(zone).unwrap(), ..Timing::new(repeat) }
}

fn pattern(text: &str, zone: &str) -> Timing {
    timing(cron(text).unwrap(), zone)
}

/// Occurrences after `from` until `to`, in UTC.
fn between(timing: &Timing, from: &str, to: &str) -> Vec<String> {
    let all = std::iter::successors(timing.next(t(from)), |at| timing.next(*at));
    all.take_while(|at| *at <= t(to)).map(|at| at.to_string()).collect()
}

#[test]
fn a_time_that_does_not_exist_runs_once_after_the_gap() {
    // 2026-03-29 in Berlin: 02:00 CET is 03:00 CEST.
    let night = pattern("30 2 * * *", "Europe/Berlin");
    let runs = between(&night, "2026-03-27T12:00:00Z", "2026-03-30T12:00:00Z");
    assert_eq!(runs, ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
    let daily = timing(Repeat::Daily(Time::constant(2, 30, 0, 0)), "Europe/Berlin");
    let runs = between(&daily, "2026-03-27T12:00:00Z", "2026-03-30T12:00:00Z");
    assert_eq!(runs, ["2026-03-28T01:30:00Z", "2026-03-29T01:30:00Z", "2026-03-30T00:30:00Z"]);
}

#[test]
fn a_time_that_comes_twice_runs_once_the_first_time() {
    // 2026-11-01 in New York: 02:00 EDT is 01:00 EST.
    let night = pattern("30 1 * * *", "America/New_York");
    let runs = between(&night, "2026-10-31T00:00:00Z", "2026-11-03T00:00:00Z");
    assert_eq!(runs, ["2026-10-31T05:30:00Z", "2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"]);
    let daily = timing(Repeat::Daily(Time::constant(1, 30, 0, 0)), "America/New_York");
    assert_eq!(between(&daily, "2026-10-31T00:00:00Z", "2026-11-03T00:00:00Z"), runs);
}

#[test]
fn every_day_of_ten_years_has_one_run_at_any_time_of_the_day_in_any_zone() {
    let zones = [
        "Europe/Berlin",
        "America/New_York",
        "America/St_Johns",
        "Australia/Lord_Howe",
        "Africa/Cairo",
        "Asia/Seoul",
        "America/Santiago",
        "Pacific/Auckland",
    ];
    for zone in zones {
        for (hour, minute) in [(0, 0), (0, 30), (1, 30), (2, 0), (2, 30), (3, 0), (23, 59)] {
            let of_cron = pattern(&format!("{minute} {hour} * * *"), zone);
            let of_day = timing(Repeat::Daily(Time::constant(hour, minute, 0, 0)), zone);
            for timing in [of_cron, of_day] {
                let mut day = timing.zoned(t("2025-01-01T18:00:00Z")).unwrap().date();
                let mut at = timing.next(t("2025-01-01T18:00:00Z")).unwrap();
                day = day.max(timing.zoned(at).unwrap().date());
                while at < t("2035-01-01") {
                    let local = timing.zoned(at).unwrap();
                    assert_eq!(local.date(), day, "{zone} {timing}: {local}");
                    assert_eq!(timing.newest(at), Some(at), "{zone} {timing}: {local}");
                    day = day.tomorrow().unwrap();
                    at = timing.next(at).unwrap();
                }
            }
        }
    }
}

#[test]
fn what_runs_every_hour_goes_by_real_time_through_both_nights() {
    let hourly = pattern("0 * * * *", "Europe/Berlin");
    let every = timing(Repeat::Every(Duration::from_secs(3_600)), "Europe/Berlin");
    for (from, to) in [
        ("2026-03-28T20:00:00Z", "2026-03-29T06:00:00Z"),
        ("2026-10-24T20:00:00Z", "2026-10-25T06:00:00Z"),
    ] {
        assert_eq!(between(&hourly, from, to).len(), 10);
        assert_eq!(between(&every, from, to), between(&hourly, from, to));
    }
}

#[test]
fn seconds_are_a_sixth_field_and_nonsense_is_refused_with_words() {
    let quick = pattern("*/20 * * * * *", "UTC");
    assert_eq!(between(&quick, "2026-01-01T00:00:00.5Z", "2026-01-01T00:01:00Z").len(), 3);
    for wrong in ["", "61 * * * *", "* * * *", "0 0 0 * * * 2030", "a b c d e"] {
        let why = cron(wrong).unwrap_err();
        assert!(why.contains("write minute, hour"), "{why}");
    }
}

#[test]
fn what_was_missed_is_passed_over_made_up_for_once_or_all() {
    let hourly = Timing::new(Repeat::Every(Duration::from_secs(3_600)));
    let with = |catch_up| Timing { catch_up, ..hourly.clone() };
    let (last, now) = (t("2026-01-01T05:00:00Z"), t("2026-01-01T08:10:00Z"));
    let newest = t("2026-01-01T08:00:00Z");
    let due = with(CatchUp::Skip).due(last, now).unwrap();
    assert_eq!(due, Due { run: vec![], mark: newest });
    let due = with(CatchUp::Skip).due(last, newest.plus(ON_TIME)).unwrap();
    assert_eq!(due.run, [newest]);
    let due = with(CatchUp::Once).due(last, now).unwrap();
    assert_eq!(due, Due { run: vec![newest], mark: newest });
    let due = with(CatchUp::All).due(last, now).unwrap();
    assert_eq!((due.run.len(), due.mark), (3, newest));
    for catch_up in [CatchUp::Skip, CatchUp::Once, CatchUp::All] {
        assert_eq!(with(catch_up).due(newest, now), None);
        assert_eq!(with(catch_up).due(now.plus(ON_TIME), now), None, "the clock went back");
    }
}

#[test]
fn a_year_of_missed_seconds_is_made_up_for_in_bounded_steps() {
    let quick =
        Timing { catch_up: CatchUp::All, ..Timing::new(Repeat::Every(Duration::from_secs(1))) };
    let first = quick.due(t("2025-01-01"), t("2026-01-01")).unwrap();
    assert_eq!(first.run.len(), MAX_DUE);
    assert_eq!(first.mark, t("2025-01-01T00:01:40Z"));
    let second = quick.due(first.mark, t("2026-01-01")).unwrap();
    assert_eq!(second.run[0], t("2025-01-01T00:01:41Z"));
}

#[test]
fn jitter_is_the_same_each_time_it_is_asked_and_within_its_bound() {
    let timing = Timing {
        jitter: Duration::from_secs(60),
        after: Duration::from_secs(10),
        ..Timing::new(Repeat::Every(Duration::from_secs(3_600)))
    };
    let at = t("2026-01-01T05:00:00Z");
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..50 {
        let run_at = timing.run_at(at, (seed, "report"));
        assert_eq!(run_at, timing.run_at(at, (seed, "report")));
        assert!(run_at >= at.plus(Duration::from_secs(10)));
        assert!(run_at < at.plus(Duration::from_secs(70)));
        seen.insert(run_at);
    }
    assert!(seen.len() > 40, "installations are spread");
}

#[test]
fn a_timing_is_said_in_a_few_words() {
    let said = |timing: Timing| timing.to_string();
    assert_eq!(said(pattern("30 2 * * *", "Asia/Seoul")), "30 2 * * * Asia/Seoul");
    assert_eq!(said(Timing::new(Repeat::Every(Duration::from_secs(3_600)))), "every 1h");
    let daily = timing(Repeat::Daily(Time::constant(8, 0, 0, 0)), "Asia/Seoul");
    assert_eq!(said(daily), "08:00 Asia/Seoul");
}

#[test]
fn jitter_takes_a_tenth_of_the_time_to_the_next_run_at_most() {
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let often =
        Timing { jitter: minutes(10), ..timing(Repeat::Every(Duration::from_secs(30)), "UTC") };
    for seed in 0..50 {
        let at = t("2026-01-01T00:00:30Z");
        let run_at = often.run_at(at, (seed, "backfill"));
        assert!((at..at.plus(Duration::from_secs(3))).contains(&run_at), "{run_at}");
    }
    // Unevenly spaced: each by what comes after it.
    let uneven = Timing { jitter: minutes(10), ..pattern("0 1,2 * * *", "UTC") };
    assert_eq!(uneven.spread(t("2026-01-01T01:00:00Z")), minutes(6));
    assert_eq!(uneven.spread(t("2026-01-01T02:00:00Z")), minutes(10), "as it is set");
}
