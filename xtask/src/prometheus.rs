//! Whether Prometheus accepts what we write for it: the page of metrics of a running service, and the alert
//! rules. Asked is Debian's promtool.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::browser::Demo;
use crate::{debian, output_of, pages, python};

/// The longest that a page of metrics may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Debian's tool.
const PROMTOOL: &str = "promtool";

/// What the rules say of invented figures, a sample a minute.
const CASES: &str = r#"
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - series: finstage_db_operations_total{operation="insert",table="alerts",status="error"}
        values: 0x20 3x20
      - series: finstage_db_operations_total{operation="insert",table="alerts",status="ok"}
        values: 0+9x40
      - series: finstage_db_slow_statements_total
        values: 0x20 9x20
    alert_rule_test:
      - eval_time: 20m
        alertname: FinstageStatementsFail
      - eval_time: 25m
        alertname: FinstageStatementsFail
        exp_alerts:
          - exp_labels: { severity: critical, operation: insert, table: alerts }
            exp_annotations:
              summary: "insert alerts: statements of the records fail, the log says why"
      - eval_time: 25m
        alertname: FinstageSlowStatements
"#;

/// Has promtool.
pub(crate) fn install() -> Result<()> {
    let works = || debian::runs(Path::new(PROMTOOL), &["--version"]);
    debian::ensure(PROMTOOL, &["prometheus"], works)
}

/// Asks promtool about metrics and rules; skips with words where it cannot be had.
pub(crate) fn check() -> Result<()> {
    if let Err(why) = install() {
        eprintln!("    skipped: {why}");
        return Ok(());
    }
    let finstage = pages::build()?;
    let folder = python::target_folder()?.join("prometheus");
    fs::create_dir_all(&folder)?;
    let rules = folder.join("rules.yml");
    fs::write(&rules, output_of(&finstage.to_string_lossy(), &["metrics", "rules"])?)?;
    debian::run(Command::new(PROMTOOL).args(["check", "rules"]).arg(&rules))?;
    let cases = folder.join("cases.yml");
    fs::write(&cases, CASES)?;
    debian::run(Command::new(PROMTOOL).args(["test", "rules"]).arg(&cases))?;
    let data = folder.join("data");
    if data.exists() {
        fs::remove_dir_all(&data)?;
    }
    let mut demo = Demo::start(&finstage, &["--data-dir", &data.to_string_lossy()])?;
    let page = metrics(&demo.link()?, &fs::read_to_string(data.join("token"))?)?;
    let mut promtool = Command::new(PROMTOOL);
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = promtool.stderr(Stdio::piped()).spawn()?;
    child.stdin.take().context("stdin was piped")?.write_all(page.as_bytes())?;
    let done = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "promtool does not accept the page of metrics:\n{said}");
    eprintln!("    {} lines of metrics and the rules are accepted", page.lines().count());
    Ok(())
}

/// The page of metrics of the service that `link` leads to.
fn metrics(link: &str, token: &str) -> Result<String> {
    let host = link.split('/').nth(2).context("the link has no host")?;
    let mut stream = TcpStream::connect(host).with_context(|| format!("connecting to {host}"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let token = token.trim();
    write!(
        stream,
        "GET /metrics HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer has no head")?;
    ensure!(head.starts_with("HTTP/1.1 200"), "/metrics says {head}");
    ensure!(!head.to_lowercase().contains("transfer-encoding"), "/metrics comes in chunks: {head}");
    Ok(body.to_owned())
}
