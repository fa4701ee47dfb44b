//! The normal distribution, the same to the last bit on every machine.

use std::f64::consts::FRAC_1_SQRT_2;

/// z of a two-sided 95 % interval: the quantile of 0.975.
pub const Z_95: f64 = 1.959_963_984_540_054;

/// P(Z ≤ z), to about z²·1e-16 in relative terms.
#[must_use]
pub fn cdf(z: f64) -> f64 {
    0.5 * libm::erfc(-z * FRAC_1_SQRT_2)
}

/// P(Z ≥ z): keeps the digits of a small tail.
#[must_use]
pub fn upper(z: f64) -> f64 {
    cdf(-z)
}

/// The z with P(Z ≤ z) = `p`: Wichura (1988), algorithm AS 241, relative error about 1e-16.
/// `None` unless 0 < p < 1.
#[must_use]
pub fn quantile(p: f64) -> Option<f64> {
    if !(p > 0.0 && p < 1.0) {
        return None;
    }
    let off = p - 0.5;
    if off.abs() <= 0.425 {
        let r = 0.180_625 - off * off;
        return Some(off * polynomial(&CENTER.0, r) / polynomial(&CENTER.1, r));
    }
    let r = (-libm::log(if off < 0.0 { p } else { 1.0 - p })).sqrt();
    let (shifted, terms) = if r <= 5.0 { (r - 1.6, &MIDDLE) } else { (r - 5.0, &TAIL) };
    let z = polynomial(&terms.0, shifted) / polynomial(&terms.1, shifted);
    Some(z.copysign(off))
}

/// Numerator and denominator, highest power first.
type Rational = ([f64; 8], [f64; 8]);

const CENTER: Rational = (
    [
        2.509_080_928_730_122_7e3,
        3.343_057_558_358_813e4,
        6.726_577_092_700_87e4,
        4.592_195_393_154_987e4,
        1.373_169_376_550_946e4,
        1.971_590_950_306_551_3e3,
        1.331_416_678_917_843_8e2,
        3.387_132_872_796_366_5,
    ],
    [
        5.226_495_278_852_854e3,
        2.872_908_573_572_194_3e4,
        3.930_789_580_009_271e4,
        2.121_379_430_158_659_7e4,
        5.394_196_021_424_751e3,
        6.871_870_074_920_579e2,
        4.231_333_070_160_091e1,
        1.0,
    ],
);

const MIDDLE: Rational = (
    [
        7.745_450_142_783_414e-4,
        2.272_384_498_926_918_4e-2,
        2.417_807_251_774_506e-1,
        1.270_458_252_452_368_4,
        3.647_848_324_763_204_5,
        5.769_497_221_460_691,
        4.630_337_846_156_546,
        1.423_437_110_749_683_5,
    ],
    [
        1.050_750_071_644_416_9e-9,
        5.475_938_084_995_345e-4,
        1.519_866_656_361_645_7e-2,
        1.481_039_764_274_800_8e-1,
        6.897_673_349_851e-1,
        1.676_384_830_183_803_8,
        2.053_191_626_637_759,
        1.0,
    ],
);

const TAIL: Rational = (
    [
        2.010_334_399_292_288_1e-7,
        2.711_555_568_743_487_6e-5,
        1.242_660_947_388_078_4e-3,
        2.653_218_952_657_612_4e-2,
        2.965_605_718_285_048_7e-1,
        1.784_826_539_917_291_3,
        5.463_784_911_164_114,
        6.657_904_643_501_103,
    ],
    [
        2.044_263_103_389_939_7e-15,
        1.421_511_758_316_446e-7,
        1.846_318_317_510_054_8e-5,
        7.868_691_311_456_133e-4,
        1.487_536_129_085_061_5e-2,
        1.369_298_809_227_358e-1,
        5.998_322_065_558_88e-1,
        1.0,
    ],
);

fn polynomial(coefficients: &[f64; 8], x: f64) -> f64 {
    coefficients.iter().fold(0.0, |sum, coefficient| sum * x + coefficient)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(said: f64, wanted: f64) {
        assert!((said / wanted - 1.0).abs() < 1e-14, "{said} is not {wanted}");
    }

    #[test]
    fn the_tails_are_those_of_the_tables() {
        // Forty digits of a multi-precision library, cut.
        close(cdf(-1.0), 0.158_655_253_931_457_05);
        close(cdf(1.5), 0.933_192_798_731_141_9);
        close(upper(6.0), 9.865_876_450_376_98e-10);
        close(cdf(-8.0), 6.220_960_574_271_784e-16);
        assert_eq!(cdf(0.0), 0.5);
    }

    #[test]
    fn the_quantile_undoes_the_distribution() {
        close(quantile(0.975).unwrap(), Z_95);
        for z in [-30.0, -8.0, -3.3, -1.2, -0.4, 0.3, 1.1, 2.0] {
            close(quantile(cdf(z)).unwrap(), z);
        }
        assert_eq!(quantile(0.5), Some(0.0));
        for p in [0.0, 1.0, -0.1, f64::NAN] {
            assert_eq!(quantile(p), None);
        }
    }
}
