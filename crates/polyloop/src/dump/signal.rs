//! Dumps of a running process, by a signal from outside.
//!
//! Invariant: the handler of the signal writes one byte into a socket and nothing else. The thread that reads it waits in the
//! kernel, and wakes up for nothing but that.

use super::{all, say};
use signal_hook::consts::FORBIDDEN;
use signal_hook::low_level::pipe;
use std::fmt::Write as _;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};

/// What the handlers write into, and the signals that have one.
struct Bell {
    ring: UnixStream,
    signals: Vec<i32>,
}

static BELL: Mutex<Option<Bell>> = Mutex::new(None);

/// From now on the signal of this number, as in `kill -USR1 PID`, has the process write a [`Dump`](super::Dump) of each of its
/// runtimes to stderr, for as long as it lives. Nothing is installed unless a program calls this. A second call with the same
/// number does nothing; several numbers may be given. Other handlers of the signal that were installed through `signal-hook`
/// are called, too.
///
/// Starts one thread, which sleeps until the signal comes. A handler and a thread of which nobody knows what they will wake are the end of
/// certain [deadlocks](crate::Deadlock): none is told any more, but the dump shows who waits.
///
/// # Errors
///
/// [`InvalidInput`](io::ErrorKind::InvalidInput) for a number that is no signal, or one that no program may or should catch
/// (`SIGKILL`, `SIGSTOP`, `SIGILL`, `SIGFPE`, `SIGSEGV`); the kernel's word, if there is no thread or no socket.
///
/// # Examples
///
/// ```
/// // SIGUSR1 on Linux; a crate such as `libc` or `signal-hook` has the numbers by name.
/// polyloop::dump::on_signal(10)?;
/// assert!(polyloop::dump::on_signal(9).is_err(), "nobody catches SIGKILL");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn on_signal(signal: i32) -> io::Result<()> {
    if FORBIDDEN.contains(&signal) {
        let error = format!("signal {signal} cannot be caught, or must not be");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, error));
    }
    let mut bell = BELL.lock().unwrap_or_else(PoisonError::into_inner);
    let bell = match &mut *bell {
        Some(bell) => bell,
        None => bell.insert(hang()?),
    };
    if !bell.signals.contains(&signal) {
        pipe::register(signal, bell.ring.try_clone()?)?;
        bell.signals.push(signal);
    }
    Ok(())
}

/// Makes the bell and starts the thread that listens to it.
fn hang() -> io::Result<Bell> {
    let (ring, heard) = UnixStream::pair()?;
    std::thread::Builder::new().name("polyloop-dump".to_owned()).spawn(move || listen(heard))?;
    Ok(Bell { ring, signals: Vec::new() })
}

fn listen(mut heard: UnixStream) {
    // Several signals that come while one is answered are answered once.
    let mut rings = [0; 64];
    loop {
        match heard.read(&mut rings) {
            Ok(0) => return,
            Ok(_) => tell(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

fn tell() {
    let dumps = all();
    let mut text = format!("polyloop: {} in process {}\n", number(dumps.len()), std::process::id());
    for dump in dumps {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{dump}");
    }
    say(&text);
}

fn number(runtimes: usize) -> String {
    format!("{runtimes} runtime{}", if runtimes == 1 { "" } else { "s" })
}
