//! What a request costs in processor time: the bare HTTP library beside the whole client, against the
//! same server on loopback.
//!
//! `cargo run --release -p finstage-net --example client_cost`
//!
//! The two take turns, round by round, so that other load on the machine hits both alike; a round's
//! figure is the processor time of the client's thread alone, and the ratio is that of the medians.
#![expect(clippy::print_stdout, reason = "an example shows its result")]
#![expect(clippy::unwrap_used, reason = "an example that cannot set its scene ends here")]

use std::thread;
use std::time::Duration;

use axum::Router;
use axum::http::HeaderName;
use axum::routing::get;
use finstage_net::{
    Class, Client, ClientOptions, Reading, Remote, RemoteOptions, Request, Response, Rule, Shape,
    Terms,
};
use rustix::time::{ClockId, clock_gettime};
use tokio::net::TcpListener;

const ROUNDS: usize = 9;
/// Requests in a round.
const MANY: u32 = 3_000;

/// Limits that never bind, so that only the work of keeping them is measured.
const RULES: [Rule; 2] = [
    Rule {
        name: "weight",
        shape: Shape::Aligned,
        limit: 100_000_000,
        window: Duration::from_secs(60),
        default_cost: 1,
        counts_refused: false,
    },
    Rule {
        name: "requests",
        shape: Shape::Sliding,
        limit: 100_000_000,
        window: Duration::from_secs(300),
        default_cost: 1,
        counts_refused: true,
    },
];

const TERMS: Terms = Terms { rules: &RULES, readings, ..Terms::PLAIN };

fn readings(response: &Response) -> Vec<Reading> {
    let used = response.header("x-used").and_then(|used| used.parse().ok());
    used.map(|used| Reading { rule: "weight", used: Some(used), limit: None }).into_iter().collect()
}

fn main() {
    let url = serve();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = Client::new(ClientOptions::default()).unwrap();
    finstage_net::install_crypto();
    let bare = reqwest::Client::builder().no_proxy().build().unwrap();
    let remote = Remote::with("loopback", TERMS, RemoteOptions::default());
    let whole = client.at(&remote);
    let (mut bare_costs, mut whole_costs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bare_costs.push(cost(MANY, || {
            runtime.block_on(async {
                for _ in 0..MANY {
                    let answer = bare.get(&url).header("x-key", "k").send().await.unwrap();
                    assert_eq!(answer.bytes().await.unwrap().len(), 13);
                }
            });
        }));
        whole_costs.push(cost(MANY, || {
            runtime.block_on(async {
                for _ in 0..MANY {
                    let request = Request::get(&url)
                        .header("x-key", "k")
                        .cost("weight", 2)
                        .class(Class::Normal);
                    let answer = whole.send(&request).await.unwrap();
                    assert_eq!(answer.body.len(), 13);
                }
            });
        }));
    }
    let (bare, whole) = (median(&mut bare_costs), median(&mut whole_costs));
    println!("bare reqwest  {bare:.1} us of processor time a request");
    println!("whole client  {whole:.1} us of processor time a request");
    println!("ratio         {:.3}", whole / bare);
    println!(
        "connections   {} for {} requests",
        client.traffic().connections,
        remote.snapshot().sent
    );
}

/// A server in a thread of its own, whose time does not count.
fn serve() -> String {
    let (tell, told) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            let used = [(HeaderName::from_static("x-used"), "1")];
            let route = get(move || async move { (used, "thirteen byte") });
            axum::serve(listener, Router::new().route("/", route)).await.unwrap();
        });
    });
    format!("http://{}/", told.recv().unwrap())
}

/// Microseconds of this thread's processor time for each of `many`.
fn cost(many: u32, work: impl FnOnce()) -> f64 {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
    };
    let begun = now();
    work();
    (now() - begun) / f64::from(many)
}

fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
