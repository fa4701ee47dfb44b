//! Arguments of `llm` and `gateway`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use finstage_llm::Money;
use finstage_model::parse_duration;

/// `finstage llm`
#[derive(Debug, Args)]
pub struct Llm {
    /// What to do
    #[command(subcommand)]
    pub command: LlmCommand,
}

/// What `finstage llm` does.
#[derive(Debug, Subcommand)]
pub enum LlmCommand {
    /// Put many questions to a model, and lose none of the answers
    Run(Box<LlmRun>),
    /// Put one question to a model
    Ask(LlmAsk),
    /// The same work at half the price, within a day: OpenAI's batches
    Batch(LlmBatch),
    /// What was spent, by model, job and day
    Cost(LlmCost),
    /// Whether the address answers and takes the key, and what the key used
    Check(LlmCheck),
}

/// Whom to ask, with what, and how fast.
#[derive(Debug, Clone, Default, Args)]
pub struct LlmTarget {
    /// Address of the API, with its /v1 where it has one [default: llm.base_url, else the provider's own]
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
    /// Whose words it speaks [default: llm.provider, else openai]
    #[arg(long, value_enum, value_name = "NAME")]
    pub provider: Option<LlmProvider>,
    /// The model [default: the row's own, else llm.model]
    #[arg(long, short, value_name = "NAME")]
    pub model: Option<String>,
}

/// Whose words are spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LlmProvider {
    /// Everything OpenAI-compatible.
    Openai,
    /// Anthropic's Messages.
    Anthropic,
    /// Nobody is asked: answers follow from the question.
    Scripted,
}

impl LlmProvider {
    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Anthropic => "anthropic",
            Self::Scripted => "scripted",
        }
    }
}

/// `finstage llm run`
#[derive(Debug, Args)]
#[command(
    after_help = "IN is OpenAI's batch format, {\"custom_id\",\"method\",\"url\",\"body\"} a line; with --prompt it is CSV or JSONL,\nand {column} stands for the row's value. Rows are named by their column custom_id or id, else row-LINE.\nEach row is written once, as soon as it is known: {\"id\",\"custom_id\",\"response\",\"error\"}. The output is the\nmemory of the run: the same command again asks only what is missing or failed. Calls are made at least once: what was\nasked and not yet written when the machine stopped is asked again.\n\nThe key is api_key of [llm], else OPENAI_API_KEY (ANTHROPIC_API_KEY); it is never an argument.\nExit codes: 1 some rows failed, 4 the key is refused, 5 the budget is spent, 130 interrupted.\n\nFields with --json: total done cached failed skipped cost_usd elapsed_s refused_429\n\nExample:  finstage llm run reviews.csv --prompt 'Sentiment of: {text}' --model gpt-4o-mini -o out.jsonl --dry-run\n          finstage llm run requests.jsonl -o results.jsonl --rpm 600 --budget-usd 1"
)]
pub struct LlmRun {
    /// Rows, a file or - for standard input
    #[arg(value_name = "IN")]
    pub input: PathBuf,
    /// Results, a file that a later run goes on with, or - for standard output
    #[arg(long, short, value_name = "OUT", required_unless_present = "dry_run")]
    pub output: Option<PathBuf>,
    /// Rows that failed go to this file, which begins anew each time; else they stand in the results
    #[arg(long, value_name = "FILE")]
    pub errors: Option<PathBuf>,
    /// How the rows are written [default: by the file's name and beginning]
    #[arg(long, value_enum, value_name = "FORM")]
    pub format: Option<LlmForm>,
    /// The question, {column} stands for the row's value, {{ and }} for braces
    #[arg(long, value_name = "TEXT")]
    pub prompt: Option<String>,
    /// What the model is told before the question
    #[arg(long, value_name = "TEXT", requires = "prompt")]
    pub system: Option<String>,
    /// The most tokens of an answer
    #[arg(long, value_name = "N", requires = "prompt", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_tokens: Option<u32>,
    /// How much chance there is in answers
    #[arg(long, value_name = "X", requires = "prompt", default_value_t = 0.0)]
    pub temperature: f64,
    /// Whom to ask
    #[command(flatten)]
    pub target: LlmTarget,
    /// The most requests at once [default: llm.concurrency, else 64]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub concurrency: Option<u32>,
    /// Requests a minute that the key may send [default: llm.rpm, else learned]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub rpm: Option<u64>,
    /// Tokens a minute, prompt and the most of the answer [default: llm.tpm, else learned]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub tpm: Option<u64>,
    /// The longest one answer may take; four times the model's 95th percentile where that is more [default: 60s]
    #[arg(long, value_name = "D", value_parser = duration)]
    pub timeout: Option<Duration>,
    /// Never spend more US dollars than this, worst case counted before each request leaves
    #[arg(long, value_name = "X", value_parser = usd)]
    pub budget_usd: Option<Money>,
    /// Results in the order of the rows
    #[arg(long)]
    pub ordered: bool,
    /// Send nothing: count rows, tokens, money and time
    #[arg(long)]
    pub dry_run: bool,
    /// Use no answers of earlier runs, and ask equal questions each for itself
    #[arg(long)]
    pub no_cache: bool,
    /// Answer equal questions once even where their temperature is above 0
    #[arg(long, conflicts_with = "no_cache")]
    pub cache: bool,
    /// Answers must be JSON that holds against the JSON schema in this file; up to two re-asks each
    #[arg(long, value_name = "FILE")]
    pub schema: Option<PathBuf>,
    /// Stronger models, asked where the one before refuses, fails the schema or is not sure
    #[arg(long, value_name = "MODEL", value_delimiter = ',')]
    pub escalate: Vec<String>,
    /// Where in the answer it says how sure it is, and the least that is enough: /confidence:0.7
    #[arg(long, value_name = "POINTER:LEAST", requires = "escalate")]
    pub confidence: Option<String>,
    /// A model that is asked where the others cannot be
    #[arg(long, value_name = "MODEL")]
    pub fallback: Option<String>,
    /// What the ledger calls the work [default: the name of IN]
    #[arg(long, value_name = "NAME")]
    pub job: Option<String>,
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LlmForm {
    /// OpenAI's batch lines.
    Batch,
    /// A JSON object a line, for --prompt.
    Jsonl,
    /// Comma-separated with a header, for --prompt.
    Csv,
}

/// `finstage llm ask`
#[derive(Debug, Args)]
#[command(
    after_help = "The answer is printed while it is made; with --json it is the whole answer in OpenAI's words.\n\nExample:  finstage llm ask 'What is a golden cross?' --model gpt-4o-mini"
)]
pub struct LlmAsk {
    /// The question, or - for standard input
    #[arg(value_name = "TEXT")]
    pub text: String,
    /// What the model is told before the question
    #[arg(long, value_name = "TEXT")]
    pub system: Option<String>,
    /// The most tokens of the answer
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_tokens: Option<u32>,
    /// Whom to ask
    #[command(flatten)]
    pub target: LlmTarget,
}

/// `finstage llm batch`
#[derive(Debug, Args)]
pub struct LlmBatch {
    /// What to do
    #[command(subcommand)]
    pub command: LlmBatchCommand,
}

/// What `finstage llm batch` does.
#[derive(Debug, Subcommand)]
pub enum LlmBatchCommand {
    /// Upload a batch file and start it
    #[command(
        after_help = "Fields: id status total\n\nExample:  finstage llm batch submit requests.jsonl"
    )]
    Submit {
        /// OpenAI's batch format: at most 50,000 lines, 200 MB, one model
        #[arg(value_name = "IN")]
        input: PathBuf,
        /// Whom to ask
        #[command(flatten)]
        target: LlmTarget,
    },
    /// How far a batch is
    #[command(
        after_help = "Fields: id status total completed failed\n\nExample:  finstage llm batch status batch_abc123"
    )]
    Status {
        /// What submit printed
        #[arg(value_name = "ID")]
        id: String,
        /// Whom to ask
        #[command(flatten)]
        target: LlmTarget,
    },
    /// Get what a batch has finished, expired and cancelled ones included
    #[command(
        after_help = "Rows that are in the output already are not written again. Exit code 1: some rows failed, or are missing.\n\nFields: id status total done failed skipped missing cost_usd\n\nExample:  finstage llm batch fetch batch_abc123 -o results.jsonl --input requests.jsonl"
    )]
    Fetch {
        /// What submit printed
        #[arg(value_name = "ID")]
        id: String,
        /// Results, in the same form as those of `llm run`
        #[arg(long, short, value_name = "OUT")]
        output: PathBuf,
        /// Rows that failed go to this file; else they stand in the results
        #[arg(long, value_name = "FILE")]
        errors: Option<PathBuf>,
        /// What was submitted: names rows that the batch says nothing of
        #[arg(long, value_name = "IN")]
        input: Option<PathBuf>,
        /// Whom to ask
        #[command(flatten)]
        target: LlmTarget,
    },
}

/// `finstage llm cost`
#[derive(Debug, Args)]
#[command(
    after_help = "Days are those of UTC. A month is projected from the days of the list: 30 times the mean day, or what was spent so far\nwhere that is less than a day. Requests to models without a known price are counted, not priced.\n\nFields: total_usd daily_usd projected_month_usd requests unpriced, and by model, job and day\n\nExample:  finstage llm cost --days 7"
)]
pub struct LlmCost {
    /// Of so many days up to today
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub days: u32,
}

/// `finstage llm check`
#[derive(Debug, Args)]
#[command(
    after_help = "Asks GET /v1/usage. Exit code 4: the key is refused; 3: anything else.\n\nExample:  finstage llm check --base-url https://llm.example.org/v1"
)]
pub struct LlmCheck {
    /// Whom to ask
    #[command(flatten)]
    pub target: LlmTarget,
}

/// `finstage gateway`
#[derive(Debug, Args)]
#[command(
    after_help = "The first line on stdout is JSON: {\"openai\":\"http://…/gateway/openai/v1\",\"venues\":{\"binance\":\"http://…/gateway/binance\"}}.\nPrograms keep their code: they change the base URL, and their keys stay here. Answers carry X-Finstage-Wait-Ms, X-Finstage-Cost-Usd\nand X-Finstage-Cache. Settings are [gateway] and [llm]; docs/guides/gateway.md has examples in several languages.\n\nExample:  finstage gateway --listen 127.0.0.1:8090\n          OPENAI_BASE_URL=http://127.0.0.1:8090/gateway/openai/v1 python app.py"
)]
pub struct Gateway {
    /// Address; port 0 takes a free one [default: gateway.listen, else 127.0.0.1:8090]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|why| why.to_string())
}

fn usd(text: &str) -> Result<Money, String> {
    let money = Money::from_usd(text).filter(|money| *money > Money::ZERO);
    money.ok_or_else(|| format!("\"{text}\" is no amount of dollars: write 1 or 0.50"))
}
