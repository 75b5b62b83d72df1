//! A line of the scheduler's state every so often, if the environment asks for it.
//!
//! Invariant: without the variable there is no thread, and nothing wakes up. With it each runtime has one, which ends when the
//! runtime does.

use super::{SchedulerDump, say};
use crate::Handle;
use crate::handle::WeakHandle;
use polyloop_core::time::Clock;
use polyloop_time::SystemClock;
use std::env::VarError;
use std::sync::{Arc, Condvar, Mutex, Once, PoisonError};
use std::time::Duration;

/// The environment variable that says how many milliseconds there are between two lines.
const VARIABLE: &str = "POLYLOOP_SCHEDTRACE";

/// The longest that it may say: a day.
const MOST: u64 = 24 * 3600 * 1000;

/// What the first line of a process is preceded by.
const LEGEND: &str = "\
# POLYLOOP_SCHEDTRACE: one line per runtime and period (docs/schedtrace.md)
#   SCHED <ms of the process>: <combination>
#   workers: tasks are run by so many, those that stand in for blocked ones included; idleworkers sleep, searching ones look for work
#   threads: those of the workers; relieved ones are still in the poll from which another relieved them, standby ones wait to relieve
#   tasks: not ended; jobs: blocking jobs that run; queuedjobs wait for a thread; jobthreads: threads for jobs
#   timers, files: armed and registered; turns of the driver, polls and steals so far
#   runqueue: ready tasks that no worker keeps; [in each worker's own queue]
";

/// The thread that writes, for as long as this is kept.
#[derive(Debug)]
pub(crate) struct Tracer(Arc<Stop>);

#[derive(Debug, Default)]
struct Stop {
    stopped: Mutex<bool>,
    bell: Condvar,
}

impl Tracer {
    /// Starts to write, if the environment says so. A value that is none is told on stderr, and nothing is written: whoever looks
    /// must not keep the program from running.
    pub(crate) fn from_env(handle: &Handle) -> Option<Self> {
        let period = match period(std::env::var(VARIABLE)) {
            Ok(period) => period?,
            Err(value) => {
                say(&format!(
                    "polyloop: {VARIABLE}={value:?} is no number of milliseconds, 1 to {MOST} or 0 for never; nothing is traced\n"
                ));
                return None;
            }
        };
        let stop = Arc::new(Stop::default());
        let (runtime, stopping) = (handle.downgrade(), Arc::clone(&stop));
        let thread = std::thread::Builder::new().name("polyloop-trace".to_owned());
        match thread.spawn(move || trace(&runtime, &stopping, period)) {
            Ok(_) => Some(Self(stop)),
            Err(error) => {
                say(&format!("polyloop: {VARIABLE}: no thread to trace with: {error}\n"));
                None
            }
        }
    }

    /// Nothing is written from now on, but for a line that is being written. Waits for nobody.
    pub(crate) fn stop(&self) {
        *self.0.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.bell.notify_all();
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// How often, if at all; or what was wrong. A variable that is empty is none.
fn period(value: Result<String, VarError>) -> Result<Option<Duration>, String> {
    let value = match value {
        Ok(value) => value,
        Err(VarError::NotPresent) => return Ok(None),
        Err(VarError::NotUnicode(value)) => return Err(value.to_string_lossy().into_owned()),
    };
    if value.is_empty() {
        return Ok(None);
    }
    match value.trim().parse() {
        Ok(0) => Ok(None),
        Ok(millis) if millis <= MOST => Ok(Some(Duration::from_millis(millis))),
        _ => Err(value),
    }
}

fn trace(runtime: &WeakHandle, stop: &Stop, period: Duration) {
    static LEGEND_TOLD: Once = Once::new();
    let mut next = SystemClock.now() + period;
    loop {
        {
            let mut stopped = stop.stopped.lock().unwrap_or_else(PoisonError::into_inner);
            let mut left = next - SystemClock.now();
            while !*stopped && !left.is_zero() {
                stopped = stop.bell.wait_timeout(stopped, left).unwrap_or_else(PoisonError::into_inner).0;
                left = next - SystemClock.now();
            }
            if *stopped {
                return;
            }
        }
        let Some(handle) = runtime.upgrade() else { return };
        let line = format!("{}\n", SchedulerDump::of(&handle));
        drop(handle);
        LEGEND_TOLD.call_once(|| say(LEGEND));
        say(&line);
        // Lines that would have been due while this one could not be written are left out.
        next = (next + period).max(SystemClock.now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_milliseconds_up_to_a_day() {
        let period = |value: &str| period(Ok(value.to_owned()));
        assert_eq!(period("100"), Ok(Some(Duration::from_millis(100))));
        assert_eq!(period(" 1 "), Ok(Some(Duration::from_millis(1))));
        assert_eq!(period("0"), Ok(None));
        assert_eq!(period("86400000"), Ok(Some(Duration::from_secs(86_400))));
        for wrong in [" ", "-1", "1.5", "100ms", "86400001", "99999999999999999999999"] {
            assert_eq!(period(wrong), Err(wrong.to_owned()));
        }
        assert_eq!(super::period(Err(VarError::NotPresent)), Ok(None));
        assert_eq!(period(""), Ok(None), "as if it were not set");
    }

    #[test]
    fn the_legend_explains_every_field_of_a_line() {
        let runtime = crate::Runtime::from_name("fifo+poll+heap").unwrap();
        let line = runtime.handle().scheduler_dump().to_string();
        for field in line.split(' ').filter_map(|word| word.split_once('=')) {
            assert!(LEGEND.contains(field.0), "{} is not in the legend", field.0);
        }
    }
}
