//! A DNS server of a few names, over UDP and TCP on one port of loopback, and a resolver of hickory's that asks it. Sockets, timers and
//! tasks of both are the runtime's.

#![forbid(unsafe_code)]

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::{A, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::Resolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use polyloop::Handle;
use polyloop::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use polyloop::net::{TcpListener, UdpSocket};
use std::collections::HashSet;
use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How many texts there are under `long.test.`: more than a datagram holds.
pub const TEXTS: usize = 200;

/// What a resolver that asks in vain waits for an answer.
pub const PATIENCE: Duration = Duration::from_millis(500);

/// What the server was asked, in order: over what, and for which name.
#[derive(Clone, Debug, Default)]
pub struct Asked(Arc<Mutex<Vec<(Over, String)>>>);

/// By which protocol a question came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// By a datagram.
    Udp,
    /// By a connection.
    Tcp,
}

impl Asked {
    /// How often it was asked for `name` over this.
    pub fn count(&self, over: Over, name: &str) -> usize {
        self.all().iter().filter(|(by, asked)| *by == over && asked == name).count()
    }

    fn note(&self, over: Over, name: &Name) {
        self.lock().push((over, name.to_ascii().to_lowercase()));
    }

    fn all(&self) -> Vec<(Over, String)> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(Over, String)>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Starts the server on the current runtime.
///
/// # Errors
///
/// The kernel's word.
pub async fn serve() -> io::Result<(SocketAddr, Asked)> {
    let (datagrams, connections) = bind().await?;
    let address = datagrams.local_addr()?;
    let asked = Asked::default();
    polyloop::spawn(over_udp(datagrams, asked.clone()));
    polyloop::spawn(over_tcp(connections, asked.clone()));
    Ok((address, asked))
}

/// Both on the same port, which somebody else may have for one of them.
async fn bind() -> io::Result<(UdpSocket, TcpListener)> {
    loop {
        let datagrams = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        match TcpListener::bind(datagrams.local_addr()?).await {
            Ok(connections) => return Ok((datagrams, connections)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(error),
        }
    }
}

async fn over_udp(socket: UdpSocket, asked: Asked) {
    let mut buffer = [0; 4096];
    let mut lost = HashSet::new();
    while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
        let Some((question, name)) = question(&buffer[..length]) else { continue };
        asked.note(Over::Udp, &name);
        if name.to_ascii() == "silent.test." || (name.to_ascii() == "lost.test." && lost.insert(name.clone()))
        {
            continue;
        }
        let answer = answer(&question, &name);
        let answer = if answer.answers.len() == TEXTS { answer.truncate() } else { answer };
        if let Ok(bytes) = answer.to_vec() {
            // Who asked may be gone.
            let _ = socket.send_to(&bytes, from).await;
        }
    }
}

async fn over_tcp(listener: TcpListener, asked: Asked) {
    while let Ok((stream, _)) = listener.accept().await {
        polyloop::spawn(answer_over(stream, asked.clone()));
    }
}

/// Answers what comes over one connection, whatever it is made of.
///
/// # Errors
///
/// The connection's, and its end.
pub async fn answer_over(mut stream: impl AsyncRead + AsyncWrite + Unpin, asked: Asked) -> io::Result<()> {
    let mut length = [0; 2];
    loop {
        stream.read_exact(&mut length).await?;
        let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut message).await?;
        let Some((question, name)) = question(&message) else { return Ok(()) };
        asked.note(Over::Tcp, &name);
        let bytes = answer(&question, &name).to_vec().map_err(io::Error::other)?;
        let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
        stream.write_all(&[&length.to_be_bytes()[..], &bytes].concat()).await?;
        stream.flush().await?;
    }
}

fn question(bytes: &[u8]) -> Option<(Message, Name)> {
    let question = Message::from_vec(bytes).ok()?;
    let name = question.queries.first()?.name().clone();
    Some((question, name))
}

fn answer(question: &Message, name: &Name) -> Message {
    let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
    answer.metadata.recursion_desired = question.metadata.recursion_desired;
    answer.metadata.recursion_available = true;
    answer.add_queries(question.queries.iter().cloned());
    let kind = question.queries.first().map(|query| query.query_type());
    let texts =
        || (0..TEXTS).map(|n| RData::TXT(TXT::new(vec![format!("text number {n} of a long answer")])));
    let data: Vec<RData> = match (name.to_ascii().to_lowercase().as_str(), kind) {
        ("long.test.", Some(RecordType::TXT)) => texts().collect(),
        ("nobody.test.", _) => {
            answer.metadata.response_code = ResponseCode::NXDomain;
            Vec::new()
        }
        (text, Some(RecordType::A)) => vec![RData::A(A(number(text)))],
        _ => Vec::new(),
    };
    answer.add_answers(data.into_iter().map(|data| Record::from_rdata(name.clone(), 60, data)));
    answer
}

/// The address of any other name: its first label is a number, or counts as zero.
fn number(name: &str) -> Ipv4Addr {
    let number = name.split('.').next().and_then(|label| label.parse().ok()).unwrap_or(0);
    Ipv4Addr::new(192, 0, 2, number)
}

/// A resolver on the current runtime that asks this server, and waits for its answers however slow the machine is.
///
/// # Errors
///
/// hickory's word.
pub fn resolver(server: SocketAddr) -> Result<Resolver<Handle>, Box<dyn Error>> {
    resolver_within(server, Duration::from_secs(60))
}

/// As [`resolver`]; it makes two attempts, and waits for the answer to each no longer than `patience`. Within that hickory may send a
/// datagram again.
///
/// # Errors
///
/// As there.
pub fn resolver_within(server: SocketAddr, patience: Duration) -> Result<Resolver<Handle>, Box<dyn Error>> {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut config| {
        config.port = server.port();
        config
    });
    let server = NameServerConfig::new(server.ip(), true, connections.into());
    let config = ResolverConfig::from_parts(None, vec![], vec![server]);
    let mut builder = Resolver::builder_with_config(config, Handle::current());
    let options = builder.options_mut();
    options.timeout = patience;
    options.attempts = 2;
    Ok(builder.build()?)
}
