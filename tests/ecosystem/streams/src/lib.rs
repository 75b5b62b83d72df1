//! A WebSocket chat on async-tungstenite and an echo in TLS on futures-rustls: libraries that take any `futures-io` stream.

#![forbid(unsafe_code)]

mod tokio_tls;

pub use tokio_tls::tokio_tls_ask;

use async_tungstenite::tungstenite::{Error, Message};
use async_tungstenite::{WebSocketStream, accept_async, client_async};
use futures::StreamExt;
use futures::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use futures_rustls::{TlsAcceptor, TlsConnector};
use polyloop::net::{TcpListener, TcpStream};
use polyloop::sync::broadcast;
use rustls::pki_types::ServerName;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// How many lines a guest may be behind.
const BEHIND: usize = 1024;

/// Accepts guests until it is dropped. The first message of each is its name, every other one is told to everybody.
///
/// # Errors
///
/// The listener's.
pub async fn chat(listener: TcpListener) -> io::Result<()> {
    let (tell, _) = broadcast::channel(BEHIND);
    loop {
        let (stream, _) = listener.accept().await?;
        let tell = tell.clone();
        polyloop::spawn(async move {
            // Who breaks the protocol has been told so by the library.
            let _ = guest(stream, tell).await;
        });
    }
}

async fn guest(stream: TcpStream, tell: broadcast::Sender<String>) -> Result<(), Error> {
    let mut socket = accept_async(stream).await?;
    let Some(Message::Text(name)) = socket.next().await.transpose()? else { return Ok(()) };
    let mut hear = tell.subscribe();
    let say = |line: String| {
        // Nobody else may be there.
        let _ = tell.send(line);
    };
    say(format!("* {name} came"));
    let left = talk(&mut socket, &mut hear, |words| say(format!("{name}: {words}"))).await;
    say(format!("* {name} went"));
    left
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<S>,
    hear: &mut broadcast::Receiver<String>,
    say: impl Fn(&str),
) -> Result<(), Error> {
    loop {
        polyloop::select! {
            message = socket.next() => match message.transpose()? {
                Some(Message::Text(words)) => say(&words),
                Some(Message::Close(_)) | None => return Ok(()),
                Some(_) => {}
            },
            line = hear.recv() => match line {
                Ok(line) => socket.send(Message::text(line)).await?,
                Err(broadcast::error::RecvError::Lagged(lines)) => {
                    socket.send(Message::text(format!("({lines} lines were lost)"))).await?;
                }
                Err(broadcast::error::RecvError::Closed) => return Ok(()),
            },
        }
    }
}

/// A guest of the chat.
#[derive(Debug)]
pub struct Guest(WebSocketStream<TcpStream>);

impl Guest {
    /// Comes in by this name, and waits until everybody was told.
    ///
    /// # Errors
    ///
    /// The library's.
    pub async fn enter(address: SocketAddr, name: &str) -> Result<Self, Error> {
        let stream = TcpStream::connect(address).await?;
        let (mut socket, _) = client_async(format!("ws://{address}/"), stream).await?;
        socket.send(Message::text(name)).await?;
        let mut guest = Self(socket);
        guest.hears().await?;
        Ok(guest)
    }

    /// Says something to everybody.
    ///
    /// # Errors
    ///
    /// The library's.
    pub async fn says(&mut self, words: &str) -> Result<(), Error> {
        self.0.send(Message::text(words)).await
    }

    /// The next line.
    ///
    /// # Errors
    ///
    /// The library's; `ConnectionClosed` if there is none.
    pub async fn hears(&mut self) -> Result<String, Error> {
        loop {
            match self.0.next().await.ok_or(Error::ConnectionClosed)?? {
                Message::Text(line) => return Ok(line.to_string()),
                Message::Close(_) => return Err(Error::ConnectionClosed),
                _ => {}
            }
        }
    }

    /// Leaves.
    ///
    /// # Errors
    ///
    /// The library's.
    pub async fn leaves(mut self) -> Result<(), Error> {
        self.0.close(None).await
    }
}

/// Echoes every connection in TLS, until it is dropped.
///
/// # Errors
///
/// The listener's.
pub async fn tls_echo(listener: TcpListener, config: Arc<rustls::ServerConfig>) -> io::Result<()> {
    let acceptor = TlsAcceptor::from(config);
    loop {
        let (stream, _) = listener.accept().await?;
        let acceptor = acceptor.clone();
        polyloop::spawn(async move {
            let stream = acceptor.accept(stream).await?;
            let (reader, mut writer) = stream.split();
            futures::io::copy(reader, &mut writer).await?;
            // The end of the stream is said in TLS, too: without it the peer cannot tell it from an attack.
            writer.close().await
        });
    }
}

/// Sends `bytes` in TLS to a server that must be `localhost`, and gives what comes back.
///
/// # Errors
///
/// The kernel's word, or rustls'.
pub async fn tls_ask(
    address: SocketAddr,
    config: Arc<rustls::ClientConfig>,
    bytes: &[u8],
) -> io::Result<Vec<u8>> {
    let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
    let stream = TlsConnector::from(config).connect(name, TcpStream::connect(address).await?).await?;
    let (mut reader, mut writer) = stream.split();
    let send = async {
        writer.write_all(bytes).await?;
        writer.close().await
    };
    let mut answer = Vec::new();
    let (sent, received) = polyloop::join!(send, reader.read_to_end(&mut answer));
    sent?;
    received?;
    Ok(answer)
}
