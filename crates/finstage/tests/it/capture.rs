//! What was recorded is played as it was lived.

use std::fs::File;
use std::io::Cursor;
use std::process::Stdio;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use finstage::config;
use finstage::day::{Feed, House, Renewal, Rim};
use finstage::live::{Freshness, Names, Observer, Safe};
use finstage::recorded::{Ears, Tape, settings_for};
use finstage::wiring::{self, Store};
use finstage_feeds::recording::{Header, Packing, Recorder, Recording, RecordingWriter};
use finstage_feeds::{Endpoints, Session, SessionLimits, SessionOptions, SymbolMap, venues};
use finstage_lab::sim::binance::{BinanceSim, SimOptions};
use finstage_lab::sim::faults::Scenario;
use finstage_lab::sim::ledger::Ledger;
use finstage_lab::sim::market::{Market, MarketSpec, Tape as MarketTape};
use finstage_model::{Clock as _, Event, Output, Payload, Signal, Timestamp};
use finstage_net::{Client, ClientOptions, ScaledClock, SocketOptions};
use finstage_store::records::StoreKind;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use crate::cli::shell::{Running, Shell};

/// Strategies that have much to say on bars of a minute and of five.
const STRATEGIES: &str = r#"
    [[strategies]]
    name = "rsi_bullish"
    interval = "1m"
    params = { period = 3 }

    [[strategies]]
    name = "rsi_bearish"
    interval = "1m"
    params = { period = 3 }

    [[strategies]]
    name = "ma_breakout_up"
    interval = "5m"
    params = { period = 2 }

    [[strategies]]
    name = "dip"
    interval = "1m"
    when = "close < prev(close)"
"#;

/// How many times faster than the clock the market of a test runs.
const SPEED: f64 = 600.0;
/// How long it is lived through, on the wall: half an hour there.
const LIVED: Duration = Duration::from_secs(3);
const START: &str = "2026-01-05T10:00:30Z";

/// A simulated Binance, and a configuration that watches it.
fn simulated(shell: &Shell) -> Running {
    let mut sim = shell.start("sim --venues binance --seed 3 --speed 600");
    let places: Value = serde_json::from_str(&sim.until("binance")).unwrap();
    let place = &places["binance"];
    shell.write(
        "finstage.toml",
        format!(
            "[venues.binance]\nrest = {}\nws = {}\n[[feeds]]\nvenue = \"binance\"\nsymbols = [\"BTCUSDT\", \"ETHUSDT\"]\nintervals = [\"1m\"]\n{STRATEGIES}",
            place["rest"], place["ws"]
        ),
    );
    sim
}

/// What lies in the folder of temporary files, but for the note where the simulator is that still runs.
fn left(shell: &Shell) -> Vec<String> {
    let names = shell.names("tmp").into_iter();
    names.filter(|name| !name.starts_with("finstage-sim-")).collect()
}

#[test]
fn a_capture_is_played_back_and_twice_the_same() {
    let shell = Shell::new();
    let _sim = simulated(&shell);
    let capture = "capture --venue binance -o today.zst --duration 2s --json -q";
    let told = shell.run(capture).ok().quiet().json();
    assert_eq!((&told["reconnects"], &told["not_understood"]), (&json!(0), &json!(0)));
    assert_eq!(told["file"], "today.zst");
    let frames = told["frames"].as_u64().unwrap();
    assert!(frames > 100, "{told}");
    assert_eq!(told["file_bytes"], shell.read("today.zst").len());
    assert!(told["bytes"].as_u64() > told["file_bytes"].as_u64(), "it is packed");
    assert!(told["seconds"].as_f64().unwrap() >= 2.0);

    let played = shell.run("replay --input today.zst --check --json -q").ok().quiet().json();
    assert_eq!(played["match"], true, "{played}");
    assert_eq!(
        (&played["frames"], &played["bad"], &played["cut"]),
        (&told["frames"], &json!(0), &Value::Null)
    );
    // The market runs ahead of our clock, so bars are missing between connecting and the first.
    assert_eq!(played["gaps"], told["gaps"], "those that the session told");
    assert_eq!(played["symbols"], json!(["binance:BTCUSDT", "binance:ETHUSDT"]));
    assert!(played["trades_and_bars"].as_u64().unwrap() > 100, "{played}");
    assert_eq!(played["unused"], json!({}));

    let said = shell.run("replay --input today.zst --speed max -q").ok().quiet();
    let (summary, outputs) = said.out.trim_end().rsplit_once('\n').map(|(o, s)| (s, o)).unwrap();
    assert!(summary.contains(played["hash"].as_str().unwrap()), "{summary}");
    assert_eq!(outputs.lines().count() as u64, played["outputs"].as_u64().unwrap());
    for kind in ["bar", "signal", "verdict"] {
        assert!(outputs.contains(&format!("\"type\":\"{kind}\"")), "no {kind}: {said}");
    }
    // One instrument alone says what it said among others.
    let one = shell.run("replay --input today.zst --symbols ETHUSDT --speed max -q").ok();
    let of = |text: &str| -> Vec<String> {
        let is_signal =
            |line: &&str| line.contains("\"type\":\"signal\"") && line.contains("ETHUSDT");
        text.lines().filter(is_signal).map(str::to_owned).collect()
    };
    assert_eq!(of(&one.out), of(outputs));
    assert!(!of(&one.out).is_empty());
    assert_eq!(shell.names("finstage-data"), [""; 0], "nothing is written there");
    assert_eq!(left(&shell), [""; 0], "and nothing is left");

    // Who reads no further ends it, and nothing is left either.
    let mut command = shell.command("replay --input today.zst --speed max -q");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut deaf = command.spawn().unwrap();
    drop(deaf.stdout.take());
    let ended = deaf.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), ended.stderr.as_slice()), (Some(0), &b""[..]));
    assert_eq!(left(&shell), [""; 0]);

    // The same frames as text, through a pipe.
    shell.write("frames.ndjson", zstd_text(&shell, "today.zst"));
    let mut command = shell.command("replay --input - --json -q");
    command.stdin(File::open(shell.path("frames.ndjson")).unwrap());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let piped = Running::start(&mut command, "replay --input -").end().ok().quiet().json();
    assert_eq!(piped["hash"], played["hash"]);
    let twice = shell.run("replay --input - --check").refused(2);
    assert_eq!(twice, "--check reads a recording twice: name a file");
    let again = shell.run(capture).refused(2);
    assert_eq!(again, "today.zst: there is such a file already: name another one");
}

/// A recording of ours, unpacked by our own reader.
fn zstd_text(shell: &Shell, name: &str) -> String {
    let recording = Recording::open(&shell.path(name)).unwrap();
    let mut text = serde_json::to_string(recording.header().unwrap()).unwrap() + "\n";
    for recorded in recording {
        use finstage_feeds::recording::{Recorded, What};
        use finstage_net::Frame;
        let Recorded { at, what, .. } = recorded.unwrap();
        let line = match what {
            What::Opened(link) => json!({"at": at, "link": link, "is": "open"}),
            What::Came(link, Frame::Text(frame)) => json!({"at": at, "link": link, "text": frame}),
            What::Came(link, _) => json!({"at": at, "link": link, "ping": ""}),
            What::Ended(link) => json!({"at": at, "link": link, "is": "end"}),
        };
        text += &format!("{line}\n");
    }
    text
}

#[test]
fn a_capture_that_is_stopped_is_whole_and_one_that_is_killed_loses_a_second() {
    let shell = Shell::new();
    let _sim = simulated(&shell);
    let size = |name: &str| std::fs::metadata(shell.path(name)).map_or(0, |file| file.len());
    let line = "capture --venue binance --symbols BTCUSDT --intervals 1m,5m -o";
    let stopped = shell.start(&format!("{line} stopped.zst --json"));
    let killed = shell.start(&format!("{line} killed.zst"));
    let written = || size("stopped.zst") > 2_000 && size("killed.zst") > 2_000;
    assert!(stopped.does(written), "nothing was handed to the system");
    stopped.terminate();
    drop(killed);
    let told = stopped.end().ok().json();
    let played = shell.run("replay --input stopped.zst --json -q").ok().quiet().json();
    assert_eq!((&played["frames"], &played["cut"]), (&told["frames"], &Value::Null));
    let run = shell.run("replay --input killed.zst --json -q").ok();
    let played = run.json();
    let cut = played["cut"].as_str().unwrap();
    assert!(cut.starts_with("killed.zst:") && cut.ends_with("cut off after this line"), "{cut}");
    assert_eq!(run.err, format!("{cut}; everything before was played\n"));
    assert!(played["frames"].as_u64().unwrap() > 10, "{played}");
}

#[test]
fn what_cannot_be_captured_is_refused_with_words() {
    let shell = Shell::new();
    shell.write("there.txt", "");
    let cases = [
        ("--venue nyse", 2, "\"nyse\" is not a venue: write binance, yahoo, kis, kraken or tardis"),
        ("--venue kraken --symbols XBTUSD", 2, "--venue kraken: it streams nothing"),
        (
            "--venue binance",
            2,
            "nothing to record: name --symbols; the configuration has no feed of binance",
        ),
        (
            "--venue binance --symbols btcusdt",
            2,
            "--symbols: \"btcusdt\" is not how binance writes it: write BTCUSDT",
        ),
        (
            "--venue tardis --symbols bitmex.XBTUSD --intervals 1w",
            2,
            "--intervals 1w: tardis has no bars of it",
        ),
        (
            "--venue binance --symbols BTCUSDT -o a.gz",
            2,
            "a.gz: captures are packed as .zst, not as .gz",
        ),
        (
            "--venue binance --symbols BTCUSDT -o there.txt",
            2,
            "there.txt: there is such a file already: name another one",
        ),
        (
            "--venue binance --symbols BTCUSDT -o no/where",
            6,
            "writing no/where: No such file or directory (os error 2)",
        ),
        (
            "--venue binance --symbols BTCUSDT -o /dev/full",
            6,
            "writing /dev/full: No space left on device (os error 28)",
        ),
    ];
    for (line, code, words) in cases {
        assert_eq!(shell.run(&format!("capture {line}")).refused(code), words);
    }
    // Nobody listens there.
    shell.write("finstage.toml", "[venues.binance]\nws = \"ws://127.0.0.1:9\"\n");
    let run = shell.run("capture --venue binance --symbols BTCUSDT -o x.zst --duration 10ms -q");
    assert_eq!((run.code, run.complaint().as_str()), (3, "nothing came from binance"));
}

/// Trades of a wave, one in 20 seconds, as a CSV file of Tardis.
fn rows(trades: i64) -> String {
    let mut text = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n".to_owned();
    let start = "2026-03-01".parse::<Timestamp>().unwrap().millis() * 1_000;
    for n in 0..trades {
        let at = start + n * 20_000_000;
        let price = 8_500.0 + 100.0 * (n as f64 / 40.0).sin();
        text += &format!("bitmex,XBTUSD,{at},{},,buy,{price:.1},10\n", at + 150_000);
    }
    text
}

#[test]
fn files_of_tardis_are_played_and_bad_lines_are_named_and_counted() {
    let shell = Shell::new();
    shell.write("trades.csv", rows(540) + "bitmex,XBTUSD,x,1772334000000000,,buy,1,1\nbitmex\n");
    // Without a feed of it: bars of a minute made of the trades, and those rolled up from them.
    shell.write(
        "finstage.toml",
        format!("[[feeds]]\nvenue = \"binance\"\nsymbols = [\"BTCUSDT\"]\n{STRATEGIES}"),
    );
    let run = shell.run("replay --input trades.csv --check --json").ok();
    let played = run.json();
    assert_eq!((&played["match"], &played["bad"]), (&json!(true), &json!(2)));
    assert_eq!(
        (&played["venue"], &played["symbols"]),
        (&json!("tardis"), &json!(["tardis:bitmex.XBTUSD"]))
    );
    assert_eq!(played["trades_and_bars"], 540);
    let words =
        ["line 542: tardis: trade: timestamp is \"x\"", "trades.csv:543: local_timestamp is \"\""];
    assert_eq!(run.err.lines().collect::<Vec<_>>(), words);
    let said = shell.run("replay --input trades.csv --speed max -q").ok();
    let count = |kind: &str| said.out.matches(&format!("\"type\":\"{kind}\"")).count();
    // Three hours, whose last minute is still open: 179 of a minute, 35 of five.
    assert_eq!(count("bar"), 179 + 35);
    assert!(count("signal") >= 5, "{said}");
    let refused = |line: &str| shell.run(&format!("replay --input {line}")).refused(2);
    assert_eq!(
        refused("trades.csv --venue binance"),
        "--venue binance: these are frames of tardis"
    );
    shell.write("raw.txt", "2026-03-01T00:00:00.1000000Z {}\n");
    assert_eq!(refused("raw.txt"), "the recording does not say whose frames it holds: add --venue");
    assert_eq!(
        refused("raw.txt --venue kraken"),
        "--venue \"kraken\": no venue with a stream: write binance or tardis"
    );
    shell.write("bars.csv", "timestamp,open,high,low,close,volume\n");
    assert_eq!(
        refused("bars.csv"),
        "bars.csv: no recording: neither of finstage capture, nor of Tardis (raw, normalized, CSV), nor ticks"
    );
    assert!(refused("nowhere").starts_with("nowhere: No such file"));
    let run = shell.run("replay --input raw.txt --venue binance --date 2026-03-01");
    assert!(run.refused(2).contains("cannot be used with"), "{run}");
    // Only what nobody can read is fatal.
    let run = shell.run("replay --input raw.txt --venue binance -q");
    assert_eq!(run.code, 0, "{run}");
    shell.write("empty.txt", "{\"at\":\"2026-03-01T00:00:00Z\",\"link\":1}\n");
    let run = shell.run("replay --input empty.txt --venue binance -q");
    assert_eq!((run.code, run.complaint().as_str()), (2, "empty.txt: nothing in it could be read"));
}

#[test]
fn a_recording_of_several_days_has_an_engine_for_each() {
    let shell = Shell::new();
    // To 09:20 of the second day after.
    shell.write("days.csv", rows(10_320));
    let settings = "[[feeds]]\nvenue = \"tardis\"\nsymbols = [\"bitmex.XBTUSD\"]\nbars = \"trades\"\nintervals = [\"5m\"]\n\
                    [[strategies]]\nname = \"rsi_bullish\"\ninterval = \"1h\"\nparams = { period = 3 }\n";
    shell.write("finstage.toml", settings);
    let played = shell.run("replay --input days.csv --check --json -q").ok().quiet().json();
    assert_eq!((&played["match"], &played["trades_and_bars"]), (&json!(true), &json!(10_320)));
    let said = shell.run("replay --input days.csv --speed max -q").ok();
    let opens = |interval: &str| -> Vec<String> {
        let bars = said.out.lines().filter(|line| line.contains("\"type\":\"bar\""));
        let bars = bars.map(|line| serde_json::from_str::<Value>(line).unwrap());
        let of = bars.filter(|bar| bar["interval"] == interval);
        of.map(|bar| bar["timestamp"].as_str().unwrap().to_owned()).collect()
    };
    // Each bar once, over both midnights: what the second engine hears again is not told again.
    let five = opens("5m");
    assert_eq!(five.len(), 57 * 12 + 3, "57 hours and 20 minutes, whose last bar is open");
    assert!(five.is_sorted() && opens("1h").len() == 57);
    assert!(said.out.contains("\"type\":\"signal\""));
}

#[test]
fn stored_bars_from_before_a_recording_warm_its_strategies() {
    let shell = Shell::new();
    shell.write("trades.csv", rows(540));
    let settings = "[[feeds]]\nvenue = \"tardis\"\nsymbols = [\"bitmex.XBTUSD\"]\nbars = \"trades\"\nintervals = [\"1h\"]\n\
                    [[strategies]]\nname = \"up\"\ninterval = \"1h\"\nwhen = \"close > sma(24)\"\nevery_bar = true\n";
    shell.write("finstage.toml", settings);
    let play = || shell.run("replay --input trades.csv --json -q").ok().quiet().json();
    let cold = play();
    assert_eq!((&cold["warmed"], &cold["outputs"]), (&json!(0), &json!(2)), "two bars, no signal");
    let mut bars = "timestamp,open,high,low,close,volume\n".to_owned();
    for hour in 0..48 {
        let at = "2026-02-27".parse::<Timestamp>().unwrap();
        let at = at.plus(Duration::from_secs(hour * 3_600));
        bars += &format!("{at},8000,8000,8000,8000,1\n");
    }
    shell.write("bars.csv", bars);
    shell.run("import bars.csv --symbol tardis:bitmex.XBTUSD --interval 1h -q").ok();
    let before = shell.run("bars list --json -q").ok().out;
    let warm = play();
    assert!(warm["warmed"].as_u64().unwrap() >= 24, "{warm}");
    let outputs = warm["outputs"].as_u64().unwrap();
    assert!(outputs >= 6, "bars, signals and verdicts: {warm}");
    assert_eq!(play(), warm);
    assert_eq!(shell.run("bars list --json -q").ok().out, before, "the store stays as it was");
}

/// Events of a session and ticks, as a service's engine takes them.
struct Heard(mpsc::Receiver<Vec<Event>>);

impl Feed for Heard {
    fn next(&mut self, events: &mut Vec<Event>) -> bool {
        self.0.blocking_recv().map(|mut batch| events.append(&mut batch)).is_some()
    }
}

/// Remembers signals and bars that are said for the first time.
#[derive(Debug, Default)]
struct Said(Mutex<(Vec<Signal>, Vec<finstage_model::Bar>)>);

impl Observer for Said {
    fn said(&self, _: &Names, _: &Event, outputs: &[Output], freshness: Freshness) {
        if freshness == Freshness::Again {
            return;
        }
        let mut said = self.0.lock().unwrap();
        for output in outputs {
            match output {
                Output::Signal(signal) => said.0.push(**signal),
                Output::Bar(bar) => said.1.push(*bar),
                _ => {}
            }
        }
    }
}

/// A file in memory.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A simulated market at speed.
async fn market(clock: &Arc<ScaledClock>) -> BinanceSim {
    let start: Timestamp = START.parse().unwrap();
    let MarketSpec { tape, .. } = MarketSpec::seeded(7, start);
    let MarketTape::Seeded { symbols, .. } = tape else { unreachable!("it is seeded") };
    let tape = MarketTape::Seeded { symbols, history_days: 1 };
    let options = SimOptions {
        market: Market::new(MarketSpec { tape, ..MarketSpec::seeded(7, start) }).unwrap(),
        clock: Arc::clone(clock) as _,
        faults: Scenario::parse(Scenario::CALM).unwrap(),
        ledger: Arc::new(Ledger::in_memory()),
        listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
    };
    BinanceSim::start(options).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_of_a_live_run_gives_the_signals_of_that_run() {
    let clock = Arc::new(ScaledClock::new(START.parse().unwrap(), SPEED));
    let sim = market(&clock).await;
    let text = format!(
        "[[feeds]]\nvenue = \"binance\"\nsymbols = [\"BTCUSDT\", \"ETHUSDT\"]\nintervals = [\"1m\"]\n{STRATEGIES}"
    );
    let settings = config::parse("the test's configuration", &text, &[]).unwrap();
    let folder = TempDir::new().unwrap();
    let store = Store::open(folder.path(), StoreKind::Real, wiring::disk()).unwrap();
    let instruments = wiring::instruments(&settings, &store.records).unwrap();
    let feed = &settings.feeds[0];
    let subscriptions = wiring::subscriptions(feed, &instruments);
    let memory = Memory::default();
    let header = Header::new(clock.now(), ("binance", "a test"), &subscriptions);
    let file = Box::new(memory.clone());
    let writer = RecordingWriter::begin(file, Packing::Zstd, &header).unwrap();
    let recorder = Recorder::new(writer, Arc::clone(&clock) as _);
    let client = Client::new(ClientOptions::default()).unwrap();
    let (events, received) = mpsc::channel(4_096);
    let (stop, shutdown) = watch::channel(false);
    let venue = venues::find("binance").unwrap();
    let endpoints = Endpoints { rest: sim.rest_url(), stream: sim.ws_url() };
    let stream = (venue.stream.unwrap())(&endpoints, SymbolMap::of(&subscriptions));
    let options = SessionOptions {
        profile: venue.profile,
        subscriptions,
        since: Vec::new(),
        client: Client::over(recorder.over(Arc::clone(client.transport()))),
        sealed: None,
        socket: SocketOptions::default(),
        clock: Arc::clone(&clock) as _,
        seed: 1,
        limits: SessionLimits::default(),
        events: events.clone(),
        shutdown,
        stats: Arc::default(),
    };
    let session = tokio::spawn(Session::new(stream, None, options).unwrap().run());
    let lived = Arc::<Said>::default();
    let rim = Rim {
        clock: Arc::clone(&clock) as _,
        observer: Arc::clone(&lived) as _,
        safe: Safe::default(),
        fsync: None,
        notifiers: Vec::new(),
        max_age: Duration::MAX,
        keep: None,
        renewal: Renewal::Daily,
        imports: None,
        patience: Default::default(),
    };
    let house = House {
        journal: store.journal.clone(),
        records: store.records.clone(),
        history: store.history.clone(),
        settings: settings.engine.clone(),
        instruments,
        rim,
    };
    let engine = std::thread::spawn(move || house.run(&mut Heard(received)).unwrap());
    let until = tokio::time::Instant::now() + LIVED;
    let mut ticks = tokio::time::interval(Duration::from_secs(1).div_f64(SPEED));
    while tokio::time::Instant::now() < until {
        ticks.tick().await;
        let tick = Event::new(clock.now(), Payload::Tick);
        events.send(vec![tick]).await.unwrap();
    }
    stop.send(true).unwrap();
    session.await.unwrap();
    drop(events);
    tokio::task::spawn_blocking(move || engine.join().unwrap()).await.unwrap();
    recorder.finish().unwrap();
    sim.stop().await;

    let bytes = memory.0.lock().unwrap().clone();
    let recording = Recording::of("the recording", Cursor::new(bytes)).unwrap();
    let asked = recording.header().unwrap().asked.clone();
    let (settings, notes) = settings_for(&settings.engine, "binance", &asked);
    assert!(notes.is_empty());
    let played = Arc::<Said>::default();
    let ears = Ears {
        observer: Arc::clone(&played) as _,
        complain: Box::new(|words| panic!("{words}")),
        stop: Arc::new(AtomicBool::new(false)),
    };
    let counts = tokio::task::block_in_place(|| {
        Tape { venue, asked, settings, past: None }.play(recording, ears).unwrap()
    });
    assert_eq!((counts.counts.bad, counts.counts.gaps), (0, 0));
    // Whether a trade or a tick ends a minute first can differ between instruments: the order within each is compared.
    let [lived, played] = [lived, played].map(|said| {
        let mut said = std::mem::take(&mut *said.0.lock().unwrap());
        said.0.sort_by_key(|signal| signal.instrument);
        said.1.sort_by_key(|bar| bar.instrument);
        said
    });
    assert!(lived.0.len() > 20, "{} signals", lived.0.len());
    // What differs is by how much a tick of the live run came after its second.
    let essence = |signal: &Signal| Signal { at: Timestamp::EPOCH, ..*signal };
    let of = |said: &[Signal]| said.iter().map(essence).collect::<Vec<_>>();
    assert_eq!(of(&played.0), of(&lived.0));
    assert_eq!(played.1, lived.1, "bars");
}
