//! TLS on tokio-rustls, over the traits of tokio's that our streams speak as well.

use polyloop::io::{AsyncReadExt, AsyncWriteExt, split};
use polyloop::net::TcpStream;
use rustls::pki_types::ServerName;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio_rustls::TlsConnector;

/// As [`tls_ask`](crate::tls_ask).
///
/// # Errors
///
/// As there.
pub async fn tokio_tls_ask(
    address: SocketAddr,
    config: Arc<rustls::ClientConfig>,
    bytes: &[u8],
) -> io::Result<Vec<u8>> {
    let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
    let stream = TlsConnector::from(config).connect(name, TcpStream::connect(address).await?).await?;
    let (mut reader, mut writer) = split(stream);
    let send = async {
        writer.write_all(bytes).await?;
        writer.shutdown().await
    };
    let mut answer = Vec::new();
    let (sent, received) = polyloop::join!(send, reader.read_to_end(&mut answer));
    sent?;
    received?;
    Ok(answer)
}
