//! `finstage stress monitor`

use std::path::Path;
use std::time::Duration;

use finstage_lab::stress::moment::Moment;
use finstage_lab::stress::status::{Ask, Monitor, Status};
use finstage_lab::stress::{Language, Outcome, Target, findings};
use finstage_model::Clock as _;
use finstage_net::{Client, ClientOptions, Request, SystemClock};
use serde_json::json;
use tokio::sync::mpsc;

use super::super::{print_line, say};
use super::keyboard::{Keyboard, Wish};
use super::report::form;
use super::{Telling, read_text};
use crate::cli::{Global, StressFormat, StressMonitor};
use crate::exit::{Exit, Failure, Result};

/// Anybody may be asked once a second.
const GENTLE: Duration = Duration::from_secs(1);
/// Between two looks at the keyboard and the file.
const LOOK: Duration = Duration::from_millis(250);
/// Between two lines of a log.
const LINES: Duration = Duration::from_secs(5);
/// A status file that is older belongs to a test that is gone.
const STALE: Duration = Duration::from_secs(10);
/// The least time between two questions.
const LEAST: Duration = Duration::from_millis(1);

pub(super) fn run(global: &Global, args: &StressMonitor) -> Result<Exit> {
    let telling = Telling::new(global, args.lang)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let file = Path::new(&args.target);
    if !args.target.contains("://") && file.exists() {
        return runtime.block_on(follow(global, file, &telling));
    }
    let target = permitted(args)?;
    runtime.block_on(ask(global, args, &target, telling.language))
}

/// The target, where it may be asked so often.
fn permitted(args: &StressMonitor) -> Result<Target> {
    let target = Target::parse(&args.target).map_err(Failure::usage)?;
    if target.scheme.is_websocket() {
        return Err(Failure::usage(format!(
            "{}: a WebSocket is not asked: use stress ws",
            target.url()
        )));
    }
    if args.every < LEAST {
        return Err(Failure::usage("--every: 1ms at least"));
    }
    if args.every < GENTLE {
        let addresses = target.resolve().map_err(|e| Failure::new(Exit::Remote, e))?;
        let ceilings = target.permit(&addresses, &args.i_may_test).map_err(Failure::usage)?;
        let rate = 1.0 / args.every.as_secs_f64();
        finstage_lab::stress::Ceilings::hold("requests a second", rate, ceilings.rate)
            .map_err(Failure::usage)?;
    }
    Ok(target)
}

/// Shows, or says, how something is doing.
struct Show {
    global: Global,
    language: Language,
    screen: Option<Keyboard>,
    lined: Option<Moment>,
}

impl Show {
    fn new(global: &Global, language: Language) -> Self {
        let is_wanted = !global.quiet && !global.json && Keyboard::is_possible();
        let screen = is_wanted.then(Keyboard::open).and_then(std::io::Result::ok);
        Self { global: global.clone(), language, screen, lined: None }
    }

    /// Whether a person wants it to end.
    fn is_enough(&mut self, status: &Status) -> bool {
        if let Some(screen) = &mut self.screen {
            let shown = screen
                .show(status, self.language)
                .and_then(|()| screen.wish(status, self.language));
            match shown {
                Ok(wish) => return wish != Wish::Nothing,
                Err(_) => self.screen = None,
            }
        } else if status.sent > 0
            && self.lined.is_none_or(|at| at.elapsed() >= LINES)
            && !self.global.json
        {
            self.lined = Some(Moment::now());
            say(&self.global, format_args!("{}", status.line(self.language)));
        }
        false
    }
}

async fn ask(
    global: &Global,
    args: &StressMonitor,
    target: &Target,
    language: Language,
) -> Result<Exit> {
    let options = ClientOptions {
        connect_timeout: args.timeout,
        read_timeout: args.timeout,
        total_timeout: args.timeout,
        ..ClientOptions::default()
    };
    let client = Client::new(options).map_err(|e| Failure::new(Exit::Remote, e))?;
    let url = target.url();
    let mut monitor = Monitor::new(&url, SystemClock.now());
    let mut show = Show::new(global, language);
    let mut stop = super::super::serve::stop_on_signal();
    let mut answers = asked(client, url, args.every);
    let mut looks = tokio::time::interval(LOOK);
    let mut left = args.count.unwrap_or(u64::MAX);
    while left > 0 {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => break,
            _ = looks.tick() => {
                if show.is_enough(&monitor.look(SystemClock.now())) {
                    break;
                }
            }
            Some(answer) = answers.recv() => {
                left -= 1;
                if global.json {
                    print_line(&line(&answer).to_string())?;
                }
                monitor.hear(answer);
            }
        }
    }
    let status = monitor.look(SystemClock.now());
    drop(show);
    if !global.json {
        print_line(&status.line(language))?;
    }
    Ok(Exit::Done)
}

/// Asks again and again; ends when nobody takes the answers any more.
fn asked(client: Client, url: String, every: Duration) -> mpsc::Receiver<Ask> {
    // One answer that is not taken yet: who shows is quicker than who asks.
    let (send, receive) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut due = tokio::time::interval(every);
        // Who answers late is asked later, not more often.
        due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            due.tick().await;
            if send.send(put(&client, &url).await).await.is_err() {
                return;
            }
        }
    });
    receive
}

async fn put(client: &Client, url: &str) -> Ask {
    let (at, begun) = (SystemClock.now(), Moment::now());
    let answer = client.send(&Request::get(url)).await;
    let took = begun.elapsed();
    Ask { at, took, answer: answer.map(|response| response.status).map_err(|e| e.to_string()) }
}

fn line(ask: &Ask) -> serde_json::Value {
    let ms = (ask.took.as_secs_f64() * 1e6).round() / 1000.0;
    json!({
        "at": ask.at,
        "up": ask.is_up(),
        "status": ask.answer.as_ref().ok(),
        "error": ask.answer.as_ref().err(),
        "ms": ms,
    })
}

/// Looks at the file of a test until it is over.
async fn follow(global: &Global, file: &Path, telling: &Telling) -> Result<Exit> {
    let mut show = Show::new(global, telling.language);
    let mut stop = super::super::serve::stop_on_signal();
    loop {
        let text = read_text(file)?;
        // A result that is there already has a report.
        if let Ok(mut outcome) = serde_json::from_str::<Outcome>(&text) {
            findings::fill(&mut outcome, telling.language);
            drop(show);
            print_line(form(&outcome, StressFormat::Text, telling)?.trim_end())?;
            return Ok(Exit::Done);
        }
        let status: Status = serde_json::from_str(&text).map_err(|e| {
            Failure::usage(format!(
                "{}: neither the status nor the result of a test: {e}",
                file.display()
            ))
        })?;
        let age = status.at.map(|at| SystemClock.now().since(at));
        let is_gone = status.is_over || age.is_some_and(|age| age > STALE);
        if global.json {
            print_line(&text)?;
        }
        if show.is_enough(&status) || is_gone {
            drop(show);
            if !global.json {
                print_line(&status.line(telling.language))?;
            }
            if !status.is_over && is_gone {
                say(
                    global,
                    format_args!("{}: not written for 10 s: the test is gone", file.display()),
                );
            }
            return Ok(Exit::Done);
        }
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return Ok(Exit::Done),
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}
