//! A store of keys and values that end after a while, with channels that one listens to: a small Redis.
//!
//! ```text
//! SET name value [milliseconds]   GET name   DEL name   PUBLISH channel text   SUBSCRIBE channel
//! ```

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream, Result};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, broadcast, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, sleep_until};
use tokio::{select, spawn};

/// More clients than this wait until another one goes.
const CLIENTS: usize = 64;

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// The nearest end has changed.
    changed: Notify,
}

#[derive(Default)]
struct State {
    values: HashMap<String, (String, Option<Instant>)>,
    channels: HashMap<String, broadcast::Sender<String>>,
}

impl Shared {
    fn set(&self, name: &str, value: &str, life: Option<Duration>) {
        let end = life.map(|life| Instant::now() + life);
        self.state.lock().unwrap().values.insert(name.into(), (value.into(), end));
        self.changed.notify_one();
    }

    fn get(&self, name: &str) -> Option<String> {
        self.state.lock().unwrap().values.get(name).map(|(value, _)| value.clone())
    }

    fn channel(&self, name: &str) -> broadcast::Sender<String> {
        let mut state = self.state.lock().unwrap();
        state.channels.entry(name.into()).or_insert_with(|| broadcast::channel(16).0).clone()
    }

    /// Removes what has ended, and says what ends next.
    fn sweep(&self) -> Option<Instant> {
        let values = &mut self.state.lock().unwrap().values;
        let now = Instant::now();
        values.retain(|_, (_, end)| end.is_none_or(|end| end > now));
        values.values().filter_map(|(_, end)| *end).min()
    }
}

async fn sweep(shared: Arc<Shared>) {
    loop {
        match shared.sweep() {
            Some(next) => select! {
                () = sleep_until(next) => {}
                () = shared.changed.notified() => {}
            },
            None => shared.changed.notified().await,
        }
    }
}

async fn client(stream: TcpStream, shared: &Shared) -> Result<()> {
    let mut stream = BufStream::new(stream);
    let mut line = String::new();
    loop {
        line.clear();
        // A line without end is not read for ever.
        if (&mut stream).take(1024).read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let answer = match words[..] {
            ["SET", name, value] => {
                shared.set(name, value, None);
                "OK".to_owned()
            }
            ["SET", name, value, millis] => match millis.parse() {
                Ok(millis) => {
                    shared.set(name, value, Some(Duration::from_millis(millis)));
                    "OK".to_owned()
                }
                Err(error) => format!("ERR {error}"),
            },
            ["GET", name] => shared.get(name).unwrap_or_else(|| "NIL".to_owned()),
            ["DEL", name] => {
                let gone = shared.state.lock().unwrap().values.remove(name);
                u8::from(gone.is_some()).to_string()
            }
            ["PUBLISH", channel, text] => shared.channel(channel).send(text.into()).unwrap_or(0).to_string(),
            ["SUBSCRIBE", channel] => {
                let mut heard = shared.channel(channel).subscribe();
                stream.write_all(b"OK\n").await?;
                stream.flush().await?;
                while let Ok(text) = heard.recv().await {
                    stream.write_all(format!("{text}\n").as_bytes()).await?;
                    stream.flush().await?;
                }
                return Ok(());
            }
            _ => "ERR what?".to_owned(),
        };
        stream.write_all(format!("{answer}\n").as_bytes()).await?;
        stream.flush().await?;
    }
}

async fn serve(listener: TcpListener, mut end: oneshot::Receiver<()>) -> Result<()> {
    let shared = Arc::new(Shared::default());
    let sweeper = spawn(sweep(shared.clone()));
    let places = Arc::new(Semaphore::new(CLIENTS));
    loop {
        let place = places.clone().acquire_owned().await.expect("it is never closed");
        let stream = select! {
            accepted = listener.accept() => accepted?.0,
            _ = &mut end => break,
        };
        let shared = shared.clone();
        spawn(async move {
            let _place = place;
            client(stream, &shared).await
        });
    }
    sweeper.abort();
    assert!(sweeper.await.unwrap_err().is_cancelled());
    Ok(())
}

struct Client(BufStream<TcpStream>);

impl Client {
    async fn connect(address: SocketAddr) -> Result<Self> {
        Ok(Self(BufStream::new(TcpStream::connect(address).await?)))
    }

    async fn read(&mut self) -> Result<String> {
        let mut line = String::new();
        self.0.read_line(&mut line).await?;
        Ok(line.trim_end().into())
    }

    async fn ask(&mut self, line: &str) -> Result<String> {
        self.0.write_all(format!("{line}\n").as_bytes()).await?;
        self.0.flush().await?;
        self.read().await
    }
}

/// What a client and a listener are told.
pub(crate) async fn scene() -> Result<Vec<String>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (end, ended) = oneshot::channel();
    let server = spawn(serve(listener, ended));
    let mut client = Client::connect(address).await?;
    let mut told = Vec::new();
    for line in ["SET a 1", "GET a", "DEL a", "DEL a", "GET a", "SET b 2 soon", "NONSENSE", "SET b 2 50"] {
        told.push(client.ask(line).await?);
    }
    // It ends by itself, whenever this machine comes to it.
    while client.ask("GET b").await? != "NIL" {
        sleep(Duration::from_millis(10)).await;
    }
    let mut listener = Client::connect(address).await?;
    told.push(listener.ask("SUBSCRIBE news").await?);
    told.push(client.ask("PUBLISH news rain").await?);
    told.push(listener.read().await?);
    let lines = told.len();
    told.push(spawn_blocking(move || format!("{lines} lines")).await?);
    end.send(()).expect("the server runs");
    server.await??;
    Ok(told)
}

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<()> {
    for line in scene().await? {
        println!("{line}");
    }
    Ok(())
}
