use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use finstage_feeds::registry::{GROUPS, ListingCategory};
use finstage_model::Timestamp;

/// `finstage instruments`
#[derive(Debug, Subcommand)]
pub enum Instruments {
    /// Every instrument that has a name here, by symbol, English and Korean name
    #[command(
        after_help = "Others can be watched as well: any symbol that the venue knows.\n\nExample:  finstage instruments list --group kospi"
    )]
    List(ListingArgs),
    /// Instruments by a part of their symbol, English or Korean name, best first
    #[command(
        after_help = "Letter case, spaces and punctuation do not count.\n\nExample:  finstage instruments search 삼성"
    )]
    Search {
        /// The part
        #[arg(value_name = "TEXT")]
        text: String,
        /// Which of them
        #[command(flatten)]
        only: ListingArgs,
    },
    /// One instrument: its names, whether its market is open, and when it opens and closes next
    #[command(
        after_help = "Times are those of the market, beside the [display] zone. Where a calendar is not known for\na day, it says so.\n\nExample:  finstage instruments show 005930 --at 2026-12-31T01:00:00Z"
    )]
    Show {
        /// Symbol with or without its venue, or the whole name: yahoo:AAPL, AAPL, 005930, 삼성전자
        #[arg(value_name = "SYMBOL")]
        symbol: String,
        /// Look at this moment: RFC 3339 or YYYY-MM-DD [default: now]
        #[arg(long, value_name = "TIME")]
        at: Option<Timestamp>,
    },
}

/// Which instruments.
#[derive(Debug, Args)]
pub struct ListingArgs {
    /// Only this kind
    #[arg(long, value_name = "CATEGORY", value_parser = categories())]
    pub category: Option<ListingCategory>,
    /// Only members of this list
    #[arg(long, value_name = "GROUP", value_parser = PossibleValuesParser::new(GROUPS))]
    pub group: Option<String>,
}

fn categories() -> impl TypedValueParser<Value = ListingCategory> {
    PossibleValuesParser::new(ListingCategory::ALL.map(ListingCategory::name))
        .map(|name| ListingCategory::find(&name).expect("only names of categories are possible"))
}
