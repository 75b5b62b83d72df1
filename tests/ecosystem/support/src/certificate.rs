//! A certificate for `localhost`, made for one test and trusted by nobody else.

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::sync::Arc;

/// A certificate and its key.
#[derive(Debug)]
pub struct Certified {
    certificate: CertificateDer<'static>,
    key: PrivatePkcs8KeyDer<'static>,
}

impl Certified {
    /// For these names.
    ///
    /// # Panics
    ///
    /// If a name is none.
    pub fn of(names: &[&str]) -> Self {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).expect("these are names");
        Self { certificate: cert.der().clone(), key: signing_key.serialize_der().into() }
    }

    /// For `localhost`.
    ///
    /// # Panics
    ///
    /// As [`of`](Self::of).
    pub fn localhost() -> Self {
        Self::of(&["localhost"])
    }

    /// The chain, of one.
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.certificate.clone()]
    }

    /// Its key.
    pub fn key(&self) -> PrivateKeyDer<'static> {
        self.key.clone_key().into()
    }

    /// What a client has that trusts this certificate and no other.
    ///
    /// # Panics
    ///
    /// If rustls does not take the certificate.
    pub fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).expect("a certificate");
        Arc::new(roots)
    }

    /// TLS for a server.
    ///
    /// # Panics
    ///
    /// If rustls does not take the key.
    pub fn server(&self) -> Arc<rustls::ServerConfig> {
        let config = rustls::ServerConfig::builder().with_no_client_auth();
        Arc::new(config.with_single_cert(self.chain(), self.key()).expect("the key is the certificate's"))
    }

    /// TLS for a client that trusts this certificate.
    ///
    /// # Panics
    ///
    /// As [`roots`](Self::roots).
    pub fn client(&self) -> Arc<rustls::ClientConfig> {
        Arc::new(rustls::ClientConfig::builder().with_root_certificates(self.roots()).with_no_client_auth())
    }
}
