use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use finstage_feeds::registry::{GROUPS, ListingCategory};
use finstage_model::{Symbol, Timestamp};

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
    /// What the venue itself says of instruments: names, number, kind (kis)
    #[command(
        after_help = "Fields: symbol name name_ko isin category currency error\n\nExample:  finstage instruments ask kis:005930 kis:AAPL"
    )]
    Ask {
        /// Instruments, venue:SYMBOL
        #[arg(value_delimiter = ',', value_name = "SYMBOL", required = true)]
        symbols: Vec<Symbol>,
    },
    /// Name an instrument that is not in the registry, or name one otherwise
    #[command(
        after_help = "It is kept in the data folder. Names are found by search, the category decides the thresholds of\nwatches, the calendar the hours.\n\nExample:  finstage instruments add yahoo:012450.KS --name 'Hanwha Aerospace' --name-ko 한화에어로스페이스 --category stock --currency KRW --calendar kr\n          finstage instruments add --from-kis-master kospi"
    )]
    Add(InstrumentAdd),
    /// Forget what was said of an instrument; a built-in name comes back
    Remove {
        /// The symbol
        #[arg(value_name = "SYMBOL")]
        symbol: Symbol,
    },
}

/// `finstage instruments add`
#[derive(Debug, Args)]
pub struct InstrumentAdd {
    /// The symbol
    #[arg(value_name = "SYMBOL", required_unless_present = "from_kis_master")]
    pub symbol: Option<Symbol>,
    /// The English name
    #[arg(long, value_name = "NAME", required_unless_present = "from_kis_master")]
    pub name: Option<String>,
    /// The Korean name [default: the English one]
    #[arg(long, value_name = "NAME")]
    pub name_ko: Option<String>,
    /// What kind of thing it is
    #[arg(long, value_name = "CATEGORY", value_parser = categories(), default_value = "stock")]
    pub category: ListingCategory,
    /// What its price is in: USD, KRW
    #[arg(long, value_name = "CURRENCY")]
    pub currency: Option<String>,
    /// When its market is open [default: not known, which counts as always]
    #[arg(long, value_name = "CALENDAR", value_parser = ["us", "kr", "always"])]
    pub calendar: Option<String>,
    /// Every share and fund of a master file of KIS in place of one instrument: kospi or kosdaq (fetched
    /// from KIS, no key needed), an address, or a file (.mst or .zip)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["symbol", "name", "name_ko", "category", "currency", "calendar"])]
    pub from_kis_master: Option<String>,
}

/// Which instruments.
#[derive(Debug, Default, Args)]
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
