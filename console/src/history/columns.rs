//! Columns of whole numbers as few bytes: differences, divided by what they have in common, as numbers of variable length.
//!
//! ```text
//! column   presence, first (zigzag), divisor, then of each that follows (difference / divisor) (zigzag)
//! presence 0: all are there; else 1 and a bit each, the first the lowest of a byte
//! ```
//!
//! Numbers are those of LEB128. What is read may be damaged: reading gives `None` then, and never more than was asked for.

/// Appends a number.
pub(super) fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Takes a number from the front.
pub(super) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// Takes so many bytes from the front.
pub(super) fn take_bytes<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

fn common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Appends a column. Differences wrap around, so that every number comes back.
pub(super) fn put_column(out: &mut Vec<u8>, column: &[Option<i64>]) {
    if column.iter().all(Option::is_some) {
        out.push(0);
    } else {
        out.push(1);
        for eight in column.chunks(8) {
            out.push(
                eight.iter().enumerate().fold(0, |bits, (n, value)| bits | u8::from(value.is_some()) << n),
            );
        }
    }
    let mut values = column.iter().flatten();
    let Some(first) = values.next() else { return };
    put(out, zigzag(*first));
    let mut last = *first;
    let differences = values.map(|value| {
        let difference = value.wrapping_sub(last);
        last = *value;
        difference
    });
    let differences: Vec<i64> = differences.collect();
    if differences.is_empty() {
        return;
    }
    let divisor = differences
        .iter()
        .fold(0, |divisor, difference| common_divisor(difference.unsigned_abs(), divisor))
        .max(1);
    put(out, divisor);
    for difference in differences {
        let steps = (difference.unsigned_abs() / divisor) as i64;
        put(out, zigzag(if difference < 0 { steps.wrapping_neg() } else { steps }));
    }
}

/// Reads a column of `count` places from the front.
pub(super) fn take_column(bytes: &mut &[u8], count: usize) -> Option<Vec<Option<i64>>> {
    let is_there: Vec<bool> = match take_bytes(bytes, 1)? {
        [0] => vec![true; count],
        [1] => {
            let bits = take_bytes(bytes, count.div_ceil(8))?;
            (0..count).map(|n| bits[n / 8] >> (n % 8) & 1 == 1).collect()
        }
        _ => return None,
    };
    let mut last = None;
    let mut divisor = None;
    let mut next = |bytes: &mut &[u8]| -> Option<i64> {
        let value = match last {
            None => unzigzag(take(bytes)?),
            Some(last) => {
                let divisor = match divisor {
                    Some(divisor) => divisor,
                    None => *divisor.insert(take(bytes)? as i64),
                };
                i64::wrapping_add(last, unzigzag(take(bytes)?).wrapping_mul(divisor))
            }
        };
        last = Some(value);
        last
    };
    is_there.into_iter().map(|is| if is { next(bytes).map(Some) } else { Some(None) }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]
        #[test]
        fn columns_come_back(column in prop::collection::vec(any::<Option<i64>>(), 0..70), small in prop::collection::vec(0..9_i64, 0..70)) {
            let small: Vec<_> = small.into_iter().map(|n| Some(n * 3600)).collect();
            for column in [&column, &small] {
                let mut bytes = Vec::new();
                put_column(&mut bytes, column);
                bytes.push(7);
                let mut rest = bytes.as_slice();
                let read = take_column(&mut rest, column.len());
                prop_assert_eq!(read.as_ref(), Some(column));
                prop_assert_eq!(rest, &[7]);
            }
            let mut bytes = Vec::new();
            put_column(&mut bytes, &small);
            prop_assert!(small.is_empty() || bytes.len() <= small.len() + 6, "what they have in common costs nothing");
        }

        #[test]
        fn damage_is_no_trouble(bytes in prop::collection::vec(any::<u8>(), 0..60), count in 0..300_usize) {
            if let Some(column) = take_column(&mut bytes.as_slice(), count) {
                prop_assert_eq!(column.len(), count);
            }
        }
    }
}
