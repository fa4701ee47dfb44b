//! `finstage llm run`

mod dry;
mod reading;
mod told;
mod writing;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use finstage_llm::{
    AskOptions, Asker, Budget, ChatOptions, Confidence, Endpoint, Form, InputOptions, Left, Output,
    OutputOptions, Prices, Resumed, Routing, RunOptions, Sharing, Structure, Summary, Template,
    TokenCounting, Weak, Why,
};
use finstage_model::Clock;
use finstage_net::SystemClock;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval};

use self::reading::{Feed, Input, Looked, Reader, TurnsOut};
use self::told::Told;
use self::writing::Writing;
use super::super::progress::Progress;
use super::super::serve::stop_on_signal;
use super::super::{data_dir, load_without_channels, say};
use super::{failed, schema};
use crate::cli::{Global, LlmForm, LlmRun};
use crate::config::Loaded;
use crate::exit::{Exit, Failure, Result};
use crate::llm::{Keeper, Wanted, base, endpoint, prices};

/// Rows between the reader and those who ask, and between them and the writer.
const ON_THE_WAY: usize = 256;
/// How often it is said how far it is.
const LOOK: Duration = Duration::from_millis(100);

pub(super) fn run(global: &Global, args: &LlmRun) -> Result<Exit> {
    if args.dry_run {
        return dry::run(global, args);
    }
    let told = perform(global, args)?;
    told.print(global, args.output.as_deref() == Some(Path::new("-")))?;
    told.exit()
}

/// Asks the rows, and tells what became of them.
pub(in super::super) fn perform(global: &Global, args: &LlmRun) -> Result<Told> {
    let loaded = load_without_channels(global)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let input = Input::open(&args.input)?;
    let keeper = keeper(global, args, (&loaded, &clock))?;
    let output = args.output.as_deref().unwrap_or(Path::new("-"));
    let (output, resumed) = open_output(output, args)?;
    say_resumed(global, &resumed);
    let mut reader = Reader::new(input, input_options(args, &loaded)?, resumed.register);
    let looked = reader.look()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let work = Work {
        asker: Arc::new(asker(args, &loaded, &keeper)?),
        concurrency: args.concurrency.unwrap_or(loaded.settings.llm.concurrency) as usize,
        reader,
        looked,
        output,
        keeper,
        clock,
    };
    runtime.block_on(async {
        let stop = stop_on_signal();
        work.run(global, stop).await
    })
}

/// What keeps answers and accounts, in the data folder.
fn keeper(
    global: &Global,
    args: &LlmRun,
    (loaded, clock): (&Loaded, &Arc<dyn Clock>),
) -> Result<Arc<Keeper>> {
    let named = args.input.file_name().map_or("-".into(), |name| name.to_string_lossy());
    let job = args.job.as_deref().unwrap_or(&named);
    let ttl = loaded.settings.llm.cache.filter(|_| !args.no_cache);
    let base = base(&loaded.settings.llm, &Wanted::from(&args.target));
    Keeper::open(&data_dir(global, loaded), (job, base), ttl, clock).map(Arc::new)
}

fn open_output(path: &Path, args: &LlmRun) -> Result<(Output, Resumed)> {
    let options = OutputOptions { errors: args.errors.clone(), is_ordered: args.ordered };
    let opened = match path == Path::new("-") {
        true => Output::to_stream(Box::new(std::io::stdout()), "standard output", &options),
        false => Output::open(path, &options),
    };
    opened.map_err(|e| failed(&e))
}

fn say_resumed(global: &Global, resumed: &Resumed) {
    let done = resumed.register.done();
    if done > 0 || resumed.asked_again > 0 {
        let again = resumed.asked_again;
        say(
            global,
            format_args!("{done} rows are done already, {again} that failed are asked again"),
        );
    }
    if resumed.torn_bytes > 0 {
        let bytes = resumed.torn_bytes;
        say(global, format_args!("the last line was not finished: its {bytes} bytes are cut off"));
    }
    if resumed.doubled > 0 {
        let doubled = resumed.doubled;
        say(
            global,
            format_args!("warning: {doubled} answers stand in the output twice; they stay"),
        );
    }
}

fn input_options(args: &LlmRun, loaded: &Loaded) -> Result<InputOptions> {
    let template = args.prompt.as_deref().map(Template::parse).transpose();
    let form = args.format.map(|form| match form {
        LlmForm::Batch => Form::Batch,
        LlmForm::Jsonl => Form::Objects,
        LlmForm::Csv => Form::Csv,
    });
    let model = args.target.model.clone();
    Ok(InputOptions {
        name: args.input.display().to_string(),
        form,
        template: template.map_err(|e| Failure::usage(format!("--prompt: {e}")))?,
        is_model_forced: model.is_some(),
        model: model.or_else(|| loaded.settings.llm.model.clone()),
        chat: ChatOptions {
            system: args.system.clone(),
            max_tokens: args.max_tokens.map(u64::from),
            temperature: args.temperature,
            response_format: None,
        },
    })
}

fn asker(args: &LlmRun, loaded: &Loaded, keeper: &Arc<Keeper>) -> Result<Asker> {
    let prices = Arc::new(prices(&loaded.settings.llm)?);
    let structure = match &args.schema {
        Some(file) => Structure::Given(Arc::new(schema::read(file)?)),
        None => Structure::OfRow,
    };
    let options = AskOptions {
        routing: routing(args)?,
        structure,
        sharing: sharing(args),
        answers: keeper.answers(),
        prices: Some(Arc::clone(&prices)),
        budget: args.budget_usd.map(Budget::new),
        accounts: Some(keeper.accounts()),
        ..AskOptions::default()
    };
    Asker::new(asked_at(args, loaded, prices)?, options).map_err(|e| failed(&e))
}

/// Which rows may have one answer.
const fn sharing(args: &LlmRun) -> Sharing {
    match (args.no_cache, args.cache) {
        (true, _) => Sharing::Never,
        (_, true) => Sharing::Always,
        _ => Sharing::Settled,
    }
}

fn asked_at(args: &LlmRun, loaded: &Loaded, prices: Arc<Prices>) -> Result<Endpoint> {
    // To load a tokenizer takes as long as to ask some thousand rows.
    let is_counted = args.tpm.or(loaded.settings.llm.tpm).is_some() || args.budget_usd.is_some();
    let wanted = Wanted {
        rpm: args.rpm,
        tpm: args.tpm,
        concurrency: args.concurrency,
        timeout: args.timeout,
        counting: is_counted.then(|| Arc::new(TokenCounting(prices)) as _),
        ..Wanted::from(&args.target)
    };
    endpoint(&loaded.settings.llm, wanted)
}

/// The row's own model alone, or the cheap one and those that are stronger.
fn routing(args: &LlmRun) -> Result<Routing> {
    let confidence = args.confidence.as_deref().map(confidence).transpose()?;
    let models = match (&args.target.model, args.escalate.is_empty()) {
        (_, true) => Vec::new(),
        (Some(first), false) => [first].into_iter().chain(&args.escalate).cloned().collect(),
        (None, false) => {
            return Err(Failure::usage("--escalate goes on from a model: name it with --model"));
        }
    };
    let weak = Weak { confidence, ..Weak::default() };
    Ok(Routing { models, rules: Vec::new(), weak, fallback: args.fallback.clone() })
}

fn confidence(typed: &str) -> Result<Confidence> {
    let parted = typed.rsplit_once(':').and_then(|(pointer, least)| {
        let least: f64 = least.parse().ok()?;
        (pointer.starts_with('/') && least.is_finite()).then(|| (pointer.to_owned(), least))
    });
    let Some((pointer, least)) = parted else {
        return Err(Failure::usage(format!("--confidence {typed}: write it as /confidence:0.7")));
    };
    Ok(Confidence { pointer, least })
}

/// All that a run needs.
struct Work {
    asker: Arc<Asker>,
    concurrency: usize,
    reader: Reader,
    looked: Option<Looked>,
    output: Output,
    keeper: Arc<Keeper>,
    clock: Arc<dyn Clock>,
}

impl Work {
    /// Reads, asks and writes until there is nothing more, or `stop` says so.
    async fn run(self, global: &Global, stop: watch::Receiver<bool>) -> Result<Told> {
        let begun = Instant::now();
        let handle = tokio::runtime::Handle::current();
        let (to, rows) = mpsc::channel(ON_THE_WAY);
        let (give, left) = mpsc::channel::<Left>(ON_THE_WAY);
        let turns = self.output.turns().map(|turns| (turns, TurnsOut::default()));
        let ended = Arc::new(AtomicU64::new(0));
        let expected = self.looked.as_ref().map(|looked| looked.total - looked.skipped);
        let writing = Writing {
            output: self.output,
            left,
            turns: turns.as_ref().map(|(_, out)| out.clone()),
            keeper: self.keeper,
            clock: self.clock,
            ended: Arc::clone(&ended),
            handle: handle.clone(),
        };
        let feed = Feed { to, turns, handle };
        let (reader, looked) = (self.reader, self.looked);
        let reading = tokio::task::spawn_blocking(move || reader.feed(looked, feed));
        let writing = tokio::task::spawn_blocking(move || writing.run());
        let options = RunOptions { concurrency: self.concurrency, cancel: stop };
        let asking = finstage_llm::run(self.asker, rows, give, options);
        let summary = watched(asking, expected.map(|expected| (global, expected)), &ended).await;
        let (counted, read) = reading.await.map_err(|e| panicked(&e))?;
        let written = writing.await.map_err(|e| panicked(&e))?;
        written?;
        read.map_err(reading::kept)?;
        Ok(Told::new(summary, counted, begun.elapsed()))
    }
}

/// A run, and on the screen how far it is.
async fn watched(
    asking: impl Future<Output = Summary>,
    told: Option<(&Global, u64)>,
    ended: &AtomicU64,
) -> Summary {
    let Some((global, expected)) = told else { return asking.await };
    let progress = Progress::new(global, "rows", usize::try_from(expected).unwrap_or(usize::MAX));
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut shown = 0;
    tokio::pin!(asking);
    let summary = loop {
        tokio::select! {
            summary = &mut asking => break summary,
            _ = looks.tick() => {
                let now = ended.load(Ordering::Relaxed);
                progress.add(usize::try_from(now - shown).unwrap_or_default());
                shown = now;
            }
        }
    };
    progress.finish();
    summary
}

fn panicked(error: &tokio::task::JoinError) -> Failure {
    Failure::new(Exit::Store, format!("a thread of the run ended early: {error}"))
}

/// How a run that was stopped ends.
const fn exit_of(why: Why) -> Exit {
    match why {
        Why::Denied => Exit::Auth,
        Why::Budget => Exit::Budget,
        Why::Unreachable => Exit::Remote,
        Why::Cancelled => Exit::Interrupted,
    }
}
