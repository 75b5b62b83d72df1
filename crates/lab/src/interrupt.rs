//! Ctrl-C: the first one stops the run, which then writes what it has; the second one ends the process at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether somebody pressed Ctrl-C.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

/// What a shell expects after SIGINT.
pub(crate) const EXIT: u8 = 130;

impl Interrupt {
    /// Takes over SIGINT and SIGTERM.
    pub(crate) fn install() -> io::Result<Self> {
        let interrupt = Self::default();
        #[cfg(unix)]
        for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
            use signal_hook::flag;
            // In this order: the exit sees the flag that an earlier signal has set.
            flag::register_conditional_shutdown(signal, i32::from(EXIT), Arc::clone(&interrupt.0))?;
            flag::register(signal, Arc::clone(&interrupt.0))?;
        }
        Ok(interrupt)
    }

    /// Whether the run is to stop.
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
