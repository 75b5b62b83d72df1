//! A certificate that cannot be trusted ends the connection before anything is asked.

use crate::server::{Answer, Server, page};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::sync::Arc;
use trpl::{Client, GetErrorKind};

/// Signs certificates for the tests.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        Self::named("an authority of the tests")
    }

    fn named(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn root(&self) -> &[u8] {
        self.0.der()
    }

    /// A server for this host.
    pub(crate) fn server(&self, host: &str) -> Arc<ServerConfig> {
        self.sign(CertificateParams::new([host.to_owned()]).unwrap())
    }

    fn sign(&self, params: CertificateParams) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        config(certificate.der().clone(), &key)
    }
}

fn config(certificate: CertificateDer<'static>, key: &KeyPair) -> Arc<ServerConfig> {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(builder.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap())
}

/// A client that trusts this authority.
pub(crate) fn client(authority: &Authority) -> Client {
    Client::new().trust(authority.root()).unwrap()
}

/// Asks a server with this certificate, and expects to be warned off.
async fn refused(client: &Client, config: Arc<ServerConfig>, host: &str, why: &str) {
    let server = Server::start_tls(config, |_| Answer::Send(page("200 OK", "a trap")));
    let error = client.get(&format!("https://{host}:{}/", server.port)).await.unwrap_err();
    assert_eq!(error.kind(), GetErrorKind::BadCertificate, "{error}");
    assert!(error.to_string().contains(why), "{error}");
    server.wait_gone();
    assert_eq!(server.requests(), 0, "nothing was asked");
}

#[polyloop::test(all)]
async fn a_good_one_is_trusted() {
    let authority = Authority::new();
    for host in ["localhost", "127.0.0.1"] {
        let server = Server::start_tls(authority.server(host), |_| Answer::Send(page("200 OK", "safe")));
        let response = client(&authority).get(&format!("https://{host}:{}/", server.port)).await.unwrap();
        assert_eq!(response.try_text().await.unwrap(), "safe");
    }
}

#[polyloop::test(all)]
async fn one_that_has_expired() {
    let authority = Authority::new();
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.not_after = date_time_ymd(2001, 1, 1);
    refused(&client(&authority), authority.sign(params), "localhost", "expired").await;
}

#[polyloop::test(all)]
async fn one_that_is_not_valid_yet() {
    let authority = Authority::new();
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.not_before = date_time_ymd(4000, 1, 1);
    refused(&client(&authority), authority.sign(params), "localhost", "not valid yet").await;
}

#[polyloop::test(all)]
async fn one_for_another_host() {
    let authority = Authority::new();
    let config = authority.server("elsewhere.test");
    refused(&client(&authority), config, "localhost", "not valid for name").await;
    refused(&client(&authority), authority.server("localhost"), "127.0.0.1", "not valid for name").await;
}

#[polyloop::test(all)]
async fn one_that_signed_itself() {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let config = config(certificate.der().clone(), &key);
    refused(&client(&Authority::new()), config, "localhost", "UnknownIssuer").await;
}

#[polyloop::test(all)]
async fn one_of_an_authority_that_nobody_trusts() {
    let config = Authority::named("another one").server("localhost");
    refused(&client(&Authority::new()), Arc::clone(&config), "localhost", "UnknownIssuer").await;
    refused(&Client::new(), config, "localhost", "UnknownIssuer").await;
}

#[polyloop::test(all)]
async fn one_whose_signature_is_another_authoritys() {
    // The same name as the trusted one, and another key.
    let config = Authority::new().server("localhost");
    let client = client(&Authority::new());
    let server = Server::start_tls(config, |_| Answer::Send(page("200 OK", "a trap")));
    let error = client.get(&format!("https://localhost:{}/", server.port)).await.unwrap_err();
    assert_eq!((error.kind(), server.requests()), (GetErrorKind::BadCertificate, 0));
}

#[test]
fn what_is_no_certificate_is_not_trusted() {
    for bytes in [&b""[..], b"-----BEGIN CERTIFICATE-----", &[0x30, 0x82, 0xff, 0xff]] {
        let error = Client::new().trust(bytes).unwrap_err();
        assert_eq!(error.kind(), GetErrorKind::BadCertificate);
    }
}
