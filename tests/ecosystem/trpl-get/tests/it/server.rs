//! Servers that send exactly the bytes they are told to. They are threads of their own, so that the runtime under test is the
//! client's alone.

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

/// What a server does when a request has come.
pub(crate) enum Answer {
    /// Sends this and closes.
    Send(Vec<u8>),
    /// Sends this and hangs up, over TLS without a word.
    Cut(Vec<u8>),
    /// Sends this and is silent until the client goes.
    Keep(Vec<u8>),
    /// Sends the first, and then the second, which is not empty, for ever.
    Endless(Vec<u8>, Vec<u8>),
    /// Sends the first, and then a byte every 20 ms.
    Drip(Vec<u8>),
    /// Waits and sends.
    Late(Duration, Vec<u8>),
}

/// An answer of this status with this body.
pub(crate) fn page(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// A redirect to there.
pub(crate) fn redirect(status: &str, location: &str) -> Answer {
    Answer::Send(
        format!("HTTP/1.1 {status}\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n").into_bytes(),
    )
}

/// A server, and what it has seen. It goes on until the process ends.
pub(crate) struct Server {
    pub(crate) port: u16,
    requests: Arc<AtomicUsize>,
    gone: mpsc::Receiver<()>,
}

impl Server {
    /// Answers each request by what `answer` makes of its head.
    pub(crate) fn start(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        Self::over(None, answer)
    }

    /// The same over TLS.
    pub(crate) fn start_tls(
        config: Arc<ServerConfig>,
        answer: impl Fn(&str) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self::over(Some(config), answer)
    }

    fn over(tls: Option<Arc<ServerConfig>>, answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(AtomicUsize::new(0));
        let (tell_gone, gone) = mpsc::channel();
        let (answer, counter) = (Arc::new(answer), Arc::clone(&requests));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { continue };
                let (tls, answer) = (tls.clone(), Arc::clone(&answer));
                let (counter, tell_gone) = (Arc::clone(&counter), tell_gone.clone());
                thread::spawn(move || {
                    match tls {
                        None => converse(stream, &counter, &*answer),
                        Some(config) => {
                            let tls = ServerConnection::new(config).unwrap();
                            converse(StreamOwned::new(tls, stream), &counter, &*answer);
                        }
                    }
                    // Whoever waited for it may be gone as well.
                    let _ = tell_gone.send(());
                });
            }
        });
        Self { port, requests, gone }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// How many requests have come.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(SeqCst)
    }

    /// Waits until a connection has ended.
    pub(crate) fn wait_gone(&self) {
        self.gone.recv_timeout(Duration::from_secs(20)).expect("the client closes its connection");
    }
}

/// Whatever fails here, the client is gone, or has hung up on what it does not want.
fn converse(mut stream: impl Wire, requests: &AtomicUsize, answer: &dyn Fn(&str) -> Answer) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    requests.fetch_add(1, SeqCst);
    let told = answer(&String::from_utf8(head).unwrap());
    let sent = match &told {
        Answer::Send(bytes) => stream.write_all(bytes),
        Answer::Cut(bytes) => {
            let _ = stream.write_all(bytes).and_then(|()| stream.flush());
            return;
        }
        Answer::Keep(bytes) => stream.write_all(bytes).and_then(|()| wait_for_end(&mut stream)),
        Answer::Endless(first, again) => stream.write_all(first).and_then(|()| {
            loop {
                stream.write_all(again)?
            }
        }),
        Answer::Drip(first) => stream.write_all(first).and_then(|()| {
            loop {
                thread::park_timeout(Duration::from_millis(20));
                stream.write_all(b"x")?;
                stream.flush()?;
            }
        }),
        Answer::Late(pause, bytes) => {
            thread::park_timeout(*pause);
            stream.write_all(bytes)
        }
    };
    if sent.and_then(|()| stream.flush()).is_ok() {
        stream.end();
    }
}

fn wait_for_end(stream: &mut impl Read) -> std::io::Result<()> {
    while stream.read(&mut [0; 64])? > 0 {}
    Ok(())
}

/// A connection that can be ended properly.
trait Wire: Read + Write {
    fn end(&mut self);
}

impl Wire for TcpStream {
    fn end(&mut self) {}
}

impl Wire for StreamOwned<ServerConnection, TcpStream> {
    fn end(&mut self) {
        self.conn.send_close_notify();
        let _ = self.flush();
    }
}
