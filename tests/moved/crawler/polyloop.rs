//! A crawler: follows links over HTTP, so many requests at a time, so many a second, each within its time; and retries.

use polyloop::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Error, Result};
use polyloop::net::{TcpListener, TcpStream};
use polyloop::sync::{Mutex, Semaphore, mpsc};
use polyloop::task::{JoinSet, spawn_blocking};
use polyloop::time::{Interval, MissedTickBehavior, interval, sleep, timeout};
use polyloop::{join, select, spawn, try_join};
use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How many requests are under way at a time.
const AT_A_TIME: usize = 4;
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves pages that link to others: page *n* links to 2n and 2n + 1, up to 15. Page 13 fails the first time.
async fn site(listener: TcpListener) -> Result<()> {
    let failures = Arc::new(AtomicUsize::new(0));
    loop {
        let (stream, _) = listener.accept().await?;
        let failures = failures.clone();
        spawn(async move {
            let mut stream = BufReader::new(stream);
            let mut request = String::new();
            stream.read_line(&mut request).await?;
            let path = request.split(' ').nth(1).unwrap_or_default();
            let page: u32 = path.trim_start_matches('/').parse().unwrap_or(0);
            if page == 13 && failures.fetch_add(1, Ordering::Relaxed) == 0 {
                // The connection ends without an answer.
                return Ok(());
            }
            let links = [2 * page, 2 * page + 1].map(|to| match to {
                1..=15 => format!("<a href=\"/{to}\">{to}</a>"),
                _ => String::new(),
            });
            let body = format!("<title>Page {page}</title>{}", links.concat());
            let head = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            stream.get_mut().write_all((head + &body).as_bytes()).await?;
            stream.get_mut().shutdown().await
        });
    }
}

struct Crawler {
    address: SocketAddr,
    places: Semaphore,
    pace: Mutex<Interval>,
    most: AtomicUsize,
}

impl Crawler {
    async fn fetch(&self, path: &str) -> Result<String> {
        let _place = self.places.acquire().await.map_err(Error::other)?;
        self.pace.lock().await.tick().await;
        self.most.fetch_max(AT_A_TIME - self.places.available_permits(), Ordering::Relaxed);
        let stream = TcpStream::connect(self.address).await?;
        let (mut read, mut write) = stream.into_split();
        let request = format!("GET {path} HTTP/1.0\r\n\r\n");
        let mut answer = String::new();
        try_join!(write.write_all(request.as_bytes()), read.read_to_string(&mut answer))?;
        match answer.split_once("\r\n\r\n") {
            Some((head, body)) if head.starts_with("HTTP/1.0 200") => Ok(body.into()),
            _ => Err(Error::other("no answer")),
        }
    }

    async fn patiently(&self, path: &str) -> Result<String> {
        for pause in [1, 10] {
            if let Ok(Ok(body)) = timeout(PATIENCE, self.fetch(path)).await {
                return Ok(body);
            }
            sleep(Duration::from_millis(pause)).await;
        }
        timeout(PATIENCE, self.fetch(path)).await?
    }

    /// One page, and then whatever it links to.
    async fn visit(self: Arc<Self>, path: String, found: mpsc::UnboundedSender<Found>) -> Result<()> {
        let body = self.patiently(&path).await?;
        let (title, links) = spawn_blocking(move || parse(&body)).await?;
        found.send(Found { path, title, links }).map_err(Error::other)
    }
}

struct Found {
    path: String,
    title: String,
    links: Vec<String>,
}

fn parse(body: &str) -> (String, Vec<String>) {
    let between = |text: &str, end: &str| text.split(end).next().unwrap_or_default().to_owned();
    let title = body.split("<title>").nth(1).map(|rest| between(rest, "</title>")).unwrap_or_default();
    (title, body.split("href=\"").skip(1).map(|rest| between(rest, "\"")).collect())
}

/// The titles by path.
async fn crawl(address: SocketAddr) -> Result<BTreeMap<String, String>> {
    let mut pace = interval(Duration::from_micros(100));
    pace.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (places, most) = (Semaphore::new(AT_A_TIME), AtomicUsize::new(0));
    let crawler = Arc::new(Crawler { address, places, pace: Mutex::new(pace), most });
    let (sender, mut found) = mpsc::unbounded_channel();
    let mut visits = JoinSet::new();
    let mut seen = HashSet::from(["/1".to_owned()]);
    let mut titles = BTreeMap::new();
    visits.spawn(crawler.clone().visit("/1".into(), sender.clone()));
    loop {
        select! {
            biased;
            Some(page) = found.recv() => {
                titles.insert(page.path, page.title);
                for link in page.links {
                    if seen.insert(link.clone()) {
                        visits.spawn(crawler.clone().visit(link, sender.clone()));
                    }
                }
            }
            ended = visits.join_next() => match ended {
                Some(ended) => ended??,
                None => break,
            },
        }
    }
    assert!((1..=AT_A_TIME).contains(&crawler.most.load(Ordering::Relaxed)));
    Ok(titles)
}

/// What two crawls at once find.
pub(crate) async fn scene() -> Result<Vec<String>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let site = spawn(site(listener));
    let (one, two) = join!(crawl(address), crawl(address));
    site.abort();
    let one = one?;
    assert_eq!(one, two?);
    Ok(one.into_iter().map(|(path, title)| format!("{path} {title}")).collect())
}

#[polyloop::main(flavor = "multi_thread", worker_threads = 2)]
pub(crate) async fn main() -> Result<()> {
    for line in scene().await? {
        println!("{line}");
    }
    Ok(())
}
