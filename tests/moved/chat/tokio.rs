//! A chat server: names, a room for everybody, whispers, and an end that everybody hears of.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines, Result};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, broadcast, mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio::{select, spawn};

/// Everybody's inbox, by name.
type Members = Arc<Mutex<HashMap<String, mpsc::Sender<String>>>>;

#[derive(Clone)]
struct Room {
    members: Members,
    lines: broadcast::Sender<String>,
}

struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<usize>>,
}

impl Server {
    async fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        Ok(Self { address, stop, task: spawn(accept(listener, stopped)) })
    }

    /// Tells everybody, waits for them, and says how many there were.
    async fn stop(self) -> Result<usize> {
        self.stop.send_replace(true);
        self.task.await?
    }
}

async fn accept(listener: TcpListener, mut stopped: watch::Receiver<bool>) -> Result<usize> {
    let room = Room { members: Members::default(), lines: broadcast::channel(64).0 };
    let mut clients = JoinSet::new();
    let mut served = 0;
    loop {
        select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                clients.spawn(client(stream, room.clone(), stopped.clone()));
            }
            Some(ended) = clients.join_next() => served += usize::from(ended?.is_ok()),
            _ = stopped.changed() => break,
        }
    }
    while let Some(ended) = clients.join_next().await {
        served += usize::from(ended?.is_ok());
    }
    Ok(served)
}

async fn write_line(write: &mut OwnedWriteHalf, line: &str) -> Result<()> {
    write.write_all(line.as_bytes()).await?;
    write.write_all(b"\n").await
}

async fn client(stream: TcpStream, room: Room, mut stopped: watch::Receiver<bool>) -> Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    write_line(&mut write, "who are you?").await?;
    // Nobody may sit here for ever without a name.
    let Ok(named) = timeout(Duration::from_secs(10), lines.next_line()).await else {
        return write_line(&mut write, "too late").await;
    };
    let Some(name) = named? else { return Ok(()) };
    let (inbox, mut letters) = mpsc::channel(16);
    match room.members.lock().await.entry(name.clone()) {
        Entry::Vacant(place) => drop(place.insert(inbox)),
        Entry::Occupied(_) => return write_line(&mut write, "that name is taken").await,
    }
    let mut heard = room.lines.subscribe();
    let _ = room.lines.send(format!("* {name} came"));
    let ended = loop {
        select! {
            line = lines.next_line() => match line {
                Ok(Some(line)) => tell(&room, &name, &line).await,
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            },
            Ok(line) = heard.recv() => write_line(&mut write, &line).await?,
            Some(letter) = letters.recv() => write_line(&mut write, &letter).await?,
            _ = stopped.changed() => break write_line(&mut write, "* the room closes").await,
        }
    };
    room.members.lock().await.remove(&name);
    let _ = room.lines.send(format!("* {name} went"));
    ended
}

/// `@bob hello` is for bob alone.
async fn tell(room: &Room, name: &str, line: &str) {
    match line.strip_prefix('@').and_then(|rest| rest.split_once(' ')) {
        Some((to, text)) => {
            let inbox = room.members.lock().await.get(to).cloned();
            if let Some(inbox) = inbox {
                let _ = inbox.send(format!("{name} whispers: {text}")).await;
            }
        }
        None => drop(room.lines.send(format!("{name}: {line}"))),
    }
}

/// Somebody at a terminal.
struct Person {
    lines: Lines<BufReader<OwnedReadHalf>>,
    write: OwnedWriteHalf,
}

impl Person {
    async fn come(address: SocketAddr, name: &str) -> Result<Self> {
        let (read, write) = TcpStream::connect(address).await?.into_split();
        let mut person = Self { lines: BufReader::new(read).lines(), write };
        assert_eq!(person.hear().await?, "who are you?");
        person.say(name).await?;
        Ok(person)
    }

    async fn say(&mut self, line: &str) -> Result<()> {
        write_line(&mut self.write, line).await
    }

    async fn hear(&mut self) -> Result<String> {
        Ok(self.lines.next_line().await?.unwrap_or_default())
    }
}

/// A scene with three people; gives what was heard.
pub(crate) async fn scene() -> Result<Vec<String>> {
    let server = Server::start().await?;
    let mut heard = Vec::new();
    let mut ann = Person::come(server.address, "ann").await?;
    heard.push(ann.hear().await?);
    let mut bob = Person::come(server.address, "bob").await?;
    heard.push(ann.hear().await?);
    heard.push(bob.hear().await?);
    let mut thief = Person::come(server.address, "bob").await?;
    heard.push(thief.hear().await?);
    ann.say("hello").await?;
    heard.push(ann.hear().await?);
    heard.push(bob.hear().await?);
    bob.say("@ann psst").await?;
    heard.push(ann.hear().await?);
    let served = server.stop().await?;
    // Who goes first is nobody's promise, but all of them hear of the end.
    while heard.last().is_some_and(|line| line != "* the room closes") {
        heard.push(bob.hear().await?);
    }
    heard.retain(|line| !line.ends_with(" went"));
    heard.push(format!("{served} were served"));
    Ok(heard)
}

#[tokio::main]
pub(crate) async fn main() -> Result<()> {
    for line in scene().await? {
        println!("{line}");
    }
    Ok(())
}
