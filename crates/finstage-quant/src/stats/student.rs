//! Student's t distribution, the same to the last bit on every machine.

use std::f64::consts::PI;

use super::normal;

/// Above so many degrees of freedom the normal distribution is taken, at a deviate that is exact to
/// the fourth power of their inverse.
const NORMAL_ABOVE: f64 = 500.0;
/// Bounds the continued fraction, which needs about √(degrees of freedom) terms.
const MOST_TERMS: u32 = 1_000;

/// P(T ≥ t) with `freedom` degrees of freedom, accurate in relative terms where t > 0. `None` unless
/// `freedom` > 0 and `t` is a number.
#[must_use]
pub fn upper(t: f64, freedom: f64) -> Option<f64> {
    if freedom.is_nan() || freedom <= 0.0 || t.is_nan() {
        return None;
    }
    let tail = tail(t.abs(), freedom);
    Some(if t < 0.0 { 1.0 - tail } else { tail })
}

/// The t with P(T ≤ t) = `p`. `None` unless 0 < p < 1 and `freedom` ≥ 1.
#[must_use]
pub fn quantile(p: f64, freedom: f64) -> Option<f64> {
    const MOST_STEPS: u32 = 200;
    let beyond = if p < 0.5 { p } else { 1.0 - p };
    let mut t = -normal::quantile(beyond)?;
    if freedom.is_nan() || freedom < 1.0 {
        return None;
    }
    // Newton's steps on the logarithm of the tail: nearly straight, so they do not stray.
    for _ in 0..MOST_STEPS {
        let tail = tail(t, freedom);
        let next = t + libm::log(tail / beyond) * tail / density(t, freedom);
        let settled = (next - t).abs() <= 1e-15 * t;
        t = if next > 0.0 { next } else { t / 2.0 };
        if settled {
            break;
        }
    }
    Some(if p < 0.5 { -t } else { t })
}

/// P(T ≥ t) for t ≥ 0.
fn tail(t: f64, freedom: f64) -> f64 {
    if freedom > NORMAL_ABOVE {
        normal::upper(normal_deviate(t, freedom))
    } else {
        beta_tail(t, freedom)
    }
}

/// The normal deviate with the same tail, for many degrees of freedom (Hill 1970, algorithm 395).
fn normal_deviate(t: f64, freedom: f64) -> f64 {
    if freedom.is_infinite() {
        return t;
    }
    let a = freedom - 0.5;
    let b = 48.0 * a * a;
    let y = a * libm::log1p(t * t / freedom);
    let third = (((-0.4 * y - 3.3) * y - 24.0) * y - 85.5) / (0.8 * y * y + 100.0 + b);
    y.sqrt() * (1.0 + (third + y + 3.0) / b)
}

/// By half the regularised incomplete beta function I_w(ν/2, ½) at w = ν/(ν + t²)
/// (Abramowitz and Stegun 26.5.27 and 26.7.1).
fn beta_tail(t: f64, freedom: f64) -> f64 {
    if t == 0.0 {
        return 0.5;
    }
    let half = freedom / 2.0;
    // t may be so large that its square is not finite.
    let ratio = freedom.sqrt() / t;
    let outside = ratio * ratio / (1.0 + ratio * ratio);
    let inside = 1.0 / (1.0 + ratio * ratio);
    let log_outside = -libm::log1p(1.0 / (ratio * ratio));
    let front = gamma_step(half) / PI.sqrt() * libm::exp(half * log_outside) * inside.sqrt();
    if outside < (half + 1.0) / (half + 2.5) {
        front * fraction(outside, half, 0.5) / freedom
    } else {
        0.5 - front * fraction(inside, 0.5, half)
    }
}

/// The density at t.
fn density(t: f64, freedom: f64) -> f64 {
    let log_power = -(freedom + 1.0) / 2.0 * libm::log1p(t * t / freedom);
    gamma_step(freedom / 2.0) / (freedom * PI).sqrt() * libm::exp(log_power)
}

/// Γ(x + ½)/Γ(x), without the loss of digits of a difference of two large logarithms: from Stirling's
/// series beyond 32, downwards by Γ(x + 1) = x·Γ(x).
fn gamma_step(x: f64) -> f64 {
    const SERIES_FROM: f64 = 32.0;
    let (mut x, mut factor) = (x, 1.0);
    while x < SERIES_FROM {
        factor *= x / (x + 0.5);
        x += 1.0;
    }
    // What Stirling's series for ln Γ adds to its leading terms.
    let rest = |x: f64| {
        let square = x * x;
        (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1260.0 - 1.0 / (1680.0 * square)) / square) / square)
            / x
    };
    let leading = x * libm::log1p(0.5 / x) - 0.5;
    factor * x.sqrt() * libm::exp(leading + (rest(x + 0.5) - rest(x)))
}

/// The continued fraction of the incomplete beta function, by Lentz's method as in Press et al.,
/// Numerical Recipes, section 6.4.
fn fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / away(1.0 - (a + b) * x / (a + 1.0));
    let mut result = d;
    for term in 1..MOST_TERMS {
        let m = f64::from(term);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / away(1.0 + even * d);
        c = away(1.0 + even / c);
        result *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away(1.0 + odd * d);
        c = away(1.0 + odd / c);
        result *= d * c;
        if (d * c - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(said: f64, wanted: f64) {
        assert!((said / wanted - 1.0).abs() < 1e-13, "{said} is not {wanted}");
    }

    #[test]
    fn one_and_two_degrees_of_freedom_have_closed_forms() {
        for t in [1e-6, 0.3, 1.0, 2.7, 40.0, 1e8] {
            close(upper(t, 1.0).unwrap(), libm::atan(1.0 / t) / PI);
            let root = (2.0 + t * t).sqrt();
            close(upper(t, 2.0).unwrap(), 1.0 / (root * (root + t)));
            close(upper(-t, 1.0).unwrap(), 1.0 - libm::atan(1.0 / t) / PI);
        }
        assert_eq!(upper(0.0, 7.0), Some(0.5));
        assert_eq!(upper(f64::INFINITY, 7.0), Some(0.0));
    }

    #[test]
    fn many_degrees_of_freedom_approach_the_normal_distribution() {
        for z in [0.5, 2.0, 4.0] {
            // Hill (1970): the normal deviate of t to first order in 1/freedom.
            let t = z + (z * z * z + z) / 4.0 / 1e9;
            let said = upper(t, 1e9).unwrap();
            assert!((said / normal::upper(z) - 1.0).abs() < 1e-12);
            close(upper(z, f64::INFINITY).unwrap(), normal::upper(z));
            // Both ways agree where one takes over.
            close(normal::upper(normal_deviate(z, NORMAL_ABOVE)), beta_tail(z, NORMAL_ABOVE));
        }
    }

    #[test]
    fn the_quantile_undoes_the_distribution() {
        for freedom in [1.0, 2.0, 3.0, 29.0, 171.0, 5_000.0] {
            for p in [1e-12, 1e-4, 0.02, 0.3] {
                let t = quantile(1.0 - p, freedom).unwrap();
                let back = upper(t, freedom).unwrap();
                assert!((back / p - 1.0).abs() < 1e-4 * 1e-12 / p + 1e-12, "{freedom} {p} {back}");
                let low = quantile(p, freedom).unwrap();
                close(upper(-low, freedom).unwrap(), p);
            }
        }
        // Shaw (2006): closed forms for two and four degrees of freedom.
        let p: f64 = 0.975;
        let root = (4.0 * p * (1.0 - p)).sqrt();
        close(quantile(p, 2.0).unwrap(), 2.0 * (2.0 * p - 1.0) / (2f64.sqrt() * root));
        let four = 2.0 * ((root.acos() / 3.0).cos() / root - 1.0).sqrt();
        close(quantile(p, 4.0).unwrap(), four);
        assert!(quantile(0.5, 10.0).unwrap().abs() < 1e-15);
    }

    #[test]
    fn the_tails_are_those_of_the_finite_sum() {
        // Abramowitz and Stegun 26.7.4, for even degrees of freedom, with sixty digits.
        close(upper(8.0, 50.0).unwrap(), 8.316_483_014_160_692e-11);
        close(upper(2.0, 100.0).unwrap(), 2.410_608_936_556_684e-2);
        close(upper(1.7, 200.0).unwrap(), 4.534_273_974_574_084_4e-2);
        close(upper(2.0, 500.0).unwrap(), 2.302_034_138_451_572e-2);
        close(upper(8.0, 1_000.0).unwrap(), 1.713_330_741_195_737_3e-15);
        close(upper(4.0, 10_000.0).unwrap(), 3.189_933_441_156_981e-5);
    }

    #[test]
    fn what_has_no_answer_says_so() {
        assert_eq!(upper(1.0, 0.0), None);
        assert_eq!(upper(f64::NAN, 3.0), None);
        assert_eq!(quantile(0.0, 3.0), None);
        assert_eq!(quantile(0.4, 0.5), None);
    }

    #[test]
    fn the_step_of_the_gamma_function() {
        close(gamma_step(0.5), 1.0 / PI.sqrt());
        close(gamma_step(1.0), PI.sqrt() / 2.0);
        close(gamma_step(64.0) * gamma_step(64.5), 64.0);
    }
}
