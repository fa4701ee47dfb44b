use finstage_store::suite::records;

#[test]
fn after_a_crash_the_records_are_what_the_journal_says() {
    for seed in 0..100 {
        records::survive_crashes(seed);
    }
}
