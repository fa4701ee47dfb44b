use super::super::tests::World;
use super::*;

/// The lines of a whole record: two signals, ten outcomes, the head.
fn lines(world: &World) -> Vec<String> {
    let mut lines: Vec<String> =
        world.records.track(0, 100).unwrap().iter().map(super::line).collect();
    let check = world.records.check_track().unwrap();
    lines
        .push(format!("{{\"entries\":{},\"head\":\"{}\",\"ok\":true}}", check.entries, check.head));
    lines
}

fn whole() -> Vec<String> {
    let world = World::new().with(0..800);
    world.update();
    lines(&world)
}

fn check(lines: &[String]) -> Audit {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    audit(&mut text.as_bytes(), None).unwrap()
}

fn bad_line(lines: &[String]) -> u64 {
    check(lines).fault.expect("it is not whole").0
}

#[test]
fn what_was_exported_is_found_whole() {
    let lines = whole();
    assert_eq!(lines.len(), 13);
    let done = check(&lines);
    assert_eq!((done.entries, done.fault), (12, None));
    assert!(lines[12].contains(&done.head));
}

#[test]
fn a_line_that_is_taken_out_is_noticed_wherever_it_was() {
    let lines = whole();
    for place in 0..lines.len() {
        let mut cut = lines.clone();
        cut.remove(place);
        assert_eq!(bad_line(&cut), place as u64 + 1, "line {place}");
    }
    assert_eq!(bad_line(&[]), 1);
}

#[test]
fn lines_that_change_places_are_noticed_wherever_they_are() {
    let lines = whole();
    for place in 0..lines.len() - 1 {
        let mut swapped = lines.clone();
        swapped.swap(place, place + 1);
        assert_eq!(bad_line(&swapped), place as u64 + 1);
    }
}

#[test]
fn a_changed_byte_is_noticed_wherever_it_is() {
    let lines = whole();
    for place in 0..lines.len() - 1 {
        for at in (0..lines[place].len()).step_by(7) {
            let mut bytes = lines[place].clone().into_bytes();
            bytes[at] = if bytes[at] == b'1' { b'2' } else { b'1' };
            let mut changed = lines.clone();
            changed[place] = String::from_utf8(bytes).unwrap();
            assert_eq!(bad_line(&changed), place as u64 + 1, "byte {at}");
        }
    }
    let mut changed = lines;
    changed[12] = changed[12].replace("\"entries\":12", "\"entries\":13");
    assert_eq!(bad_line(&changed), 13);
}

#[test]
fn the_end_of_the_file_is_part_of_it() {
    let lines = whole();
    let text = lines.join("\n");
    let cut = audit(&mut text.as_bytes(), None).unwrap();
    assert_eq!(cut.fault, Some((13, "its end was cut off".to_owned())));
    let mut more = lines.clone();
    more.push(lines[12].clone());
    assert_eq!(bad_line(&more), 14);
}

#[test]
fn a_head_that_was_noted_must_be_among_the_entries() {
    let earlier = World::new().with(0..100);
    earlier.update();
    let noted = earlier.records.check_track().unwrap().head;
    let later = earlier.with(100..800);
    later.update();
    let text = |lines: Vec<String>| lines.join("\n") + "\n";
    let grown = text(lines(&later));
    assert_eq!(audit(&mut grown.as_bytes(), Some(&noted)).unwrap().fault, None);
    // A record that was written anew, with other entries first.
    let other = World::new().with(0..5).with(7..800);
    other.update();
    let other = other.with(5..7);
    other.update();
    let anew = audit(&mut text(lines(&other)).as_bytes(), Some(&noted)).unwrap();
    assert_eq!(anew.fault, Some((14, "no entry has the hash that was noted".to_owned())));
}

#[test]
fn an_outcome_that_its_prices_do_not_give_is_named_though_it_is_chained() {
    let honest = World::new().with(0..100);
    honest.update();
    let outcome = honest.records.track(0, 100).unwrap().into_iter().find_map(|row| {
        let TrackEntry::Outcome(outcome) = row.entry else { return None };
        Some(outcome)
    });
    let outcome = outcome.unwrap();
    let better = TrackOutcome { ret: outcome.ret + 0.01, ..outcome };
    let dearer = TrackOutcome { high: outcome.low, ..outcome };
    let sooner = TrackOutcome { exit_at: outcome.entry_at, ..outcome };
    for (forged, why) in
        [(better, "its prices give"), (dearer, "impossible"), (sooner, "impossible")]
    {
        let world = World::new().with(0..1);
        world.update();
        world.records.track_outcomes(&[forged], &[]).unwrap();
        let (line, said) = check(&lines(&world)).fault.unwrap();
        assert_eq!(line, 3);
        assert!(said.contains(why), "{said}");
    }
}
