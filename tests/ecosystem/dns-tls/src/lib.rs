//! DNS over TLS: the server of `ecosystem-dns` behind a certificate, and a resolver of hickory's that asks it. Sockets and tasks of
//! both are the runtime's; hickory takes the deadlines of a connection with TLS from tokio, whichever runtime it is given. So what
//! it spawns runs in the bridge, and so must the look-up.

#![forbid(unsafe_code)]

use ecosystem_dns::{Asked, answer_over};
use ecosystem_support::Certified;
use hickory_resolver::Resolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::{RuntimeProvider, Spawn};
use polyloop::Handle;
use polyloop::compat::tokio::compat;
use polyloop::net::TcpListener;
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;
use tokio_rustls::TlsAcceptor;

/// The runtime as hickory sees it, with each of hickory's tasks in the bridge.
#[derive(Clone, Debug)]
pub struct Bridged(Handle);

impl RuntimeProvider for Bridged {
    type Handle = Self;
    type Timer = Handle;
    type Udp = <Handle as RuntimeProvider>::Udp;
    type Tcp = <Handle as RuntimeProvider>::Tcp;

    fn create_handle(&self) -> Self {
        self.clone()
    }

    fn connect_tcp(
        &self,
        server: SocketAddr,
        from: Option<SocketAddr>,
        patience: Option<Duration>,
    ) -> Pin<Box<dyn Send + Future<Output = io::Result<Self::Tcp>>>> {
        self.0.connect_tcp(server, from, patience)
    }

    fn bind_udp(
        &self,
        local: SocketAddr,
        server: SocketAddr,
    ) -> Pin<Box<dyn Send + Future<Output = io::Result<Self::Udp>>>> {
        self.0.bind_udp(local, server)
    }
}

impl Spawn for Bridged {
    fn spawn_bg(&mut self, future: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(compat(future));
    }
}

/// Starts the server on the current runtime.
///
/// # Errors
///
/// The kernel's word.
pub async fn serve(certified: &Certified) -> io::Result<(SocketAddr, Asked)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (address, asked) = (listener.local_addr()?, Asked::default());
    let (acceptor, notes) = (TlsAcceptor::from(certified.server()), asked.clone());
    polyloop::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, notes) = (acceptor.clone(), notes.clone());
            polyloop::spawn(async move { answer_over(acceptor.accept(stream).await?, notes).await });
        }
    });
    Ok((address, asked))
}

/// A resolver on the current runtime that asks this server, and trusts this certificate and no other.
///
/// # Errors
///
/// hickory's word.
pub fn resolver(server: SocketAddr, trusted: &Certified) -> Result<Resolver<Bridged>, Box<dyn Error>> {
    let mut connection = ConnectionConfig::tls("localhost".into());
    connection.port = server.port();
    let server = NameServerConfig::new(server.ip(), true, vec![connection]);
    let config = ResolverConfig::from_parts(None, vec![], vec![server]);
    let client = (*trusted.client()).clone();
    let mut builder =
        Resolver::builder_with_config(config, Bridged(Handle::current())).with_tls_config(client);
    builder.options_mut().timeout = Duration::from_secs(60);
    Ok(builder.build()?)
}
