//! Signals by kind.
//!
//! Invariant: a handler writes one byte into a socket that does not block, and nothing else; so signals that come while nobody reads are
//! told as one, and none is told that did not come.

use crate::net::unix::UnixStream;
use crate::net::{ByteStream, Context as Net};
use signal_hook::SigId;
use signal_hook::consts::{FORBIDDEN, signal as numbers};
use signal_hook::low_level::{pipe, unregister};
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::os::raw::c_int;
use std::os::unix::net::UnixStream as Std;
use std::task::{Context, Poll, ready};

/// Which signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SignalKind(c_int);

/// Signals by name.
macro_rules! kinds {
    ($($(#[$doc:meta])+ $name:ident = $number:ident;)*) => {
        impl SignalKind {
            $(
                $(#[$doc])+
                pub const fn $name() -> Self {
                    Self(numbers::$number)
                }
            )*
        }
    };
}

kinds! {
    /// `SIGALRM`: a timer of the process. Ends it by default.
    alarm = SIGALRM;
    /// `SIGCHLD`: a child has stopped or ended. Ignored by default; [`process`](crate::process) does without.
    child = SIGCHLD;
    /// `SIGHUP`: the terminal is gone; daemons reload by it. Ends the process by default.
    hangup = SIGHUP;
    /// `SIGINT`: Ctrl-C. Ends the process by default.
    interrupt = SIGINT;
    /// `SIGIO`: a file is ready. Ends the process by default.
    io = SIGIO;
    /// `SIGPIPE`: nobody reads a pipe. Rust programs ignore it.
    pipe = SIGPIPE;
    /// `SIGQUIT`: Ctrl-\. Ends the process with a core dump by default.
    quit = SIGQUIT;
    /// `SIGTERM`: please end. Ends the process by default.
    terminate = SIGTERM;
    /// `SIGUSR1`: the program's own. Ends the process by default.
    user_defined1 = SIGUSR1;
    /// `SIGUSR2`: the program's own. Ends the process by default.
    user_defined2 = SIGUSR2;
    /// `SIGWINCH`: the terminal has another size. Ignored by default.
    window_change = SIGWINCH;
}

impl SignalKind {
    /// The signal of this number; whether it can be listened to, [`signal`] says.
    pub const fn from_raw(number: c_int) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn as_raw_value(&self) -> c_int {
        self.0
    }
}

impl From<c_int> for SignalKind {
    fn from(number: c_int) -> Self {
        Self(number)
    }
}

impl From<SignalKind> for c_int {
    fn from(kind: SignalKind) -> Self {
        kind.0
    }
}

/// Listens to a signal from now on, on the current runtime.
///
/// # Errors
///
/// `InvalidInput` for what no program may or should catch (`SIGKILL`, `SIGSTOP`, `SIGILL`, `SIGFPE`, `SIGSEGV`); the kernel's word, for
/// a number that is no signal too; and that there is no runtime here, or that it has shut down.
///
/// # Examples
///
/// ```no_run
/// # async fn f() -> std::io::Result<()> {
/// use polyloop::signal::unix::{SignalKind, signal};
///
/// let mut hangup = signal(SignalKind::hangup())?;
/// while hangup.recv().await.is_some() {
///     println!("reading the configuration again");
/// }
/// # Ok(())
/// # }
/// ```
pub fn signal(kind: SignalKind) -> io::Result<Signal> {
    if FORBIDDEN.contains(&kind.0) {
        let error = format!("signal {} cannot be caught, or must not be", kind.0);
        return Err(io::Error::new(io::ErrorKind::InvalidInput, error));
    }
    let (heard, ring) = Std::pair()?;
    // Before the handler, which outlives a failure for good.
    let heard = UnixStream::from_std_on(&Net::current()?, heard)?;
    let id = pipe::register(kind.0, ring)?;
    Ok(Signal { kind, heard, id })
}

/// Hears of a signal; see [`signal`]. Each one hears of all, and signals that come while nobody listens count as one.
///
/// It belongs to the runtime that it was made on, and may be used from any other as long as that is driven.
pub struct Signal {
    kind: SignalKind,
    heard: UnixStream,
    id: SigId,
}

impl Signal {
    /// Waits for the signal. `None` once the runtime that it was made on has shut down.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a signal that was not told is told by the next call.
    pub async fn recv(&mut self) -> Option<()> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    /// As [`recv`](Self::recv).
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<()>> {
        self.poll_next(cx).map(Result::ok)
    }

    /// As [`recv`](Self::recv), with the reason why there are no more.
    ///
    /// # Errors
    ///
    /// That the runtime has shut down.
    ///
    /// # Cancel safety
    ///
    /// As there.
    pub async fn next(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut rings = [0; 64];
        // The end cannot come: the handler has the other end as long as this is there.
        ready!(ByteStream::poll_read(&self.heard, cx, &mut rings))?;
        // Whatever has come by now is one event.
        while self.heard.try_read(&mut rings).is_ok_and(|n| n == rings.len()) {}
        Poll::Ready(Ok(()))
    }
}

impl Drop for Signal {
    fn drop(&mut self) {
        // The handler's end of the socket is closed with it.
        unregister(self.id);
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signal").field("kind", &self.kind).finish_non_exhaustive()
    }
}
