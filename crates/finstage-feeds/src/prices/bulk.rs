//! Prices of a list: several venues, repeated symbols, batches, and the order of the list.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use finstage_model::Symbol;
use finstage_net::batch::{BatchReport, BatchStep, Batcher, run};
use finstage_net::first_good;
use tokio::sync::OnceCell;

use super::{PriceDesk, PriceError, PriceErrorKind, Quotation};

type Priced = Result<Quotation, PriceError>;

/// Asks venues for the prices of lists.
#[derive(Debug, Default)]
pub struct BulkPrices {
    desks: BTreeMap<&'static str, PriceDesk>,
}

/// What [`BulkPrices::ask`] tells while it works.
#[derive(Debug)]
pub enum PriceTold<'a> {
    /// A row of the list, in its order.
    Row {
        /// The instrument.
        symbol: &'a Symbol,
        /// Its price.
        result: &'a Result<Quotation, PriceError>,
    },
    /// A batch is over; its rows were told before.
    Batch(&'a BatchReport),
}

impl FromIterator<PriceDesk> for BulkPrices {
    fn from_iter<I: IntoIterator<Item = PriceDesk>>(desks: I) -> Self {
        Self { desks: desks.into_iter().map(|desk| (desk.venue(), desk)).collect() }
    }
}

/// Symbols that share a request; whoever needs it first sends it.
struct Group<'a> {
    desk: Option<&'a PriceDesk>,
    symbols: Vec<Symbol>,
    prices: OnceCell<Vec<Priced>>,
}

impl BulkPrices {
    /// Tells the price of each of `symbols`, in their order and as soon as it is known. A symbol that
    /// is there several times is asked for once.
    ///
    /// Where `batcher` does not part the items, symbols of a venue that tells many prices in one answer
    /// share requests; in batches each symbol is a request, so that their size means something.
    pub async fn ask(
        &self,
        symbols: &[Symbol],
        batcher: &mut Batcher,
        mut told: impl FnMut(PriceTold<'_>),
    ) {
        let list = Listed::of(symbols);
        let shares = batcher.size() == usize::MAX;
        let (groups, places) = self.groups(&list.unique, shares);
        let groups = &groups;
        let work = |(group, place): (usize, usize)| async move {
            let group = &groups[group];
            group.prices().await.get(place).cloned().unwrap_or_else(|| Err(nobody()))
        };
        let mut run = run(places, batcher, work);
        let mut known: HashMap<usize, Priced> = HashMap::new();
        let mut rows = symbols.iter().zip(&list.rows).enumerate().peekable();
        while let Some(step) = run.next().await {
            match step {
                BatchStep::Item { index, result } => {
                    known.insert(index, result);
                    // What follows may repeat earlier ones.
                    while let Some((row, (symbol, unique))) =
                        rows.next_if(|(_, (_, u))| known.contains_key(u))
                    {
                        told(PriceTold::Row { symbol, result: &known[unique] });
                        if list.last[*unique] == row {
                            known.remove(unique);
                        }
                    }
                }
                BatchStep::Batch(report) => told(PriceTold::Batch(&report)),
            }
        }
    }

    /// The first good price among `symbols`, which are names of the same thing at several venues.
    /// All are asked at once; when one has answered well, the other requests are cancelled.
    ///
    /// # Errors
    /// When none has: one error that names each and why. Its kind is that of all of them, else
    /// [`PriceErrorKind::Unreachable`].
    pub async fn first(&self, symbols: &[Symbol]) -> Result<(Symbol, Quotation), PriceError> {
        let kinds = Arc::<Mutex<Vec<PriceErrorKind>>>::default();
        let ask = |symbol: &Symbol| {
            let (symbol, kinds) = (symbol.clone(), Arc::clone(&kinds));
            let answer = self.one(symbol.clone());
            let note = move |why: &PriceError| {
                kinds.lock().unwrap_or_else(PoisonError::into_inner).push(why.kind());
            };
            (symbol, async move { answer.await.inspect_err(note) })
        };
        let sources = symbols.iter().map(ask).collect();
        let won: Result<(Symbol, Quotation), finstage_net::Error> = first_good(sources).await;
        won.map_err(|why| {
            let kinds = kinds.lock().unwrap_or_else(PoisonError::into_inner);
            let same = kinds.first().filter(|first| kinds.iter().all(|kind| kind == *first));
            PriceError::new(same.copied().unwrap_or(PriceErrorKind::Unreachable), why.to_string())
        })
    }

    async fn one(&self, symbol: Symbol) -> Priced {
        let desk = self.desks.get(symbol.venue()).ok_or_else(nobody)?;
        desk.ask(&[symbol]).await.pop().unwrap_or_else(|| Err(nobody()))
    }

    /// The requests for `unique`, and where in them each symbol is.
    fn groups(&self, unique: &[Symbol], shares: bool) -> (Vec<Group<'_>>, Vec<(usize, usize)>) {
        let mut groups: Vec<Group<'_>> = Vec::new();
        let mut open: HashMap<&str, usize> = HashMap::new();
        let mut places = Vec::with_capacity(unique.len());
        for symbol in unique {
            let desk = self.desks.get(symbol.venue());
            let most = if shares { desk.map_or(1, PriceDesk::at_once) } else { 1 };
            let has_room = |place: &&usize| groups[**place].symbols.len() < most;
            let place = open.get(symbol.venue()).filter(has_room).copied();
            let place = place.unwrap_or_else(|| {
                groups.push(Group { desk, symbols: Vec::new(), prices: OnceCell::new() });
                open.insert(symbol.venue(), groups.len() - 1);
                groups.len() - 1
            });
            groups[place].symbols.push(symbol.clone());
            places.push((place, groups[place].symbols.len() - 1));
        }
        (groups, places)
    }
}

impl Group<'_> {
    async fn prices(&self) -> &[Priced] {
        let ask = || async {
            match self.desk {
                Some(desk) => desk.ask(&self.symbols).await,
                None => self.symbols.iter().map(|_| Err(nobody())).collect(),
            }
        };
        self.prices.get_or_init(ask).await
    }
}

fn nobody() -> PriceError {
    PriceError::new(PriceErrorKind::Refused, "no prices come from this venue")
}

/// A list with its repetitions.
struct Listed {
    /// Each symbol once, in the order in which they come first.
    unique: Vec<Symbol>,
    /// For each row its place in `unique`.
    rows: Vec<usize>,
    /// For each place in `unique` its last row.
    last: Vec<usize>,
}

impl Listed {
    fn of(symbols: &[Symbol]) -> Self {
        let (mut unique, mut rows, mut last) = (Vec::new(), Vec::new(), Vec::new());
        let mut places: HashMap<&Symbol, usize> = HashMap::new();
        for (row, symbol) in symbols.iter().enumerate() {
            let place = *places.entry(symbol).or_insert_with(|| {
                unique.push(symbol.clone());
                last.push(row);
                unique.len() - 1
            });
            rows.push(place);
            last[place] = row;
        }
        Self { unique, rows, last }
    }
}
