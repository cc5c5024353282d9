//! Amounts as Kubernetes writes them: `2`, `500m`, `1.5Gi`, `3e2`.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// Billionths in one: the finest that Kubernetes writes (`n`).
const NANO: u128 = 1_000_000_000;

/// An amount of CPU or memory, as it was written. It may be none: objects that were stored under
/// another schema are read, too, and it is `validate` that complains with the field's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Amount(String);

/// A text that is no amount.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is no amount; write it like 2, 500m or 512Mi")]
pub struct NotAnAmount(String);

impl Amount {
    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Thousandths, rounded down: millicores.
    ///
    /// # Errors
    /// When it is no amount, or more than there can be.
    pub fn milli(&self) -> Result<u64, NotAnAmount> {
        self.in_units_of(NANO / 1000)
    }

    /// Whole ones, rounded down: bytes.
    ///
    /// # Errors
    /// When it is no amount, or more than there can be.
    pub fn whole(&self) -> Result<u64, NotAnAmount> {
        self.in_units_of(NANO)
    }

    fn in_units_of(&self, unit: u128) -> Result<u64, NotAnAmount> {
        let amount = nano(&self.0).and_then(|nano| u64::try_from(nano / unit).ok());
        amount.ok_or_else(|| NotAnAmount(self.0.chars().take(60).collect()))
    }

    /// Whether two texts are the same amount, which the API server may write in another way.
    pub(crate) fn same(a: &str, b: &str) -> bool {
        a == b || matches!((nano(a), nano(b)), (Some(a), Some(b)) if a == b)
    }
}

impl From<&str> for Amount {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Billionths, exactly, or `None` when it is no amount without a sign, or finer than a billionth.
/// The grammar is that of `resource.Quantity` in k8s.io/apimachinery.
fn nano(text: &str) -> Option<u128> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && part.is_empty() || part.contains('.') {
        return None;
    }
    let digits: u128 = format!("{whole}{part}").parse().ok()?;
    let places = i32::try_from(part.len()).ok()?;
    let (ten, factor) = match suffix {
        "n" => (-9, 1),
        "u" => (-6, 1),
        "m" => (-3, 1),
        "" => (0, 1),
        "k" => (3, 1),
        "M" => (6, 1),
        "G" => (9, 1),
        "T" => (12, 1),
        "P" => (15, 1),
        "E" => (18, 1),
        "Ki" => (0, 1 << 10),
        "Mi" => (0, 1 << 20),
        "Gi" => (0, 1 << 30),
        "Ti" => (0, 1_u128 << 40),
        "Pi" => (0, 1_u128 << 50),
        "Ei" => (0, 1_u128 << 60),
        exponent => (exponent.strip_prefix(['e', 'E'])?.parse::<i16>().ok()?.into(), 1),
    };
    let power = ten - places + 9;
    let scaled = digits.checked_mul(factor)?;
    if power >= 0 {
        return scaled.checked_mul(10_u128.checked_pow(power.unsigned_abs())?);
    }
    Some(scaled / 10_u128.checked_pow(power.unsigned_abs())?)
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Amount;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an amount as a number or a text")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Amount, E> {
                Ok(Amount(text.to_owned()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Amount, E> {
                Ok(Amount(number.to_string()))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Amount, E> {
                Ok(Amount(number.to_string()))
            }
        }
        deserializer.deserialize_any(Text)
    }
}

impl JsonSchema for Amount {
    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "x-kubernetes-int-or-string": true,
            // No sign: nothing here can be negative.
            "pattern": "^([0-9]+(\\.[0-9]*)?|\\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,2})?$",
            // Bounds what the rules cost that are evaluated with it.
            "maxLength": 24,
            // The same of one that is written as a number, which the pattern does not look at.
            "minimum": 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_as_kubernetes_writes_them() {
        let table: [(&str, u128); 12] = [
            ("2", 2_000),
            ("500m", 500),
            ("0.5", 500),
            (".5", 500),
            ("1.", 1_000),
            ("3920m", 3_920),
            ("1k", 1_000_000),
            ("4e0", 4_000),
            ("1E3", 1_000_000),
            ("25e-1", 2_500),
            ("1.5Ki", 1_536_000),
            ("0", 0),
        ];
        for (text, milli) in table {
            assert_eq!(Amount::from(text).milli().map(u128::from), Ok(milli), "{text}");
        }
        assert_eq!(Amount::from("512Mi").whole(), Ok(512 << 20));
        assert_eq!(Amount::from("1900000u").milli(), Ok(1900));
        assert_eq!(Amount::from("999u").milli(), Ok(0), "rounded down");
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in
            ["", "m", "-1", "+1", "1.2.3", "two", "1 Gi", "1gi", "inf", "1e", "9e99", "1KiB"]
        {
            assert!(Amount::from(text).milli().is_err(), "{text}");
        }
        assert!(Amount::from("99999999999E").whole().is_err(), "more than there can be");
    }

    #[test]
    fn numbers_are_amounts_too() {
        let read = |json: &str| serde_json::from_str::<Amount>(json).unwrap();
        assert_eq!(read("2"), Amount::from("2"));
        assert_eq!(read("\"2\""), Amount::from("2"));
        assert!(serde_json::from_str::<Amount>("true").is_err());
    }

    #[test]
    fn one_amount_has_many_spellings() {
        assert!(Amount::same("1000m", "1") && Amount::same("1024Mi", "1Gi"));
        assert!(!Amount::same("1", "2") && !Amount::same("x", "y") && Amount::same("x", "x"));
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "\\PC{0,30}") {
            let amount = Amount(text);
            prop_assert_eq!(amount.milli().is_ok() || amount.milli().is_err(), true);
        }

        #[test]
        fn thousandths_come_back(milli in 0_u64..1_000_000_000) {
            prop_assert_eq!(Amount(format!("{milli}m")).milli(), Ok(milli));
            let written = format!("{}.{:03}", milli / 1000, milli % 1000);
            prop_assert_eq!(Amount(written).milli(), Ok(milli));
        }
    }
}
