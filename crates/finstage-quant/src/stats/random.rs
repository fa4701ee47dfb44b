//! The one generator behind every random draw: small, fast, and the same on every machine.

/// `SplitMix64` (Steele, Lea and Flood 2014): a counter and a mixing function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    /// A stream that begins at `state`.
    #[must_use]
    pub const fn new(state: u64) -> Self {
        Self { state }
    }

    /// The stream of one draw: any draw can be made alone, so that no number depends on who made
    /// the draws before it. It begins at `mix(seed + (draw + 1) · 0xD1342543DE82EF95)`, modulo 2^64.
    #[must_use]
    pub const fn of_draw(seed: u64, draw: u64) -> Self {
        const STRIDE: u64 = 0xD134_2543_DE82_EF95;
        Self::new(mix(seed.wrapping_add(draw.wrapping_add(1).wrapping_mul(STRIDE))))
    }

    /// The state, from which [`SplitMix64::new`] goes on.
    #[must_use]
    pub const fn state(&self) -> u64 {
        self.state
    }

    /// The next 64 bits.
    pub const fn next_bits(&mut self) -> u64 {
        const GOLDEN_GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;
        self.state = self.state.wrapping_add(GOLDEN_GAMMA);
        mix(self.state)
    }

    /// The next number of [0, 1): the upper 53 bits.
    pub const fn uniform(&mut self) -> f64 {
        uniform_of(self.next_bits())
    }
}

/// The number of [0, 1) that 64 bits stand for: their upper 53.
#[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
pub(super) const fn uniform_of(bits: u64) -> f64 {
    const UNIT: f64 = 1.0 / (1u64 << 53) as f64;
    (bits >> 11) as f64 * UNIT
}

/// The finaliser.
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_says_what_its_authors_printed() {
        // First outputs for state 1234567, as in the reference code's widely printed check.
        let mut stream = SplitMix64::new(1_234_567);
        let said = [(); 3].map(|()| stream.next_bits());
        assert_eq!(
            said,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }
}
