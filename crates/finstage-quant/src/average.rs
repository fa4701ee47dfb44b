//! The averages that other indicators are made of, to be chosen by number as in TA-Lib.

use crate::indicators::wma::Wma;
use crate::spec::Param;
use crate::{Ema, Indicator, Sma};

/// Which average.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AverageKind {
    /// [`Sma`].
    #[default]
    Simple,
    /// [`Ema`].
    Exponential,
    /// [`Wma`].
    Weighted,
}

impl AverageKind {
    /// The parameter that chooses: TA-Lib's numbers 0, 1 and 2. Its other averages are not here.
    pub(crate) const fn param(name: &'static str) -> Param {
        Param::whole(name, 0, (0, 2))
    }

    /// The kind of a checked parameter.
    pub(crate) fn of(number: f64) -> Self {
        match number as u32 {
            0 => Self::Simple,
            1 => Self::Exponential,
            _ => Self::Weighted,
        }
    }
}

/// An average of usable numbers.
#[derive(Debug, Clone)]
pub(crate) enum Average {
    Simple(Sma),
    Exponential(Ema),
    Weighted(Wma),
}

impl Average {
    pub(crate) fn new(period: usize, kind: AverageKind) -> Self {
        match kind {
            AverageKind::Simple => Self::Simple(Sma::new(period)),
            AverageKind::Exponential => Self::Exponential(Ema::new(period)),
            AverageKind::Weighted => Self::Weighted(Wma::new(period)),
        }
    }

    pub(crate) fn warmup(&self) -> usize {
        match self {
            Self::Simple(average) => average.warmup(),
            Self::Exponential(average) => average.warmup(),
            Self::Weighted(average) => average.warmup(),
        }
    }

    pub(crate) fn memory(&self) -> usize {
        match self {
            Self::Simple(average) => average.memory(),
            Self::Exponential(average) => average.memory(),
            Self::Weighted(average) => average.memory(),
        }
    }

    pub(crate) fn push(&mut self, value: f64) -> Option<f64> {
        match self {
            Self::Simple(average) => average.update(value),
            Self::Exponential(average) => average.update(value),
            Self::Weighted(average) => average.update(value),
        }
    }

    /// Forgets everything: a break.
    pub(crate) fn clear(&mut self) {
        self.push(f64::NAN);
    }
}
