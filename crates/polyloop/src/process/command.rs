//! What is to be run, and how.

use super::reap::Orphan;
use super::{Child, ExitStatus, Output, Stdio};
use crate::Handle;
use std::ffi::OsStr;
use std::fmt;
use std::future::Future;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command as Std;

/// What is to be run, and how; see [the module](super).
///
/// Unless said otherwise a child inherits this process's streams, environment and directory.
pub struct Command {
    std: Std,
    kill_on_drop: bool,
    /// Whether a pidfd is tried; not, in tests of what is done without.
    pub(super) pidfd: bool,
}

/// Setters that the command of `std` has, too.
macro_rules! setters {
    ($($(#[$doc:meta])+ $name:ident $(<$($of:ident: $bound:path),+>)? ($($argument:ident: $type:ty),*);)*) => { $(
        $(#[$doc])+
        pub fn $name$(<$($of: $bound),+>)?(&mut self, $($argument: $type),*) -> &mut Self {
            self.std.$name($($argument),*);
            self
        }
    )* };
}

impl Command {
    /// Runs `program`, which is looked for in `PATH` unless it has a slash.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Std::new(program).into()
    }

    setters! {
        /// Adds an argument.
        arg<S: AsRef<OsStr>>(arg: S);
        /// Leaves a variable out of the environment.
        env_remove<K: AsRef<OsStr>>(key: K);
        /// Leaves all variables out that are not set here.
        env_clear();
        /// Where it runs.
        current_dir<P: AsRef<Path>>(directory: P);
        /// What it reads.
        stdin<T: Into<Stdio>>(stdin: T);
        /// Where it writes to.
        stdout<T: Into<Stdio>>(stdout: T);
        /// Where it writes its errors to.
        stderr<T: Into<Stdio>>(stderr: T);
        /// The user that it runs as.
        uid(id: u32);
        /// The group that it runs as.
        gid(id: u32);
        /// The name by which it is called, argument number 0.
        arg0<S: AsRef<OsStr>>(arg: S);
        /// The process group that it is in; 0 for one of its own.
        process_group(group: i32);
    }

    /// Adds arguments.
    pub fn args<S: AsRef<OsStr>>(&mut self, args: impl IntoIterator<Item = S>) -> &mut Self {
        self.std.args(args);
        self
    }

    /// Sets a variable of the environment.
    pub fn env(&mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.std.env(key, value);
        self
    }

    /// Sets variables of the environment.
    pub fn envs<K: AsRef<OsStr>, V: AsRef<OsStr>>(
        &mut self,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> &mut Self {
        self.std.envs(variables);
        self
    }

    /// Whether the child is killed when its [`Child`] is dropped before its end was seen; false unless said. So a future that is
    /// given up, by a timeout, say, leaves no process behind.
    pub fn kill_on_drop(&mut self, kill: bool) -> &mut Self {
        self.kill_on_drop = kill;
        self
    }

    /// What [`kill_on_drop`](Self::kill_on_drop) says.
    pub fn get_kill_on_drop(&self) -> bool {
        self.kill_on_drop
    }

    /// The command of the standard library.
    pub fn as_std(&self) -> &Std {
        &self.std
    }

    /// The command of the standard library, to set what cannot be set here.
    pub fn as_std_mut(&mut self) -> &mut Std {
        &mut self.std
    }

    /// The command of the standard library.
    pub fn into_std(self) -> Std {
        self.std
    }

    /// Runs it, on the current runtime.
    ///
    /// # Errors
    ///
    /// The kernel's word, such as that there is no such program; and that there is no runtime here, or that it has shut down: then
    /// nothing is run. Where only the child's pipes cannot be watched, it is killed.
    pub fn spawn(&mut self) -> io::Result<Child> {
        let handle = Handle::try_current()?;
        if handle.is_shut_down() {
            return Err(io::Error::other("the runtime has shut down: no child is run on it"));
        }
        super::reap::reap_all();
        let std = Orphan::new(self.std.spawn()?);
        Child::of(std, handle, self.kill_on_drop, self.pidfd)
    }

    /// Runs it at once, and waits for its end; its pipes, if it has any, are closed.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn) and [`Child::wait`].
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: the child goes on or is killed, as [`kill_on_drop`](Self::kill_on_drop) says.
    pub fn status(&mut self) -> impl Future<Output = io::Result<ExitStatus>> + use<> {
        let child = self.spawn();
        async {
            let mut child = child?;
            drop((child.stdin.take(), child.stdout.take(), child.stderr.take()));
            child.wait().await
        }
    }

    /// Runs it at once, and waits for its end and what it writes, of which it keeps all.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn) and [`Child::wait_with_output`].
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: as [`status`](Self::status), and what was read is lost.
    pub fn output(&mut self) -> impl Future<Output = io::Result<Output>> + use<> {
        self.std.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = self.spawn();
        async { child?.wait_with_output().await }
    }
}

impl From<Std> for Command {
    fn from(std: Std) -> Self {
        Self { std, kill_on_drop: false, pidfd: true }
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Command");
        debug.field("std", &self.std).field("kill_on_drop", &self.kill_on_drop).finish_non_exhaustive()
    }
}
