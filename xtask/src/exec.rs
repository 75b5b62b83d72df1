//! Other programs are run here: seen while they run, captured where their output is data, never left behind.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::stop::Stop;

/// The folder that holds the workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// `cargo` at the root of the workspace.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.args(arguments).current_dir(root());
    command
}

/// Has a build that mostly is the first one leave out incremental compilation, which makes that a fifth slower, unless somebody has
/// said what he wants. It shares our own crates with others of its kind alone, so all that CI builds and runs is of it.
pub(crate) fn not_incremental(command: &mut Command) -> &mut Command {
    const INCREMENTAL: &str = "CARGO_INCREMENTAL";
    if std::env::var_os(INCREMENTAL).is_none() {
        command.env(INCREMENTAL, "0");
    }
    command
}

/// The time, for measuring how long a check took.
#[expect(clippy::disallowed_methods, reason = "the checks run no runtime; real seconds are what is reported")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Whether missing tools are errors here: `CI` is set and is not `0` or `false`.
pub(crate) fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"))
}

/// Runs to the end with its output on the terminal.
///
/// # Errors
///
/// `Stop::Failed` if it cannot start or ends with an error.
pub(crate) fn check(command: &mut Command) -> Result<(), Stop> {
    ends_well(command, Stop::Failed)
}

/// As [`check`], for a build.
///
/// # Errors
///
/// `Stop::Build` if it ends with an error, `Stop::Failed` if it cannot start.
pub(crate) fn build(command: &mut Command) -> Result<(), Stop> {
    ends_well(command, Stop::Build)
}

fn ends_well(command: &mut Command, or: fn(String) -> Stop) -> Result<(), Stop> {
    let line = show(command);
    eprintln!("$ {line}");
    let status = command.status().map_err(|error| cannot_start(&line, &error))?;
    if status.success() { Ok(()) } else { Err(or(format!("`{line}` failed ({status})"))) }
}

/// Runs to the end and gives its standard output.
///
/// # Errors
///
/// `Stop::Failed` if it cannot start or ends with an error.
pub(crate) fn output(command: &mut Command) -> Result<String, Stop> {
    let line = show(command);
    let output = command.stderr(Stdio::inherit()).output().map_err(|error| cannot_start(&line, &error))?;
    if !output.status.success() {
        return Err(Stop::Failed(format!("`{line}` failed ({})", output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a program starts and ends well, with its output thrown away.
pub(crate) fn works(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Runs to the end with its output on the terminal, and gives every line to `each` too.
///
/// # Errors
///
/// `Stop::Failed` if it cannot start; a bad end is the caller's to judge.
pub(crate) fn watch(command: &mut Command, mut each: impl FnMut(&str)) -> Result<ExitStatus, Stop> {
    eprintln!("$ {}", show(command));
    overhear(command, |is_stdout, text| {
        if is_stdout {
            println!("{text}");
        } else {
            eprintln!("{text}");
        }
        each(text);
    })
}

/// Runs to the end, and gives every line to `each` alone, with whether it was on standard output.
///
/// # Errors
///
/// As [`watch`].
pub(crate) fn overhear(command: &mut Command, mut each: impl FnMut(bool, &str)) -> Result<ExitStatus, Stop> {
    let line = show(command);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.as_mut().map_err(|error| cannot_start(&line, error))?;
    let (send, lines) = mpsc::channel();
    let readers =
        [forward(child.stdout.take(), send.clone(), true), forward(child.stderr.take(), send, false)];
    for (is_stdout, text) in lines {
        each(is_stdout, &text);
    }
    for reader in readers {
        reader.join().map_err(|_| Stop::failed(format!("reading from `{line}` panicked")))?;
    }
    child.wait().map_err(|error| cannot_start(&line, &error))
}

/// How a bounded run ended.
#[derive(Debug)]
pub(crate) enum End {
    /// By itself, with what it printed: standard output, then standard error.
    Exit(ExitStatus, String),
    /// It was killed when its time was up, with what it had printed.
    TimedOut(String),
}

/// What is left to a program that panicked: unwinding may hang, and what there is to know is known.
const AFTER_PANIC: Duration = Duration::from_secs(5);

/// Runs for at most `limit`, silently; for a moment only once it has panicked.
///
/// # Errors
///
/// `Stop::Failed` if it cannot start.
pub(crate) fn bounded(command: &mut Command, limit: Duration) -> Result<End, Stop> {
    let line = show(command);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.as_mut().map_err(|error| cannot_start(&line, error))?;
    let (send, lines) = mpsc::channel();
    let readers =
        [forward(child.stdout.take(), send.clone(), true), forward(child.stderr.take(), send, false)];
    let (mut deadline, mut timed_out) = (now() + limit, false);
    let (mut text, mut errors) = (String::new(), String::new());
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(now())) {
            Ok((is_stdout, line)) => {
                if line.contains("panicked at") {
                    deadline = deadline.min(now() + AFTER_PANIC);
                }
                let stream = if is_stdout { &mut text } else { &mut errors };
                stream.extend([line.as_str(), "\n"]);
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                timed_out = true;
                // An error means that it has just ended by itself; the wait below reaps it either way.
                drop(child.kill());
                break;
            }
        }
    }
    let status = child.wait().map_err(|error| cannot_start(&line, &error))?;
    for reader in readers {
        reader.join().map_err(|_| Stop::failed(format!("reading from `{line}` panicked")))?;
    }
    text.push_str(&errors);
    Ok(if timed_out { End::TimedOut(text) } else { End::Exit(status, text) })
}

fn forward(
    stream: Option<impl Read + Send + 'static>,
    send: mpsc::Sender<(bool, String)>,
    is_stdout: bool,
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let Some(stream) = stream else { return };
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        while stream.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            let text = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
            if send.send((is_stdout, text)).is_err() {
                return;
            }
            line.clear();
        }
    })
}

fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn cannot_start(line: &str, error: &std::io::Error) -> Stop {
    Stop::Failed(format!("`{line}` cannot run: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_bounded_run_gives_both_streams_or_is_killed() {
        let end = bounded(&mut shell("echo out; echo err >&2; exit 3"), Duration::from_secs(60)).unwrap();
        let End::Exit(status, text) = end else { panic!("{end:?}") };
        assert_eq!(status.code(), Some(3));
        assert!(text.contains("out\n") && text.contains("err\n"), "{text}");
        // The process never ends by itself, so only the kill can bring this test to its end.
        let end = bounded(&mut shell("exec sleep 100000"), Duration::from_millis(50)).unwrap();
        assert!(matches!(end, End::TimedOut(_)));
        // A panic cuts the hour short; what it said is kept.
        let script = "echo \"thread 't' panicked at x\" >&2; exec sleep 100000";
        let end = bounded(&mut shell(script), Duration::from_secs(3_600)).unwrap();
        let End::TimedOut(text) = end else { panic!("{end:?}") };
        assert!(text.contains("panicked"), "{text}");
    }

    #[test]
    fn a_watched_run_hands_over_every_line() {
        let mut seen = Vec::new();
        let status =
            watch(&mut shell("echo a; echo b >&2; false"), |line| seen.push(line.to_owned())).unwrap();
        seen.sort();
        assert!(!status.success());
        assert_eq!(seen, ["a", "b"]);
        assert!(watch(&mut Command::new("no-such-program"), |_| {}).is_err());
    }
}
