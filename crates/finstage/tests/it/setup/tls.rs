//! A service with a certificate of its own, as the commands beside it see it.

use std::path::Path;

use crate::cli::shell::Shell;

/// The configuration of a service with TLS that listens at `port`.
fn file(port: &str, certificate: &str) -> String {
    format!(
        "[server]\nlisten = \"127.0.0.1:{port}\"\ntls_cert = \"{certificate}\"\ntls_key = \"own.key\"\n\
         allowed_hosts = [\"finstage.example.com\"]\n\
         [venues.binance]\nrest = \"http://127.0.0.1:1\"\nws = \"ws://127.0.0.1:1\"\n\
         [[feeds]]\nvenue = \"binance\"\nsymbols = [\"BTCUSDT\"]\nintervals = [\"1m\"]\n"
    )
}

#[test]
fn commands_believe_the_certificate_that_the_configuration_names_and_no_other() {
    let shell = Shell::new();
    let tls = Path::new(env!("CARGO_MANIFEST_DIR")).join("../finstage-net/tests/tls");
    for name in ["own.pem", "own.key", "other.pem"] {
        shell.write(name, std::fs::read(tls.join(name)).unwrap());
    }
    shell.write("finstage.toml", file("0", "own.pem"));
    let mut service = shell.start("serve");
    let line = service.until("?login=");
    let (_, port) = line.split_once("https://finstage.example.com:").expect("the public name");
    let (port, _) = port.split_once('/').unwrap();
    shell.write("finstage.toml", file(port, "own.pem"));
    // It answers; without a venue it is not ready.
    let own = format!("https://127.0.0.1:{port}");
    let said = shell.run("health").refused(1);
    assert!(said.contains(&format!("{own}/readyz answered 503")), "{said}");
    let said = shell.run(&format!("health --url https://localhost:{port}")).refused(1);
    assert!(said.contains("wants the token of its folder"), "{said}");
    let link = shell.run("token link").ok().out;
    assert!(link.starts_with(&format!("https://finstage.example.com:{port}/?login=")), "{link}");
    let doctor = shell.run("doctor").out;
    assert!(doctor.contains(&format!("127.0.0.1:{port}: the service answers")), "{doctor}");

    shell.write("finstage.toml", file(port, "other.pem"));
    for (command, code) in [("health", 1), ("token link", 3)] {
        let said = shell.run(command).refused(code);
        assert!(said.contains("no trusted connection"), "{said}");
        assert!(said.contains("neither the certificate of other.pem"), "{said}");
    }
    shell.write("finstage.toml", file(port, "missing.pem"));
    let said = shell.run("health").refused(2);
    assert!(said.contains("server.tls_cert: missing.pem"), "{said}");
}
