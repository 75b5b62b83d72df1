//! One cell in one process: started, watched, and ended for good.
//!
//! Invariant: whatever the cell does (hangs, crashes, prints, leaves children behind), [`run`] returns in its time limit
//! plus a moment, with an [`Outcome`] that says what happened, and nothing of the process group is left alive. The
//! runner sleeps meanwhile; it doesn't disturb what is measured.

use crate::cell::{Catalogue, Counts, Outcome, Request, Status};
use crate::interrupt::Interrupt;
use crate::say::say;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// The hidden first argument of a cell process.
pub(crate) const ARGUMENT: &str = "__cell";
/// What the line with the outcome begins with: a control character that no program prints by chance.
const MARK: &[u8] = b"\x1epolyloop-cell ";
/// What a cell may answer at most; a longer line is no outcome.
const LONGEST: usize = 64 << 20;
/// How much of stderr is kept.
const TAIL: usize = 8 << 10;
/// How often the runner looks for Ctrl-C and for a dead process whose children hold its pipes.
const LOOK: Duration = Duration::from_millis(50);
/// How long a cell may take to leave after its answer.
const LEAVE: Duration = Duration::from_secs(5);

/// What to start for another process of this very program, whatever has happened to its file since: on Linux the kernel
/// keeps it, so that a build during a run cannot put other code into the later cells.
///
/// # Errors
///
/// Where the system does not tell which program this is.
pub(crate) fn this_program() -> io::Result<PathBuf> {
    let kept = Path::new("/proc/self/exe");
    if cfg!(target_os = "linux") && kept.exists() { Ok(kept.to_path_buf()) } else { std::env::current_exe() }
}

/// Runs one cell in a process of its own. `None`: stopped by Ctrl-C.
pub(crate) fn run(
    program: &Path,
    request: &Request,
    limit: Duration,
    interrupt: &Interrupt,
) -> Option<Outcome> {
    run_under(&[], program, request, limit, interrupt)
}

/// The same with a command in front of the program, such as `valgrind` and its options.
pub(crate) fn run_under(
    wrapper: &[OsString],
    program: &Path,
    request: &Request,
    limit: Duration,
    interrupt: &Interrupt,
) -> Option<Outcome> {
    let mut child = match spawn(wrapper, program, request) {
        Ok(child) => child,
        Err(error) => {
            return Some(outcome(Status::Crash, format!("the cell's process cannot be started: {error}")));
        }
    };
    let lines = read_answers(child.stdout.take());
    let tail = read_tail(child.stderr.take());
    let end = watch(&mut child, &lines, limit, interrupt);
    let status = end_group(&mut child);
    let words = last_words(&tail.recv_timeout(LEAVE).unwrap_or_default());
    Some(match end {
        End::Interrupted => return None,
        End::Answered(Ok(answered)) => match status {
            Ok(status) if !status.success() => {
                outcome(Status::Crash, format!("gave its result and died after it, {status}{words}"))
            }
            _ => *answered,
        },
        End::Answered(Err(error)) => {
            outcome(Status::Crash, format!("answered something that is no outcome: {error}{words}"))
        }
        End::Stays => outcome(
            Status::Timeout,
            format!("gave its result and was still there after {} s{words}", LEAVE.as_secs()),
        ),
        End::Late => outcome(
            Status::Timeout,
            format!(
                "no result after {}; killed{words}",
                polyloop_timeline::units::duration(limit.as_secs_f64())
            ),
        ),
        End::Died => outcome(Status::Crash, format!("{}{words}", how_it_died(status))),
    })
}

/// The other side: runs the requested cell and answers on stdout.
pub(crate) fn serve(catalogue: &dyn Catalogue, request: Option<&str>) -> ExitCode {
    die_with_the_runner();
    let request = match request {
        Some(text) => Ok(text.to_owned()),
        None => io::read_to_string(io::stdin()),
    };
    let request: Request = match request.and_then(|text| Ok(serde_json::from_str(&text)?)) {
        Ok(request) => request,
        Err(error) => {
            say!("{ARGUMENT}: not a request: {error}");
            return ExitCode::from(2);
        }
    };
    let outcome = checked(catalogue.run(&request));
    match answer(&outcome) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say!("{ARGUMENT}: the outcome cannot be written: {error}");
            ExitCode::FAILURE
        }
    }
}

/// An outcome without numbers.
pub(crate) fn outcome(status: Status, reason: String) -> Outcome {
    Outcome {
        status,
        reason: Some(reason),
        predicted: None,
        observed: None,
        open: false,
        samples: Vec::new(),
        counts: Counts::default(),
        timeline: None,
    }
}

fn answer(outcome: &Outcome) -> io::Result<()> {
    let mut line = vec![b'\n'];
    line.extend_from_slice(MARK);
    serde_json::to_writer(&mut line, outcome)?;
    line.push(b'\n');
    let mut stdout = io::stdout().lock();
    stdout.write_all(&line)?;
    stdout.flush()
}

/// A number that is not finite has no place in JSON, and is a wrong result.
fn checked(mut outcome: Outcome) -> Outcome {
    if let Some(sample) = outcome.samples.iter().find(|sample| !sample.value.is_finite()) {
        outcome.status = Status::Fail;
        outcome.reason = Some(format!("{} is {}", sample.name, sample.value));
        outcome.samples.clear();
    }
    outcome
}

enum End {
    Answered(Result<Box<Outcome>, serde_json::Error>),
    Stays,
    Late,
    Died,
    Interrupted,
}

fn spawn(wrapper: &[OsString], program: &Path, request: &Request) -> io::Result<Child> {
    let mut command = match wrapper {
        [] => Command::new(program),
        [first, rest @ ..] => {
            let mut command = Command::new(first);
            command.args(rest).arg(program);
            command
        }
    };
    command.arg(ARGUMENT).arg(serde_json::to_string(request)?);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A group of its own: Ctrl-C reaches the runner alone, and the runner can end the cell with all its children.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.spawn()
}

fn watch(child: &mut Child, lines: &Receiver<Vec<u8>>, limit: Duration, interrupt: &Interrupt) -> End {
    let started = now();
    let mut answer = None;
    loop {
        if interrupt.is_set() {
            return End::Interrupted;
        }
        let (since, allowed) = match &answer {
            None => (started, limit),
            Some((at, _)) => (*at, LEAVE),
        };
        let left = allowed.saturating_sub(since.elapsed());
        if left.is_zero() {
            return if answer.is_some() { End::Stays } else { End::Late };
        }
        let closed = match lines.recv_timeout(left.min(LOOK)) {
            Ok(line) => {
                answer = Some((now(), serde_json::from_slice(&line)));
                continue;
            }
            Err(RecvTimeoutError::Timeout) => false,
            // Nothing more will be said. Now it has the moment to leave, or has left.
            Err(RecvTimeoutError::Disconnected) => true,
        };
        if has_ended(child) {
            // What it said is in the pipe. Its children may hold the pipe open: they go first, then the pipe ends.
            kill_group(child);
            while let Ok(line) = lines.recv_timeout(LEAVE) {
                answer = Some((now(), serde_json::from_slice(&line)));
            }
            return match answer {
                Some((_, answer)) => End::Answered(answer.map(Box::new)),
                None => End::Died,
            };
        }
        if closed {
            thread::park_timeout(Duration::from_millis(2));
        }
    }
}

/// Whether it has ended; it stays a zombie until [`end_group`], so that its group's number stays taken.
#[cfg(unix)]
fn has_ended(child: &Child) -> bool {
    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(waitid(WaitId::Pid(Pid::from_child(child)), options), Ok(None))
}

#[cfg(not(unix))]
fn has_ended(child: &mut Child) -> bool {
    !matches!(child.try_wait(), Ok(None))
}

/// Ends the process and everything it started.
fn end_group(child: &mut Child) -> io::Result<ExitStatus> {
    kill_group(child);
    child.wait()
}

#[cfg(unix)]
fn kill_group(child: &mut Child) {
    use rustix::process::{Pid, Signal, kill_process_group};
    // No such group: all of it has ended by itself.
    let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
}

#[cfg(not(unix))]
fn kill_group(child: &mut Child) {
    // Already gone is as good.
    let _ = child.kill();
}

/// If the runner is killed, its cells go with it.
fn die_with_the_runner() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Signal, set_parent_process_death_signal};
        let _ = set_parent_process_death_signal(Some(Signal::KILL));
    }
}

/// Sends every marked line of stdout, without its mark. Noise is dropped as it comes and never kept in memory.
fn read_answers(stdout: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let Some(stdout) = stdout else { return };
        let mut stdout = BufReader::new(stdout);
        let mut line = Vec::new();
        let mut noise = false;
        loop {
            let chunk = match stdout.fill_buf() {
                Ok([]) => return,
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return,
            };
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let part = &chunk[..end.unwrap_or(chunk.len())];
            if !noise {
                line.extend_from_slice(part);
                let compared = line.len().min(MARK.len());
                noise = line[..compared] != MARK[..compared] || line.len() > LONGEST;
            }
            let used = part.len() + usize::from(end.is_some());
            stdout.consume(used);
            if noise {
                line.clear();
            }
            if end.is_some() {
                noise = false;
                let whole = std::mem::take(&mut line);
                if whole.len() >= MARK.len() && sender.send(whole[MARK.len()..].to_vec()).is_err() {
                    return;
                }
            }
        }
    });
    receiver
}

/// Reads stderr to its end and sends its last part.
fn read_tail(stderr: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let Some(mut stderr) = stderr else { return };
        let mut tail = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            match stderr.read(&mut chunk) {
                Ok(0) => break,
                Ok(n) => tail.extend_from_slice(&chunk[..n]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
            if tail.len() > 2 * TAIL {
                tail.drain(..tail.len() - TAIL);
            }
        }
        // The runner may have stopped waiting.
        let _ = sender.send(tail);
    });
    receiver
}

/// The last lines of stderr in one, short enough for a table.
fn last_words(tail: &[u8]) -> String {
    let text = String::from_utf8_lossy(tail);
    let telling = |line: &&str| !line.is_empty() && !line.starts_with("note: run with `RUST_BACKTRACE");
    let lines: Vec<&str> = text.lines().map(str::trim).filter(telling).collect();
    // A panic's message says more than the frames of a backtrace after it.
    let lines = match lines.iter().rposition(|line| line.contains("panicked at")) {
        Some(at) => &lines[at..lines.len().min(at + 2)],
        None => &lines[lines.len().saturating_sub(3)..],
    };
    let mut words: String = lines.join(" | ").chars().filter(|c| !c.is_control()).collect();
    if let Some((at, _)) = words.char_indices().nth(300) {
        words.truncate(at);
        words.push('…');
    }
    if words.is_empty() { words } else { format!("; last words: {words}") }
}

fn how_it_died(status: io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) if status.success() => "ended without a result".into(),
        Ok(status) => format!("ended without a result, {status}"),
        Err(error) => format!("ended without a result, and how is unknown: {error}"),
    }
}

#[expect(clippy::disallowed_methods, reason = "the lab's stopwatch")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(stdout: &'static [u8]) -> Vec<Vec<u8>> {
        read_answers(Some(stdout)).iter().collect()
    }

    /// A run in which nothing could start must not look like one in which nothing was wrong.
    #[test]
    fn a_cell_that_cannot_be_started_is_a_crash() {
        let request = Request {
            subject: "any".into(),
            case: "any".into(),
            seed: 1,
            scale: 1.0,
            slot_ms: 1,
            rounds: None,
            trace: false,
        };
        let nowhere = Path::new("/nonexistent/lab");
        let ended = run(nowhere, &request, Duration::from_secs(1), &Interrupt::default()).unwrap();
        assert_eq!(ended.status, Status::Crash);
        assert!(ended.reason.unwrap().starts_with("the cell's process cannot be started: "));
    }

    #[test]
    fn marked_lines_are_found_in_noise() {
        assert_eq!(answers(b"noise\n\x1epolyloop-cell {}\nmore"), [b"{}".to_vec()]);
        assert_eq!(answers(b"half a line\x1epolyloop-cell {}\n"), Vec::<Vec<u8>>::new());
        assert_eq!(answers(b"\x1epolyloop-cel\n\x1epolyloop-cell 1\n\x1epolyloop-cell 2\n").len(), 2);
        assert_eq!(answers(b"\x1epolyloop-cell cut o"), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn a_flood_without_a_newline_is_not_kept() {
        struct Flood(usize);
        impl Read for Flood {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0 = self.0.saturating_sub(buffer.len());
                buffer.fill(b'x');
                Ok(if self.0 == 0 { 0 } else { buffer.len() })
            }
        }
        assert_eq!(read_answers(Some(Flood(256 << 20))).iter().count(), 0);
    }

    #[test]
    fn last_words_are_one_short_line() {
        let tail = b"one\ntwo\n\nthread 'main' panicked at a.rs:1:2:\n\x1b[31mno\nnote: run with `RUST_BACKTRACE=1`\n";
        assert_eq!(last_words(tail), "; last words: thread 'main' panicked at a.rs:1:2: | [31mno");
        assert_eq!(last_words(b"one\ntwo\nthree\nfour\n"), "; last words: two | three | four");
        assert_eq!(last_words(b""), "");
        assert!(last_words(&[b'x'; 5000]).chars().count() < 330);
    }

    #[test]
    fn a_number_that_json_cannot_hold_fails_the_cell() {
        let mut odd = outcome(Status::Pass, String::new());
        odd.samples.push(crate::cell::Sample {
            name: "time".into(),
            unit: "ns".into(),
            better: crate::cell::Better::Lower,
            value: f64::INFINITY,
        });
        let checked = checked(odd);
        assert_eq!(checked.status, Status::Fail);
        assert_eq!(checked.reason.as_deref(), Some("time is inf"));
        assert!(checked.samples.is_empty());
    }
}
