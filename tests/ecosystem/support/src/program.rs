//! A program of this workspace in a process of its own, seen from outside.
//!
//! Invariant: a program ends with its [`Program`]: it is asked to by the end of its input, and killed if the test is over before.
//! No test waits for ever for what a program says.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

/// How long a program may keep quiet while something is expected of it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running program.
#[derive(Debug)]
pub struct Program {
    child: Child,
    lines: Receiver<io::Result<String>>,
}

impl Program {
    /// Starts the program at `path` on a combination.
    ///
    /// # Panics
    ///
    /// If it cannot start.
    pub fn start(
        path: &str,
        combination: &str,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> Self {
        let mut command = Command::new(path);
        command.env("POLYLOOP", combination).args(arguments);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{path}: {error}"));
        let out = BufReader::new(child.stdout.take().expect("it is a pipe"));
        let (say, lines) = mpsc::channel();
        // Ends with the program, or with the one who listens.
        std::thread::spawn(move || out.lines().try_for_each(|line| say.send(line)));
        Self { child, lines }
    }

    /// The next line that it prints, if it does not end instead.
    fn next(&mut self) -> Option<String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Some(line.expect("its output can be read")),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("the program says nothing within {PATIENCE:?}"),
        }
    }

    /// The next line that it prints.
    ///
    /// # Panics
    ///
    /// If it ends instead, or says nothing for a minute.
    pub fn line(&mut self) -> String {
        let line = self.next();
        line.unwrap_or_else(|| panic!("the program ended: {:?}", self.child.wait()))
    }

    /// The address in its line `listening on …`.
    ///
    /// # Panics
    ///
    /// If it says anything else.
    pub fn address(&mut self) -> SocketAddr {
        let line = self.line();
        let address = line.strip_prefix("listening on ").and_then(|address| address.parse().ok());
        address.unwrap_or_else(|| panic!("an address was expected, not {line:?}"))
    }

    /// What the kernel knows about it now.
    ///
    /// # Panics
    ///
    /// Where there is no `/proc`.
    pub fn facts(&self) -> Facts {
        Facts::of(&self.child.id().to_string())
    }

    /// Ends its input, by which it is asked to end, and gives what else it prints.
    ///
    /// # Panics
    ///
    /// If it ends with an error, or does not end within a minute.
    pub fn finish(mut self) -> String {
        drop(self.child.stdin.take());
        let rest = std::iter::from_fn(|| self.next()).fold(String::new(), |rest, line| rest + &line + "\n");
        let status = self.child.wait().expect("it is ours to wait for");
        assert!(status.success(), "{status}: {rest}");
        rest
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended by itself, as a rule.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The threads and files of a process.
#[derive(Debug)]
pub struct Facts {
    /// The name of its main thread, and so for a moment that of a thread which this one has started.
    pub main: String,
    /// The name of each of its threads.
    pub threads: Vec<String>,
    /// How many files it has open that stand for an epoll instance.
    pub epolls: usize,
}

impl Facts {
    fn of(process: &str) -> Self {
        let folder = |name: &str| {
            let path = format!("/proc/{process}/{name}");
            std::fs::read_dir(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
        };
        // A thread or a file may end while it is looked at.
        let threads =
            folder("task").filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
        let files = folder("fd").filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
        let main = std::fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
        Self {
            main: main.trim_end().to_owned(),
            threads: threads.map(|name| name.trim_end().to_owned()).collect(),
            epolls: files.filter(|file| file.to_string_lossy() == "anon_inode:[eventpoll]").count(),
        }
    }

    /// Asserts that nothing in the process waits for events but the one reactor of `combination`, and that it has no threads but its
    /// main one and ours: a foreign reactor has an epoll instance, and a thread to turn it.
    ///
    /// # Panics
    ///
    /// If there is.
    pub fn assert_native(&self, combination: &str) {
        let own = match combination.split('+').nth(1) {
            // The second one is a copy of the first, for those who register.
            Some("mio") => 2,
            Some("polling") => 1,
            _ => 0,
        };
        assert_eq!(self.epolls, own, "{combination}: {self:?}");
        let ours = |name: &str| name == self.main || name.starts_with("poly") && !name.contains("tokio");
        assert!(self.threads.iter().all(|name| ours(name)), "{combination}: {self:?}");
    }
}
