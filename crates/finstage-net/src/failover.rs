//! Several sources, of which the first good one counts.

use std::fmt::{self, Write as _};
use std::future::Future;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use crate::{Error, ErrorKind};

/// Asks all sources at once. The first good answer wins, with its label; the others are dropped
/// where they stand, so their requests are cancelled.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use finstage_net::first_good;
/// use futures_util::future::{err, ok, Either};
///
/// let sources = vec![("binance", Either::Left(err("no such symbol"))), ("kraken", Either::Right(ok(100)))];
/// let (source, price) = first_good(sources).await.unwrap();
/// assert_eq!((source, price), ("kraken", 100));
/// # });
/// ```
///
/// # Errors
/// When none answers well: one error that names each source in the order given, and why.
pub async fn first_good<L, F, T, E>(sources: Vec<(L, F)>) -> Result<(L, T), Error>
where
    L: fmt::Display,
    F: Future<Output = Result<T, E>>,
    E: fmt::Display,
{
    let mut reasons: Vec<(Option<L>, Option<E>)> = Vec::with_capacity(sources.len());
    let mut running = FuturesUnordered::new();
    for (place, (label, source)) in sources.into_iter().enumerate() {
        reasons.push((Some(label), None));
        running.push(async move { (place, source.await) });
    }
    while let Some((place, end)) = running.next().await {
        match end {
            Ok(value) => {
                let label = reasons[place].0.take().expect("each source ends once");
                return Ok((label, value));
            }
            Err(error) => reasons[place].1 = Some(error),
        }
    }
    let mut words = String::from("no source answered");
    for (label, error) in reasons.iter().filter_map(|(l, e)| l.as_ref().zip(e.as_ref())) {
        let mark = if words.contains(": ") { ';' } else { ':' };
        write!(words, "{mark} {label}: {error}").expect("writing to a string cannot fail");
    }
    Err(Error::new(ErrorKind::Unavailable, words))
}
