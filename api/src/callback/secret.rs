//! Signing what is sent, as Standard Webhooks has it (<https://www.standardwebhooks.com>), so that
//! receivers find a library that verifies it.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

/// What both sides know: `whsec_` and base64 of 24 to 64 random bytes.
#[derive(Clone)]
pub struct Secret(hmac::Key);

/// Why a text is no secret. Does not repeat it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "a callback secret is whsec_ and base64 of 24 to 64 random bytes: \
         echo whsec_$(openssl rand -base64 32)"
)]
pub struct Error;

impl Secret {
    /// Reads one.
    ///
    /// # Errors
    /// When it has another form.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let bytes = text.trim().strip_prefix("whsec_").and_then(|rest| STANDARD.decode(rest).ok());
        let bytes = bytes.filter(|bytes| (24..=64).contains(&bytes.len())).ok_or(Error)?;
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// The header `webhook-signature` of a body: HMAC-SHA256 over `ID.SECONDS.BODY`.
    pub(crate) fn sign(&self, id: &str, seconds: u64, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(format!("{id}.{seconds}.").as_bytes());
        context.update(body);
        format!("v1,{}", STANDARD.encode(context.sign()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_as_the_standards_own_libraries_make_it() {
        // The test vector of the Standard Webhooks libraries.
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let body = br#"{"test": 2432232314}"#;
        let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn what_is_no_secret_is_not_repeated() {
        for text in ["", "secret", "whsec_", "whsec_c2hvcnQ=", "whsec_!!!"] {
            assert_eq!(Secret::parse(text).unwrap_err(), Error);
        }
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }
}
