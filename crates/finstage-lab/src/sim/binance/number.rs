//! Numbers as the venue writes them, appended to a buffer: the hot half of every frame.

/// Appends an integer.
pub(crate) fn push_int(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    push_u64(out, value.unsigned_abs());
}

/// Appends a number given in units of 1e-9 with 8 or 9 decimals; a ninth digit that the form has no
/// room for is cut.
pub(crate) fn push_nanos(out: &mut Vec<u8>, nanos: u128, decimals: u32) {
    const NANO: u64 = 1_000_000_000;
    let fraction = match u64::try_from(nanos) {
        Ok(small) => {
            push_u64(out, small / NANO);
            small % NANO
        }
        Err(_) => {
            push_u128(out, nanos / u128::from(NANO));
            (nanos % u128::from(NANO)) as u64
        }
    };
    out.push(b'.');
    let eight = fraction / 10;
    for shift in [1_000_000, 10_000, 100, 1] {
        push_pair(out, eight / shift % 100);
    }
    if decimals == 9 {
        out.push(b'0' + (fraction % 10) as u8);
    }
}

/// Appends a turnover given in units of 1e-18, cut to 8 decimals.
pub(crate) fn push_quote(out: &mut Vec<u8>, atto: u128) {
    push_nanos(out, atto / 1_000_000_000, 8);
}

const PAIRS: &[u8; 200] = b"0001020304050607080910111213141516171819\
2021222324252627282930313233343536373839\
4041424344454647484950515253545556575859\
6061626364656667686970717273747576777879\
8081828384858687888990919293949596979899";

fn push_pair(out: &mut Vec<u8>, value: u64) {
    let at = value as usize * 2;
    out.extend_from_slice(&PAIRS[at..at + 2]);
}

fn push_u64(out: &mut Vec<u8>, mut value: u64) {
    // The longest u64 has twenty digits; they are written from the right.
    let mut digits = [0; 20];
    let mut at = digits.len();
    while value >= 100 {
        let pair = (value % 100) as usize * 2;
        value /= 100;
        at -= 2;
        digits[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    }
    if value >= 10 {
        at -= 2;
        let pair = value as usize * 2;
        digits[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    } else {
        at -= 1;
        digits[at] = b'0' + value as u8;
    }
    out.extend_from_slice(&digits[at..]);
}

fn push_u128(out: &mut Vec<u8>, value: u128) {
    out.extend_from_slice(value.to_string().as_bytes());
}

#[cfg(test)]
mod tests {
    use finstage_model::{Price, Qty};
    use proptest::prelude::*;

    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_have_the_venues_fixed_decimals() {
        let nanos = |n, decimals| text(|out| push_nanos(out, n, decimals));
        assert_eq!(nanos(42_850_100_000_000, 8), "42850.10000000");
        assert_eq!(nanos(0, 8), "0.00000000");
        assert_eq!(nanos(19, 8), "0.00000001");
        assert_eq!(nanos(19, 9), "0.000000019");
        assert_eq!(text(|out| push_quote(out, 48_000_012_000_000_000_000)), "48.00001200");
        assert_eq!(nanos(u128::MAX, 9), "340282366920938463463374607431.768211455");
    }

    proptest! {
        #[test]
        fn integers_are_those_of_the_standard_library(value in any::<i64>()) {
            prop_assert_eq!(text(|out| push_int(out, value)), value.to_string());
        }

        #[test]
        fn nine_decimals_read_back_exactly(nanos in any::<u64>(), wide in any::<u128>()) {
            for nanos in [u128::from(nanos), wide] {
                let read: Qty = text(|out| push_nanos(out, nanos, 9)).parse().unwrap();
                prop_assert_eq!(read.nanos(), nanos);
            }
        }

        #[test]
        fn eight_decimals_read_back_exactly(steps in 0..i64::MAX / 10) {
            let read: Price =
                text(|out| push_nanos(out, steps as u128 * 10, 8)).parse().unwrap();
            prop_assert_eq!(read.nanos(), steps * 10);
        }
    }
}
