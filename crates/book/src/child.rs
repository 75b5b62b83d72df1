//! A program in a process of its own.

use crate::programs::Program;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

/// The argument by which the executable is the program that the next one names, instead of the book.
pub const ARGUMENT: &str = "__program";

/// The variable that names the file for the timeline.
const TIMELINE: &str = "POLYLOOP_TIMELINE";

/// How a program is run.
#[derive(Clone, Copy, Debug)]
pub struct How<'a> {
    /// On what.
    pub combination: &'a str,
    /// Whether the clock is paused, so that sleeps take no time.
    pub paused: bool,
    /// Its arguments, in place of the book's own.
    pub arguments: &'a [String],
    /// Where it writes its timeline.
    pub timeline: Option<&'a Path>,
}

/// How a program ended.
#[derive(Debug)]
pub struct Ran {
    /// What it printed, with addresses of the book's own server as `http://book`.
    pub output: String,
    /// What it said on standard error.
    pub errors: String,
    /// How it ended.
    pub status: ExitStatus,
}

/// Runs the program in a process of `executable`, which must begin with [`run_here`] or heed [`ARGUMENT`] by itself. Each line is given
/// to `told` as it comes.
///
/// # Errors
///
/// The kernel's word.
pub fn run_child(
    executable: &Path,
    program: &Program,
    how: How<'_>,
    mut told: impl FnMut(&str),
) -> io::Result<Ran> {
    #[cfg(feature = "pages")]
    let server = crate::pages::Server::start()?;
    let mut command = Command::new(executable);
    command.args([ARGUMENT, program.name]).env("POLYLOOP", how.combination);
    command.env("POLYLOOP_CLOCK", if how.paused { "paused" } else { "system" });
    // A program that blocks is a lesson here, not a fault to be named in the middle of its output.
    command.env("POLYLOOP_STALLS", "off");
    match how.timeline {
        Some(file) => command.env(TIMELINE, file),
        None => command.env_remove(TIMELINE),
    };
    #[cfg(feature = "pages")]
    if how.arguments.is_empty() {
        // The original, which is run by this as well, would ask a proxy of the environment.
        command.env("NO_PROXY", "127.0.0.1");
        command.args(program.paths.iter().map(|path| server.url(path)));
    }
    command.args(how.arguments);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let errors = std::thread::spawn(move || {
        let mut errors = String::new();
        let read = stderr.map(|mut stream| stream.read_to_string(&mut errors));
        read.transpose().map(|_| errors)
    });
    let mut output = String::new();
    for line in BufReader::new(stdout.ok_or(io::ErrorKind::BrokenPipe)?).lines() {
        let line = line?;
        #[cfg(feature = "pages")]
        let line = line.replace(&server.url(""), "http://book");
        told(&line);
        output.push_str(&line);
        output.push('\n');
    }
    let status = child.wait()?;
    let errors = errors.join().map_err(|_| io::Error::other("reading its errors panicked"))??;
    Ok(Ran { output, errors, status })
}

/// Runs a program if this process was started for that, and says whether it was.
pub fn run_here() -> bool {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some(ARGUMENT) {
        return false;
    }
    let name = arguments.next().unwrap_or_default();
    if let Some(program) = crate::PROGRAMS.iter().find(|program| program.name == name) {
        (program.main)(&arguments.collect::<Vec<_>>());
    }
    true
}
