//! Evidence cards in force: of every hypothesis the newest.
//!
//! Cards are kept beside a running service, whose engine knows of them from events alone. So each
//! verification numbers what it keeps, and a service asks now and then what is newer than the
//! newest number it has seen, as it does for imports.

use std::collections::{BTreeMap, BTreeSet};

use finstage_model::{Card, CardId};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::db::{Durability, Trouble};
use super::{Records, json_list};
use crate::Error;

/// The greatest number of cards that are read.
pub const MAX_CARDS: u64 = 1_000_000;

/// A card in force.
#[derive(Debug, Clone, PartialEq)]
pub struct CardRow {
    /// The card.
    pub card: Card,
    /// That of the verification that put it there: greater than of every one before.
    pub number: i64,
}

impl Records {
    /// Puts cards in force, each in place of the one of its hypothesis. One that is in force already
    /// changes nothing.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`.
    pub fn keep_cards<'a>(&self, cards: impl IntoIterator<Item = &'a Card>) -> Result<(), Error> {
        self.0.write("keeping cards in", Durability::Kept, |tx| {
            let number = next_number(tx)?;
            cards.into_iter().try_for_each(|card| keep(tx, card, number))
        })
    }

    /// Puts a card in the place of the one with the id `known`; false when that is not in force any
    /// more, and then nothing changes.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`.
    pub fn replace_card(&self, known: CardId, card: &Card) -> Result<bool, Error> {
        self.0.write("keeping a card in", Durability::Kept, |tx| {
            let sql = "SELECT 1 FROM cards WHERE hypothesis = ? AND id = ?";
            let is_there =
                tx.prepare_cached(sql)?.exists(params![card.hypothesis(), known.to_string()])?;
            if is_there {
                keep(tx, card, next_number(tx)?)?;
            }
            Ok(is_there)
        })
    }

    /// The cards that were put in force since the verification `number`, in an order that does not
    /// change; from 0 all.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn cards_since(&self, number: i64) -> Result<Vec<CardRow>, Error> {
        self.0.read("reading the cards in", |tx| {
            let sql = "SELECT json, number FROM cards WHERE number > ?
                ORDER BY number, hypothesis LIMIT ?";
            let mut query = tx.prepare_cached(sql)?;
            let mut rows = query.query(params![number, MAX_CARDS as i64])?;
            let mut cards = Vec::new();
            while let Some(row) = rows.next()? {
                cards.push(CardRow { card: card(row)?, number: row.get("number")? });
            }
            Ok(cards)
        })
    }

    /// The card in force of a hypothesis ([`Card::hypothesis`]).
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn card_of(&self, hypothesis: &str) -> Result<Option<Card>, Error> {
        self.one("SELECT json FROM cards WHERE hypothesis = ?", hypothesis)
    }

    /// The card with that id, as long as it is in force.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn card(&self, id: CardId) -> Result<Option<Card>, Error> {
        self.one("SELECT json FROM cards WHERE id = ?", &id.to_string())
    }

    /// Those of the cards with these ids that are in force.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn cards_with(&self, ids: &BTreeSet<CardId>) -> Result<BTreeMap<CardId, Card>, Error> {
        self.0.read("reading cards in", |tx| {
            let sql = "SELECT json FROM cards WHERE id IN (SELECT value FROM json_each(?))";
            let mut query = tx.prepare_cached(sql)?;
            let mut rows = query.query([json_list(ids)])?;
            let mut cards = BTreeMap::new();
            while let Some(row) = rows.next()? {
                let card = card(row)?;
                cards.insert(card.id, card);
            }
            Ok(cards)
        })
    }

    fn one(&self, sql: &str, key: &str) -> Result<Option<Card>, Error> {
        self.0.read("reading a card in", |tx| {
            let mut query = tx.prepare_cached(sql)?;
            query.query_row([key], |row| Ok(card(row))).optional()?.transpose()
        })
    }
}

/// That of a verification that begins now.
fn next_number(tx: &Connection) -> Result<i64, Trouble> {
    let newest = "SELECT coalesce(max(number), 0) FROM cards";
    Ok(tx.query_row(newest, (), |row| row.get::<_, i64>(0))? + 1)
}

fn keep(tx: &Connection, card: &Card, number: i64) -> Result<(), Trouble> {
    let sql = "INSERT INTO cards VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT (hypothesis) DO UPDATE SET id = excluded.id, number = excluded.number,
            issued = excluded.issued, expires = excluded.expires, json = excluded.json
        WHERE id <> excluded.id";
    tx.prepare_cached(sql)?.execute(params![
        card.hypothesis(),
        card.id.to_string(),
        number,
        card.issued.nanos(),
        card.expires.nanos(),
        serde_json::to_string(card).expect("a card is always JSON"),
    ])?;
    Ok(())
}

fn card(row: &Row<'_>) -> Result<Card, Trouble> {
    let json: String = row.get("json")?;
    serde_json::from_str(&json).map_err(|e| Trouble::BadRow(format!("a card: {e}")))
}

#[cfg(test)]
mod tests {
    use finstage_model::{CardVerdict, Timestamp};

    use super::*;

    fn card(strategy: &str, issued: i64) -> Card {
        let golden = include_str!("../../../finstage-model/src/card/golden.json");
        let issued = Timestamp::from_secs(issued);
        let card: Card = serde_json::from_str(golden).unwrap();
        let mut card = Card { strategy: strategy.to_owned(), issued, ..card };
        card.id = card.content_id();
        card
    }

    #[test]
    fn of_every_hypothesis_the_newest_is_in_force() {
        let records = Records::open_in_memory().unwrap();
        assert_eq!(records.cards_since(0).unwrap(), []);
        let (a, b) = (card("a", 1), card("b", 1));
        records.keep_cards([&a, &b]).unwrap();
        let first = records.cards_since(0).unwrap();
        assert_eq!(first.iter().map(|row| row.number).collect::<Vec<_>>(), [1, 1]);
        records.keep_cards([&a, &b]).unwrap();
        assert_eq!(records.cards_since(0).unwrap(), first, "the same again is nothing new");

        let newer = Card { verdict: CardVerdict::Verified, ..card("b", 2) };
        records.keep_cards([&a, &newer]).unwrap();
        let since = records.cards_since(1).unwrap();
        assert_eq!(since, [CardRow { card: newer.clone(), number: 2 }]);
        assert_eq!(records.cards_since(0).unwrap().len(), 2);
        assert_eq!(records.card_of(&b.hypothesis()).unwrap(), Some(newer.clone()));
        assert_eq!(records.card(newer.id).unwrap(), Some(newer));
        assert_eq!(records.card(b.id).unwrap(), None);
        let asked = BTreeSet::from([a.id, b.id]);
        let found = records.cards_with(&asked).unwrap();
        assert_eq!(found, BTreeMap::from([(a.id, a)]), "only what is in force");
    }

    #[test]
    fn a_card_is_replaced_only_while_it_is_in_force() {
        let records = Records::open_in_memory().unwrap();
        let (known, newer) = (card("a", 1), card("a", 2));
        records.keep_cards([&known, &card("b", 1)]).unwrap();
        let other = Card { verdict: CardVerdict::Rejected, id: CardId(8), ..known.clone() };
        assert!(records.replace_card(known.id, &other).unwrap());
        assert_eq!(records.cards_since(1).unwrap(), [CardRow { card: other.clone(), number: 2 }]);
        records.keep_cards([&newer]).unwrap();
        assert!(!records.replace_card(other.id, &known).unwrap());
        assert_eq!(records.card_of(&known.hypothesis()).unwrap(), Some(newer));
    }

    #[test]
    fn horizons_are_hypotheses_of_their_own() {
        let records = Records::open_in_memory().unwrap();
        let one = card("a", 1);
        let other = Card { horizon: "1mo".parse().unwrap(), id: CardId(5), ..one.clone() };
        records.keep_cards([&one, &other]).unwrap();
        assert_eq!(records.cards_since(0).unwrap().len(), 2);
    }
}
