//! QUIC echo on quinn; sockets, timers and tasks are the runtime's.

#![forbid(unsafe_code)]

use ecosystem_support::Certified;
use polyloop::Handle;
use quinn::{ClientConfig, Connection, Endpoint, EndpointConfig, IdleTimeout, ServerConfig, TransportConfig};
use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

/// The most that the server echoes of one stream.
const MOST: usize = 16 << 20;

fn endpoint(server: Option<ServerConfig>) -> io::Result<Endpoint> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    Endpoint::new(EndpointConfig::default(), server, socket, Arc::new(Handle::current()))
}

fn transport(idle: Duration) -> Result<Arc<TransportConfig>, Box<dyn Error>> {
    let mut transport = TransportConfig::default();
    transport.max_idle_timeout(Some(IdleTimeout::try_from(idle)?));
    // Who never answers is given up after some multiples of a guess; quinn's is of an ocean, and this is loopback.
    transport.initial_rtt(Duration::from_millis(30));
    Ok(Arc::new(transport))
}

/// A server's endpoint on a port of loopback, on the current runtime. A connection that is silent for `idle` is given up.
///
/// # Errors
///
/// The kernel's word, or rustls'.
pub fn server(certified: &Certified, idle: Duration) -> Result<Endpoint, Box<dyn Error>> {
    let mut config = ServerConfig::with_single_cert(certified.chain(), certified.key())?;
    config.transport_config(transport(idle)?);
    Ok(endpoint(Some(config))?)
}

/// A client's endpoint, on the current runtime, that trusts this certificate and no other.
///
/// # Errors
///
/// As for [`server`].
pub fn client(certified: &Certified, idle: Duration) -> Result<Endpoint, Box<dyn Error>> {
    let mut config = ClientConfig::with_root_certificates(certified.roots())?;
    config.transport_config(transport(idle)?);
    let mut endpoint = endpoint(None)?;
    endpoint.set_default_client_config(config);
    Ok(endpoint)
}

/// Echoes every stream and every datagram of every connection, until the endpoint is closed.
pub async fn echo(endpoint: Endpoint) {
    while let Some(incoming) = endpoint.accept().await {
        polyloop::spawn(async move {
            // Who cannot shake hands is told by quinn.
            let Ok(connection) = incoming.await else { return };
            polyloop::spawn(echo_datagrams(connection.clone()));
            while let Ok((mut send, mut receive)) = connection.accept_bi().await {
                polyloop::spawn(async move {
                    let bytes = receive.read_to_end(MOST).await?;
                    send.write_all(&bytes).await?;
                    send.finish()?;
                    Ok::<_, Box<dyn Error + Send + Sync>>(())
                });
            }
        });
    }
}

async fn echo_datagrams(connection: Connection) {
    while let Ok(datagram) = connection.read_datagram().await {
        if connection.send_datagram(datagram).is_err() {
            return;
        }
    }
}

/// Sends `bytes` on a stream of its own, and gives what comes back.
///
/// # Errors
///
/// The connection's.
pub async fn ask(connection: &Connection, bytes: &[u8]) -> Result<Vec<u8>, Box<dyn Error + Send + Sync>> {
    let (mut send, mut receive) = connection.open_bi().await?;
    send.write_all(bytes).await?;
    send.finish()?;
    Ok(receive.read_to_end(MOST).await?)
}
