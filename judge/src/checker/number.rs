//! Numbers of tokens, as `scanf(3)` reads `%lf`: the reference for the ICPC default validator.

/// The number a token is as a whole; `None` for anything else, infinities and NaN included, which
/// are compared as text.
pub(super) fn parse(token: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(token).ok()?;
    let value = match text.parse::<f64>() {
        Ok(value) => value,
        Err(_) => hexadecimal(text)?,
    };
    value.is_finite().then_some(value)
}

/// C99's `0x1.8p3`. Digits beyond what a double holds are dropped.
fn hexadecimal(text: &str) -> Option<f64> {
    let (sign, text) = match text.as_bytes().first()? {
        b'-' => (-1.0, &text[1..]),
        b'+' => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    let text = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
    let (mantissa, exponent) = match text.split_once(['p', 'P']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut value = 0.0_f64;
    let mut scale = 1.0_f64;
    for digit in whole.chars() {
        value = value.mul_add(16.0, f64::from(digit.to_digit(16)?));
    }
    for digit in fraction.chars() {
        scale /= 16.0;
        value = f64::from(digit.to_digit(16)?).mul_add(scale, value);
    }
    Some(sign * value * 2.0_f64.powi(exponent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_a_number_when_all_of_it_is() {
        for (token, value) in [
            ("1", Some(1.0)),
            ("-0.5", Some(-0.5)),
            ("+.5", Some(0.5)),
            ("5.", Some(5.0)),
            ("3.14E-2", Some(0.0314)),
            ("0x1.8p3", Some(12.0)),
            ("-0XfF", Some(-255.0)),
            ("1e-999", Some(0.0)),
            ("1e999", None),
            ("inf", None),
            ("-Infinity", None),
            ("nan", None),
            ("", None),
            (".", None),
            ("-", None),
            ("1e", None),
            ("0x", None),
            ("0x.p1", None),
            ("0x1p", None),
            ("1.0f", None),
            ("1,5", None),
            ("1_000", None),
            ("1\0", None),
            ("١", None),
        ] {
            assert_eq!(parse(token.as_bytes()), value, "{token:?}");
        }
        assert_eq!(parse(b"\xff1"), None);
    }
}
