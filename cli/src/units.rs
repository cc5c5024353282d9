//! Times and sizes as people write them: `2s`, `500ms`, `256MiB`, `64k`.

use std::time::Duration;

use sandbox::Bytes;

/// What a time or a size on the command line can be wrong with. The flag is named by clap.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UnitError {
    /// No number in front.
    #[error("it does not start with a number; write it like {example}")]
    NoNumber {
        /// A good one.
        example: &'static str,
    },
    /// A bare number.
    #[error("it has no unit; write it like {example}")]
    NoUnit {
        /// A good one.
        example: &'static str,
    },
    /// A unit of something else.
    #[error("unit {unit:?} is unknown; the units are {known}")]
    UnknownUnit {
        /// What was given.
        unit: String,
        /// What is understood.
        known: &'static str,
    },
    /// More digits than can be kept, or finer than the smallest unit.
    #[error("it is not a whole number of {smallest} that fits")]
    NotWhole {
        /// The smallest unit.
        smallest: &'static str,
    },
}

/// Units with how many of the smallest one they hold.
type Units = &'static [(&'static str, u64)];

const TIMES: Units = &[("ms", 1), ("s", 1000), ("m", 60_000), ("min", 60_000), ("h", 3_600_000)];

/// Powers of 1024 but for the SI names, which say powers of 1000.
const SIZES: Units = &[
    ("b", 1),
    ("k", 1 << 10),
    ("kib", 1 << 10),
    ("kb", 1000),
    ("m", 1 << 20),
    ("mib", 1 << 20),
    ("mb", 1_000_000),
    ("g", 1 << 30),
    ("gib", 1 << 30),
    ("gb", 1_000_000_000),
];

/// Reads a time: a number and `ms`, `s`, `m` or `h`.
pub(crate) fn duration(text: &str) -> Result<Duration, UnitError> {
    let (number, unit) = split(text, "ms", "2s or 500ms")?;
    let factor = find(TIMES, unit, "ms, s, m, h")?;
    scale(number, factor).map(Duration::from_millis).ok_or(UnitError::NotWhole { smallest: "ms" })
}

/// Reads a size: a number and `B`, `KiB`, `MiB`, `GiB` (`k`, `M`, `G` for short), or `kB`, `MB`,
/// `GB` for powers of 1000.
pub(crate) fn bytes(text: &str) -> Result<Bytes, UnitError> {
    let (number, unit) = split(text, "b", "256MiB or 64k")?;
    let factor = find(SIZES, unit, "B, KiB, MiB, GiB, kB, MB, GB")?;
    scale(number, factor).map(Bytes).ok_or(UnitError::NotWhole { smallest: "bytes" })
}

/// Number and unit; nothing at all needs no unit.
fn split<'t>(
    text: &'t str,
    smallest: &'static str,
    example: &'static str,
) -> Result<(&'t str, &'t str), UnitError> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = (&text[..end], text[end..].trim_start());
    if !number.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(UnitError::NoNumber { example });
    }
    if number.bytes().all(|b| b == b'0') && unit.is_empty() {
        return Ok((number, smallest));
    }
    if unit.is_empty() {
        return Err(UnitError::NoUnit { example });
    }
    Ok((number, unit))
}

fn find(units: Units, unit: &str, known: &'static str) -> Result<u64, UnitError> {
    let wanted = unit.to_ascii_lowercase();
    let found = units.iter().find(|(name, _)| *name == wanted);
    found.map(|(_, n)| *n).ok_or_else(|| UnitError::UnknownUnit { unit: unit.to_owned(), known })
}

/// `number * factor` in whole numbers, so that `1.5s` is exactly 1500 ms.
fn scale(number: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let fraction = fraction.trim_end_matches('0');
    let mut sum = whole.parse::<u64>().ok()?.checked_mul(factor)?;
    if !fraction.is_empty() {
        let part = fraction.parse::<u64>().ok()?.checked_mul(factor)?;
        let tens = 10u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        if part % tens != 0 {
            return None;
        }
        sum = sum.checked_add(part / tens)?;
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_read_as_people_write_them() {
        let ms = |text| duration(text).map(|d| d.as_millis());
        assert_eq!(ms("2s"), Ok(2000));
        assert_eq!(ms("1.5 s"), Ok(1500));
        assert_eq!(ms("500ms"), Ok(500));
        assert_eq!(ms("2m"), Ok(120_000));
        assert_eq!(bytes("256MiB"), Ok(Bytes::mib(256)));
        assert_eq!(bytes("64k"), Ok(Bytes::kib(64)));
        assert_eq!(bytes("1.5G"), Ok(Bytes::mib(1536)));
        assert_eq!(bytes("256MB"), Ok(Bytes(256_000_000)));
        assert_eq!(bytes("0B"), Ok(Bytes(0)));
        assert_eq!(bytes("0"), Ok(Bytes(0)));
        assert_eq!(ms("0"), Ok(0));
    }

    #[test]
    fn what_is_not_a_quantity_says_what_would_be() {
        let message = |text| duration(text).unwrap_err().to_string();
        assert_eq!(message("2"), "it has no unit; write it like 2s or 500ms");
        assert_eq!(message("-2s"), "it does not start with a number; write it like 2s or 500ms");
        assert_eq!(message("2 weeks"), "unit \"weeks\" is unknown; the units are ms, s, m, h");
        assert_eq!(message("0.5ms"), "it is not a whole number of ms that fits");
        for overflow in ["99999999999999999999s", "1.000000000000000000000000001h", "1.2.3s"] {
            assert_eq!(message(overflow), "it is not a whole number of ms that fits", "{overflow}");
        }
        assert!(bytes("18446744073709551615G").is_err());
        assert!(bytes("é").is_err() && bytes("").is_err() && bytes(".").is_err());
    }
}
