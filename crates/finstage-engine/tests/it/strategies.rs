//! Small strategies for tests; the real ones live on a higher floor.

use std::collections::VecDeque;

use finstage_engine::{Catalog, Context, Entry, Firing, ParamSpec, Strategy};
use finstage_model::{Bar, Direction, Facts, Interval};

pub(crate) const TOYS: Catalog = Catalog::new(&[CROSS, CHATTER, READER]);

/// Long when the close goes above the mean of the last `n`, short when it goes below.
pub(crate) const CROSS: Entry = Entry {
    name: "cross",
    direction: Direction::Long,
    describes: "the close crosses the SMA(n)",
    korean: "",
    params: &[ParamSpec::period("n", 3, "bars of the mean")],
    check: |params| if params.period("n") < 2 { Err("n must be at least 2") } else { Ok(()) },
    words: |params| format!("close crossed SMA({})", params.get("n")),
    build: |params| {
        let n = params.period("n");
        Box::new(Cross { n, closes: VecDeque::new(), before: None })
    },
};

/// Says everything it can on every bar, with numbers that are none.
pub(crate) const CHATTER: Entry = Entry {
    name: "chatter",
    direction: Direction::Long,
    describes: "every bar",
    korean: "",
    params: &[ParamSpec::period("warmup", 1, "bars of silence")],
    check: |_| Ok(()),
    words: |_| "a bar closed".to_owned(),
    build: |params| Box::new(Chatter { warmup: params.period("warmup") }),
};

/// Says how many five-minute bars it sees and the close of the last.
pub(crate) const READER: Entry = Entry {
    name: "reader",
    direction: Direction::Long,
    describes: "every bar",
    korean: "",
    params: &[ParamSpec::period("memory", 2, "bars it remembers")],
    check: |_| Ok(()),
    words: |_| "looked at 5m".to_owned(),
    build: |params| Box::new(Reader { memory: params.period("memory") }),
};

#[derive(Debug)]
struct Cross {
    n: usize,
    closes: VecDeque<f64>,
    before: Option<bool>,
}

impl Strategy for Cross {
    fn warmup(&self) -> usize {
        self.n + 1
    }

    fn on_bar(&mut self, bar: &Bar, _: &Context<'_>, out: &mut Vec<Firing>) {
        let close = bar.close.to_f64();
        self.closes.push_back(close);
        if self.closes.len() > self.n {
            self.closes.pop_front();
        }
        if self.closes.len() < self.n {
            return;
        }
        let mean = self.closes.iter().sum::<f64>() / self.n as f64;
        let is_above = close > mean;
        if self.before.is_some_and(|before| before != is_above) {
            let direction = if is_above { Direction::Long } else { Direction::Short };
            let facts = Facts::new(&[("close", close), ("mean", mean)]);
            out.push(Firing { direction, strength: close - mean, facts });
        }
        self.before = Some(is_above);
    }
}

#[derive(Debug)]
struct Chatter {
    warmup: usize,
}

impl Strategy for Chatter {
    fn warmup(&self) -> usize {
        self.warmup
    }

    fn on_bar(&mut self, _: &Bar, _: &Context<'_>, out: &mut Vec<Firing>) {
        for (direction, strength) in [
            (Direction::Long, f64::NAN),
            (Direction::Long, 2.0),
            (Direction::Short, f64::INFINITY),
            (Direction::Short, 3.0),
        ] {
            out.push(Firing { direction, strength, facts: Facts::default() });
        }
    }
}

#[derive(Debug)]
struct Reader {
    memory: usize,
}

impl Strategy for Reader {
    fn warmup(&self) -> usize {
        1
    }

    fn memory(&self) -> usize {
        self.memory
    }

    fn on_bar(&mut self, _: &Bar, ctx: &Context<'_>, out: &mut Vec<Firing>) {
        let bars = ctx.series(Interval::M5);
        let last = bars.last().map_or(0.0, |bar| bar.close.to_f64());
        let facts = Facts::new(&[("seen", bars.len() as f64), ("last", last)]);
        out.push(Firing { direction: Direction::Long, strength: 1.0, facts });
    }
}
