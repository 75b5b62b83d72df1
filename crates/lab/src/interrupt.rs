//! Ctrl-C: the first one stops the run, which then writes what it has; the second one ends the process at once. A terminal that is
//! closed stops it in the same way, except under `nohup`.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether somebody pressed Ctrl-C.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

/// What a shell expects after SIGINT.
pub(crate) const EXIT: u8 = 130;

impl Interrupt {
    /// Takes over SIGINT and SIGTERM, and SIGHUP unless it is ignored.
    pub(crate) fn install() -> io::Result<Self> {
        let interrupt = Self::default();
        #[cfg(unix)]
        {
            use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
            use signal_hook::flag;
            for signal in [SIGINT, SIGTERM] {
                // In this order: the exit sees the flag that an earlier signal has set.
                flag::register_conditional_shutdown(signal, i32::from(EXIT), Arc::clone(&interrupt.0))?;
                flag::register(signal, Arc::clone(&interrupt.0))?;
            }
            // It comes twice, from the shell and from the kernel; the second one must not end the process.
            if !is_ignored(SIGHUP) {
                flag::register(SIGHUP, Arc::clone(&interrupt.0))?;
            }
        }
        Ok(interrupt)
    }

    /// Whether the run is to stop.
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Whether whoever started this process had it ignore a signal, as `nohup` does. Where the system does not tell, nobody did.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask & 1 << (signal - 1) != 0
}
