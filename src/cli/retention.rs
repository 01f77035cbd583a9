//! How much an endpoint keeps, as people write it: `1d,256MiB`.

use std::time::Duration;

use tracker_emulator::Retention;

/// The least that is of any use: some messages of the largest size.
const LEAST_BYTES: u64 = 1024 * 1024;

/// As long as Azure keeps messages.
const LONGEST: Duration = Duration::from_hours(7 * 24);

/// Reads a time, a size, or both.
pub(super) fn retention(text: &str) -> Result<Retention, String> {
    let wrong = |part: &str| {
        format!(
            "\"{part}\" is neither a time (90s, 30m, 12h, 7d) nor a size (64MiB, 2GiB); both are parted by a comma"
        )
    };
    let (mut time, mut bytes) = (None, None);
    for part in text.split(',').map(str::trim) {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        let (number, unit) = part.split_at(digits);
        let number: u64 = number.parse().map_err(|_| wrong(part))?;
        let (slot, factor) = match unit.trim() {
            "s" => (&mut time, 1),
            "m" | "min" => (&mut time, 60),
            "h" => (&mut time, 3600),
            "d" => (&mut time, 86_400),
            "MiB" | "MB" => (&mut bytes, 1 << 20),
            "GiB" | "GB" => (&mut bytes, 1 << 30),
            _ => return Err(wrong(part)),
        };
        if slot.replace(number.saturating_mul(factor)).is_some() {
            return Err(format!("\"{text}\" says the same twice: give one time and one size"));
        }
    }
    let usual = Retention::default();
    let retention =
        Retention { time: time.map_or(usual.time, Duration::from_secs), bytes: bytes.unwrap_or(usual.bytes) };
    if retention.time.is_zero() || retention.time > LONGEST {
        return Err("the time is from 1s to 7d".into());
    }
    if retention.bytes < LEAST_BYTES {
        return Err("the size is 1MiB at the least".into());
    }
    Ok(retention)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retention_is_a_time_a_size_or_both() {
        let of = |seconds, mebibytes: u64| {
            Ok(Retention { time: Duration::from_secs(seconds), bytes: mebibytes << 20 })
        };
        assert_eq!(retention("1d,256MiB"), of(86_400, 256));
        assert_eq!(retention("256MiB,1d"), Ok(Retention::default()));
        assert_eq!(retention("90s"), of(90, 256));
        assert_eq!(retention("30m, 2GiB"), of(1800, 2048));
        assert_eq!(retention("7d"), of(604_800, 256));
        for wrong in
            ["", "1", "d", "1d,2d", "0s", "8d", "0MiB", "1KiB", "-1d", "1d,,", "99999999999999999999s"]
        {
            assert!(retention(wrong).is_err(), "{wrong}");
        }
    }
}
