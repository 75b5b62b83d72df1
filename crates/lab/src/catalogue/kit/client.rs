//! The other end of a connection: plain sockets in a process of their own.
//!
//! Invariant: the client shares nothing with the runtime under test but the machine. It says `ready` once it is
//! connected and a loop has warmed up, with nothing under way; it waits for `go`, does its job, and reports one line of
//! JSON; then it keeps its connections until its standard input ends.

use super::clock;
use super::closed_loop::Loop;
use super::gate::Gate;
use super::measure::quantile;
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The hidden first argument that makes the lab's program a client.
const ARGUMENT: &str = "__echo-client";

/// Where clients run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In another process of this executable, whose `main` must call [`hidden`] first.
    Process,
    /// On a thread of this process: for tests, whose executable is not the lab's.
    #[cfg_attr(
        not(all(test, feature = "smol", feature = "tokio")),
        expect(dead_code, reason = "only tests have no lab executable")
    )]
    Thread,
}

/// What a client is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) addr: SocketAddr,
    /// How many connections at once.
    pub(crate) conns: usize,
    /// Bytes of a message.
    pub(crate) bytes: usize,
    pub(crate) load: Load,
}

/// How the connections are used.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Load {
    /// One message on each connection, sent in so many pieces with a pause after each.
    Once { pieces: usize },
    /// One message under way on each connection all the time, for so many milliseconds, after as many to warm up.
    Loop { millis: u64 },
    /// Nothing is sent.
    Idle,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Messages that came back whole.
    pub(crate) right: u64,
    /// Messages that came back changed.
    pub(crate) wrong: u64,
    /// How long it took.
    pub(crate) seconds: f64,
    /// Time from a message's sending to the end of its receipt, microseconds.
    pub(crate) p50_us: f64,
    /// The same.
    pub(crate) p99_us: f64,
    /// What went wrong, if the job could not be ended.
    pub(crate) error: Option<String>,
}

/// Long enough that only a server that forgot a connection runs into it.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Does a job: connects, tells, waits, works.
fn work(job: &Job, ready: impl FnOnce(), go: impl FnOnce()) -> (Report, Vec<TcpStream>) {
    let mut conns = Vec::new();
    let connected = connect(job, &mut conns);
    let mut cycle = None;
    let prepared = connected.and_then(|()| {
        if let Load::Loop { millis } = job.load {
            let mut warm = Loop::new(&conns, job.bytes)?;
            warm.run(Duration::from_millis(millis), &mut Vec::new(), &mut Report::default())?;
            cycle = Some(warm);
        }
        Ok(())
    });
    ready();
    go();
    let start = clock::now();
    let mut times = Vec::new();
    let mut report = Report::default();
    let done = prepared.and_then(|()| match (job.load, &mut cycle) {
        (Load::Idle, _) => Ok(()),
        (Load::Once { pieces }, _) => round(job, &conns, pieces, &mut times, &mut report),
        (Load::Loop { millis }, Some(warm)) => {
            warm.run(Duration::from_millis(millis), &mut times, &mut report)
        }
        (Load::Loop { .. }, None) => Err(io::ErrorKind::NotConnected.into()),
    });
    drop(cycle);
    report.seconds = start.elapsed().as_secs_f64();
    report.error = done.err().map(|error| error.to_string());
    times.sort_unstable();
    if !times.is_empty() {
        report.p50_us = quantile(&times, 0.5).as_secs_f64() * 1e6;
        report.p99_us = quantile(&times, 0.99).as_secs_f64() * 1e6;
    }
    (report, conns)
}

fn connect(job: &Job, conns: &mut Vec<TcpStream>) -> io::Result<()> {
    for _ in 0..job.conns {
        let conn = TcpStream::connect(job.addr)?;
        conn.set_nodelay(true)?;
        conn.set_read_timeout(Some(PATIENCE))?;
        conn.set_write_timeout(Some(PATIENCE))?;
        conns.push(conn);
    }
    Ok(())
}

/// One message on every connection: all are sent before the first is received.
fn round(
    job: &Job,
    conns: &[TcpStream],
    pieces: usize,
    times: &mut Vec<Duration>,
    report: &mut Report,
) -> io::Result<()> {
    let mut sent = Vec::with_capacity(conns.len());
    for (i, mut conn) in conns.iter().enumerate() {
        let message = message(i as u64 + report.right, job.bytes);
        sent.push((clock::now(), message.clone()));
        for piece in message.chunks(job.bytes.div_ceil(pieces).max(1)) {
            conn.write_all(piece)?;
            if pieces > 1 {
                clock::block(Duration::from_millis(2));
            }
        }
    }
    let mut received = vec![0; job.bytes];
    for (mut conn, (start, message)) in conns.iter().zip(sent) {
        conn.read_exact(&mut received)?;
        times.push(start.elapsed());
        match received == message {
            true => report.right += 1,
            false => report.wrong += 1,
        }
    }
    Ok(())
}

/// A message unlike the others.
pub(super) fn message(seed: u64, bytes: usize) -> Vec<u8> {
    (0..bytes).map(|i| (seed.wrapping_mul(31).wrapping_add(i as u64 * 7)) as u8).collect()
}

/// Runs the client's half if the arguments say so: `main` of the lab calls this before anything else, with the
/// arguments after the program's name.
pub fn hidden(args: impl IntoIterator<Item = String>) -> Option<ExitCode> {
    let mut args = args.into_iter();
    if args.next()? != ARGUMENT {
        return None;
    }
    let job = args.next().and_then(|job| serde_json::from_str::<Job>(&job).ok());
    let Some(job) = job else {
        eprintln!("{ARGUMENT} is for the lab's own use");
        return Some(ExitCode::from(2));
    };
    let mut line = String::new();
    let (report, conns) = work(
        &job,
        || say("ready"),
        || {
            io::stdin().read_line(&mut line).ok();
        },
    );
    if line != "go\n" {
        // Whoever started this client is gone.
        return Some(ExitCode::SUCCESS);
    }
    say(&serde_json::to_string(&report).unwrap_or_default());
    io::stdin().read_line(&mut line).ok();
    drop(conns);
    Some(ExitCode::SUCCESS)
}

/// A line for whoever started this client. If that is gone, the next read from it says so.
fn say(line: &str) {
    writeln!(io::stdout(), "{line}").ok();
}

/// A client at work, seen from the runtime under test.
#[derive(Debug)]
pub(crate) struct Client {
    ready: Gate,
    done: Gate,
    report: Arc<Mutex<Option<Report>>>,
    /// Says go; its end lets the client go.
    go: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    /// Starts a client.
    pub(crate) fn start(job: Job, place: Place) -> Self {
        let (ready, done, report) = (Gate::default(), Gate::default(), Arc::new(Mutex::new(None)));
        let (go, wait) = mpsc::channel();
        let (is_ready, is_done, to_report) = (ready.clone(), done.clone(), report.clone());
        let thread = thread::spawn(move || {
            let finish = |found: Report| {
                *to_report.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
                is_ready.open();
                is_done.open();
            };
            match place {
                Place::Thread => {
                    let (found, conns) = work(&job, || is_ready.open(), || _ = wait.recv());
                    finish(found);
                    wait.recv().ok();
                    drop(conns);
                }
                Place::Process => {
                    let talk = talk(&job, &is_ready, &wait, finish);
                    if let Err(error) = talk {
                        // Without effect if there was a report already.
                        is_ready.open();
                        is_done.open();
                        let mut report = to_report.lock().unwrap_or_else(PoisonError::into_inner);
                        report.get_or_insert_with(|| Report {
                            error: Some(format!("the client process failed: {error}")),
                            ..Report::default()
                        });
                    }
                }
            }
        });
        Self { ready, done, report, go: Some(go), thread: Some(thread) }
    }

    /// Waits until the client is connected (or failed; the report tells).
    pub(crate) async fn ready(&self) {
        self.ready.wait().await;
    }

    /// Lets it begin.
    pub(crate) fn go(&self) {
        if let Some(go) = &self.go {
            go.send(()).ok();
        }
    }

    /// Waits for its report; it keeps its connections.
    ///
    /// # Errors
    ///
    /// What kept the client from doing its job, or that a message came back changed.
    pub(crate) async fn report(&self) -> Result<Report, String> {
        self.done.wait().await;
        let report = self.report.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let report = report.ok_or("the client left no report")?;
        match &report.error {
            Some(error) => Err(format!("the client gave up after {} messages: {error}", report.right)),
            None if report.wrong > 0 => Err(format!("{} messages came back changed", report.wrong)),
            None => Ok(report),
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.go = None;
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// Starts the process and talks with it until the lab lets go of its client.
fn talk(job: &Job, ready: &Gate, wait: &mpsc::Receiver<()>, finish: impl FnOnce(Report)) -> io::Result<()> {
    let mut child = Command::new(crate::process::this_program()?)
        .arg(ARGUMENT)
        .arg(serde_json::to_string(job)?)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let talked = (|| {
        let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("no pipes"));
        };
        let mut lines = BufReader::new(stdout).lines();
        let mut line = || lines.next().unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()));
        if line()? != "ready" {
            return Err(io::Error::other("this executable does not know how to be a client"));
        }
        ready.open();
        if wait.recv().is_ok() {
            stdin.write_all(b"go\n")?;
            finish(serde_json::from_str(&line()?)?);
            wait.recv().ok();
        }
        Ok(())
    })();
    if talked.is_err() {
        child.kill().ok();
    }
    child.wait()?;
    talked
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::executor::block_on;
    use std::net::{Ipv4Addr, TcpListener};

    /// A server that answers each message of 8 bytes through `answer`, and what a client of it reports.
    fn with_server(answer: fn(&mut [u8]) -> bool, load: Load) -> Result<Report, String> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let addr = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut conn, _) = listener.accept().unwrap();
            let mut message = [0; 8];
            while conn.read_exact(&mut message).is_ok() && answer(&mut message) {
                conn.write_all(&message).unwrap();
            }
        });
        let client = Client::start(Job { addr, conns: 1, bytes: 8, load }, Place::Thread);
        let report = block_on(async {
            client.ready().await;
            client.go();
            client.report().await
        });
        drop(client);
        server.join().unwrap();
        report
    }

    #[test]
    fn a_message_in_pieces_comes_back_whole() {
        let report = with_server(|_| true, Load::Once { pieces: 3 }).unwrap();
        assert_eq!((report.right, report.wrong), (1, 0));
        assert!(report.p50_us > 0.0 && report.p50_us <= report.p99_us);
    }

    #[test]
    fn a_changed_message_is_told() {
        let changed = |message: &mut [u8]| {
            message[7] ^= 1;
            true
        };
        assert_eq!(
            with_server(changed, Load::Once { pieces: 1 }).unwrap_err(),
            "1 messages came back changed"
        );
    }

    #[test]
    fn a_server_that_hangs_up_is_told() {
        let told = with_server(|_| false, Load::Loop { millis: 1_000 }).unwrap_err();
        assert!(told.starts_with("the client gave up after 0 messages"), "{told}");
    }

    #[test]
    fn only_the_hidden_argument_makes_a_client() {
        assert!(hidden(["bench".to_owned()]).is_none());
        assert!(hidden([]).is_none());
        assert_eq!(hidden([ARGUMENT.to_owned(), "nonsense".to_owned()]), Some(ExitCode::from(2)));
    }
}
