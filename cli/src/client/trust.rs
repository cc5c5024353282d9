//! Whom to trust over TLS: the authorities of the system, and those of a file beside them.

use std::error::Error as StdError;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::{ClientConfig, RootCertStore};

/// Why nobody can be trusted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The file cannot be read.
    #[error("it cannot be read")]
    Read(#[source] io::Error),
    /// The file holds something else.
    #[error("it is no PEM file of certificates")]
    Pem(#[source] pem::Error),
    /// A certificate that is none.
    #[error("a certificate in it cannot be used")]
    Certificate(#[source] rustls::Error),
    /// There is none.
    #[error("there is no certificate of an authority")]
    None,
    /// TLS cannot be set up.
    #[error("TLS")]
    Tls(#[source] rustls::Error),
}

/// Authorities.
#[derive(Debug)]
pub(crate) struct Roots(RootCertStore);

impl Roots {
    /// Those of the system, or of SSL_CERT_FILE. What cannot be used of them is left out: some
    /// systems have old ones.
    pub(crate) fn system() -> Self {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Self(store)
    }

    /// Those of a file beside them.
    ///
    /// # Errors
    /// When the file holds none.
    pub(crate) fn with(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read(path).map_err(Error::Read)?;
        let Self(mut store) = Self::system();
        let mut any = false;
        for certificate in CertificateDer::pem_slice_iter(&text) {
            store.add(certificate.map_err(Error::Pem)?).map_err(Error::Certificate)?;
            any = true;
        }
        if any { Ok(Self(store)) } else { Err(Error::None) }
    }

    /// How to talk to whom they vouch for.
    ///
    /// # Errors
    /// When there are none.
    pub(super) fn config(&self) -> Result<ClientConfig, Error> {
        if self.0.is_empty() {
            return Err(Error::None);
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider);
        let config = config.with_safe_default_protocol_versions().map_err(Error::Tls)?;
        Ok(config.with_root_certificates(self.0.clone()).with_no_client_auth())
    }
}

/// Whether a connection failed because the other side is not who it should be.
pub(super) fn is_stranger(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(rustls::Error::InvalidCertificate(_)) = error.downcast_ref() {
            return true;
        }
        // What is in such an error is not its source.
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    false
}
