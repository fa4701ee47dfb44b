//! The registry of instruments, and when their markets are open.

use serde_json::{Value, json};

use super::shell::Shell;

fn symbols(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["symbol"].as_str().unwrap()).collect()
}

#[test]
fn instruments_are_found_by_korean_and_english_names() {
    let shell = Shell::new();
    let rows = shell.run("instruments search 삼성 --json").ok().rows();
    assert_eq!(symbols(&rows)[0], "yahoo:005930.KS");
    assert_eq!(
        (&rows[0]["name"], &rows[0]["name_ko"]),
        (&json!("Samsung Electronics"), &json!("삼성전자"))
    );
    let table = shell.run("instruments search hynix").ok().quiet();
    assert!(table.out.contains("yahoo:000660.KS  stock     kospi"), "{table}");
    let none = shell.run("instruments search zzzz").ok();
    assert_eq!((none.out.as_str(), none.err.trim()), ("", "no instruments fit what was asked for"));
}

#[test]
fn instruments_are_listed_by_category_and_group() {
    let shell = Shell::new();
    let all = shell.run("instruments list --json").ok().rows();
    assert!(all.len() >= 150, "{}", all.len());
    let short = shell.run("instruments list --category etf_short --json").ok().rows();
    assert!(symbols(&short).contains(&"yahoo:SQQQ"));
    assert!(short.iter().all(|row| row["category"] == "etf_short"));
    let kosdaq = shell.run("instruments list --group kosdaq --category stock --json").ok().rows();
    assert!(kosdaq.iter().all(|row| row["symbol"].as_str().unwrap().ends_with(".KQ")));
}

#[test]
fn a_market_is_shown_at_a_moment_on_both_clocks() {
    let shell = Shell::new();
    shell.write("finstage.toml", "[display]\ntimezone = \"Asia/Seoul\"\n");
    let text = shell.run("instruments show AAPL --at 2024-07-03T16:00:00Z").ok().quiet().out;
    assert!(
        text.contains("closes     Wed 2024-07-03 13:00 EDT = Thu 2024-07-04 02:00 KST"),
        "{text}"
    );
    let row = shell.run("instruments show 삼성전자 --at 2024-10-01T01:00:00Z --json").ok().json();
    assert_eq!((&row["open"], &row["opens_at"]), (&json!(false), &json!("2024-10-02T00:00:00Z")));
    let said = shell.run("instruments show APPL").refused(2);
    assert!(said.contains("(did you mean AAPL?): find one with"), "{said}");
    let said = shell.run("instruments list --category etfs").refused(2);
    assert!(said.contains("a similar value exists: 'etf'"), "{said}");
}

#[test]
fn an_instrument_of_the_users_is_found_by_its_names_and_forgotten_again() {
    let shell = Shell::new();
    let mut add = shell.command("instruments add yahoo:012450.KS --currency KRW --calendar kr");
    add.args(["--name", "Hanwha Aerospace", "--name-ko", "한화에어로스페이스"]);
    assert!(add.status().unwrap().success());
    let rows = shell.run("instruments search 한화에어로 --json").ok().quiet().rows();
    assert_eq!(symbols(&rows), ["yahoo:012450.KS"]);
    assert_eq!((&rows[0]["calendar"], &rows[0]["category"]), (&json!("kr"), &json!("stock")));
    let shown = shell.run("instruments show 012450 --at 2024-07-03 --json").ok().json();
    assert_eq!(shown["opens_at"], "2024-07-04T00:00:00Z");
    shell.run("instruments add yahoo:AAPL --name Mine --category etf").ok();
    let apple = shell.run("instruments search AAPL --json").ok().rows();
    assert_eq!((apple.len(), &apple[0]["name"]), (1, &json!("Mine")));
    shell.run("instruments remove yahoo:AAPL").ok();
    let apple = shell.run("instruments search AAPL --json").ok().rows();
    assert_eq!(apple[0]["name"], "Apple");
    let said = shell.run("instruments remove yahoo:AAPL").refused(2);
    assert!(said.starts_with("yahoo:AAPL was not added here"), "{said}");
}
