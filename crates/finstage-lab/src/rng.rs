//! The one source of chance: small, documented, the same on every machine.
//!
//! xoshiro256++ (Blackman and Vigna, 2019, <https://prng.di.unimi.it/>), its state filled by
//! SplitMix64. Only integer operations and the exactly rounded `+ - * /` of IEEE 754 are used:
//! logarithms and cosines differ in the last bit between mathematical libraries, and one differing
//! bit makes another market. So the bell curve is a sum of uniforms, which is flat beyond 3.5
//! standard deviations; the market gets its fat tails from changing volatility and jumps.

/// A seeded generator.
///
/// ```
/// use finstage_lab::rng::Rng;
/// let (mut a, mut b) = (Rng::new(7), Rng::new(7));
/// assert_eq!(a.next_u64(), b.next_u64());
/// assert!(a.below(6) < 6);
/// ```
#[derive(Debug, Clone)]
pub struct Rng {
    state: [u64; 4],
}

impl Rng {
    /// The generator of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut at = seed;
        Self {
            state: std::array::from_fn(|_| {
                at = at.wrapping_add(GOLDEN);
                finalize(at)
            }),
        }
    }

    /// The generator of a seed and a name: streams of different names are independent, so that
    /// one more symbol leaves the others as they were.
    #[must_use]
    pub fn named(seed: u64, name: &str) -> Self {
        // FNV-1a, 64 bits.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self::new(mix(seed, hash, 0))
    }

    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let s = &mut self.state;
        let out = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        out
    }

    /// Uniform in `[0, 1)`, 53 bits.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }

    /// Uniform in `0..n`, or 0 where `n` is 0. The bias is below `n / 2^64`.
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(n)) >> 64) as u64
    }

    /// Uniform in `[from, to)`.
    pub fn range(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.unit()
    }

    /// Approximately standard normal: the sum of four 16-bit uniforms, mean 0, variance 1, never
    /// beyond ±3.47.
    pub fn bell(&mut self) -> f64 {
        let bits = self.next_u64();
        let sum = (bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48);
        // The sum has mean 2 * 65535 and variance 65536² / 3.
        (sum as f64 - 131_070.0) * (SQRT_3 / 65_536.0)
    }
}

/// A stateless draw: 64 bits that depend on all three numbers. For decisions that must not depend
/// on how many were taken before.
#[must_use]
pub fn mix(seed: u64, a: u64, b: u64) -> u64 {
    let first = finalize(seed.wrapping_add(GOLDEN) ^ finalize(a.wrapping_add(GOLDEN)));
    finalize(first ^ b.wrapping_mul(GOLDEN))
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
const SQRT_3: f64 = 1.732_050_807_568_877_2;

/// The output function of SplitMix64.
fn finalize(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generators_match_their_published_outputs() {
        // SplitMix64 from seed 1234567: first output 6457827717110365317.
        assert_eq!(finalize(1_234_567_u64.wrapping_add(GOLDEN)), 6_457_827_717_110_365_317);
        // xoshiro256++ from the state 1, 2, 3, 4.
        let mut rng = Rng { state: [1, 2, 3, 4] };
        assert_eq!([rng.next_u64(), rng.next_u64()], [41_943_041, 58_720_359]);
    }

    #[test]
    fn moments_are_those_of_the_named_distributions() {
        let mut rng = Rng::new(3);
        let n = 200_000;
        let (mut mean, mut square, mut unit) = (0.0, 0.0, 0.0);
        for _ in 0..n {
            let z = rng.bell();
            mean += z / f64::from(n);
            square += z * z / f64::from(n);
            unit += rng.unit() / f64::from(n);
        }
        assert!(mean.abs() < 0.01 && (square - 1.0).abs() < 0.01, "{mean} {square}");
        assert!((unit - 0.5).abs() < 0.005, "{unit}");
        assert!((0..1000).all(|_| rng.below(6) < 6) && rng.below(0) == 0);
        assert!((0..1000).all(|_| (-2.0..3.0).contains(&rng.range(-2.0, 3.0))));
    }

    #[test]
    fn names_make_independent_streams() {
        let draw = |seed, name: &str| Rng::named(seed, name).next_u64();
        assert_ne!(draw(1, "BTCUSDT"), draw(1, "ETHUSDT"));
        assert_ne!(draw(1, "BTCUSDT"), draw(2, "BTCUSDT"));
        assert_ne!(mix(1, 2, 3), mix(1, 3, 2));
    }
}
