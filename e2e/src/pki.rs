//! Certificates of a cluster: one authority, what it signed, and the key of ServiceAccount tokens.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType,
};

/// The authority, and the folder that everything lies in.
pub struct Pki {
    folder: PathBuf,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl std::fmt::Debug for Pki {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pki").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Pki {
    /// Makes the authority and the key for tokens.
    pub fn make(folder: &Path) -> Result<Self> {
        fs::create_dir(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "evalx-e2e");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().context("no key can be made")?;
        let authority = CertifiedIssuer::self_signed(params, key).context("no authority")?;
        let pki = Self { folder: folder.to_owned(), authority };
        pki.write("ca.crt", &pki.authority.pem())?;
        let tokens = KeyPair::generate().context("no key can be made")?;
        pki.write("sa.key", &tokens.serialize_pem())?;
        pki.write("sa.pub", &tokens.public_key_pem())?;
        Ok(pki)
    }

    /// The server's certificate, `NAME.crt` and `NAME.key`.
    pub fn server(&self, name: &str, addresses: &[IpAddr], hosts: &[&str]) -> Result<()> {
        let mut params = params(name, None);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.subject_alt_names = addresses.iter().copied().map(SanType::IpAddress).collect();
        for &host in hosts {
            let host = host.try_into().context("a host's name is plain")?;
            params.subject_alt_names.push(SanType::DnsName(host));
        }
        self.sign(name, params)
    }

    /// A client's certificate, `NAME.crt` and `NAME.key`.
    pub fn client(&self, name: &str, user: &str, group: Option<&str>) -> Result<()> {
        let mut params = params(user, group);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(name, params)
    }

    /// A file of the folder.
    #[must_use]
    pub fn path(&self, file: &str) -> String {
        self.folder.join(file).to_string_lossy().into_owned()
    }

    fn sign(&self, name: &str, params: CertificateParams) -> Result<()> {
        let key = KeyPair::generate().context("no key can be made")?;
        let certificate =
            params.signed_by(&key, &self.authority).with_context(|| format!("sign {name}"))?;
        self.write(&format!("{name}.crt"), &certificate.pem())?;
        self.write(&format!("{name}.key"), &key.serialize_pem())
    }

    fn write(&self, file: &str, text: &str) -> Result<()> {
        let path = self.folder.join(file);
        fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))
    }
}

fn params(name: &str, group: Option<&str>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    if let Some(group) = group {
        params.distinguished_name.push(DnType::OrganizationName, group);
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params
}
