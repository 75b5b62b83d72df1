//! What a program says about polls that last: from when on, and who is told.
//!
//! Invariant: what the program says wins, then the variable `POLYLOOP_STALLS`, then the default. Whatever the
//! [`BlockPolicy`], stalls are named.

use crate::{BlockPolicy, BuildError, Builder};
pub use polyloop_blocking::stall::{Cause, Phase, Place, Stall, Syscall, What};
use polyloop_blocking::stall::{StallHook, Stalls};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The environment variable that says from when on a poll is a stall, for programs that say nothing themselves.
pub(crate) const STALLS: &str = "POLYLOOP_STALLS";

const THRESHOLD: Duration = Duration::from_millis(25);
pub(crate) const LEAST_THRESHOLD: Duration = Duration::from_millis(1);
pub(crate) const MOST_THRESHOLD: Duration = Duration::from_secs(60);

/// What the builder was told.
#[derive(Clone, Default)]
pub(crate) struct StallSettings {
    /// `None` is nothing, `Some(None)` is off.
    threshold: Option<Option<Duration>>,
    hook: Option<StallHook>,
}

impl StallSettings {
    /// What holds for a runtime.
    pub(crate) fn resolve(self, policy: BlockPolicy) -> Result<Stalls, BuildError> {
        let mut stalls = Stalls::default();
        stalls.threshold = match self.threshold {
            Some(threshold) => threshold,
            None => from_variable()?.unwrap_or(Some(THRESHOLD)),
        };
        stalls.hook = self.hook;
        stalls.detect = (policy == BlockPolicy::Detect).then_some(BlockPolicy::DETECT_AFTER);
        Ok(stalls)
    }
}

/// What the variable says, if it is set and not empty.
fn from_variable() -> Result<Option<Option<Duration>>, BuildError> {
    let Some(text) = std::env::var_os(STALLS) else { return Ok(None) };
    let text = text.to_string_lossy();
    if text.is_empty() {
        return Ok(None);
    }
    match parse(text.trim()) {
        Some(threshold) => Ok(Some(threshold)),
        None => Err(BuildError::stall_variable(&text)),
    }
}

/// `off`, or a time such as `50ms`, `1500us` or `1s`.
fn parse(text: &str) -> Option<Option<Duration>> {
    if text == "off" {
        return Some(None);
    }
    let time = |unit, of: fn(u64) -> Duration| Some(of(text.strip_suffix(unit)?.parse().ok()?));
    let time = time("ms", Duration::from_millis)
        .or_else(|| time("us", Duration::from_micros))
        .or_else(|| time("s", Duration::from_secs))?;
    is_allowed(time).then_some(Some(time))
}

fn is_allowed(threshold: Duration) -> bool {
    (LEAST_THRESHOLD..=MOST_THRESHOLD).contains(&threshold)
}

/// Stalls.
///
/// A poll that lasts keeps everything waiting that its thread should run, so it is reported, on every executor and under
/// every [`BlockPolicy`]: the name of the task and where it was spawned (or where `block_on` was called), how long so far, and where
/// the thread is. Once while it lasts, and once when it is over. What counts is time in which the thread was seen asleep or on
/// a processor: a thread that was ready and not let run, stopped or traced is to blame for nothing.
///
/// Blocking jobs, what a worker does in [`block_in_place`](crate::task::block_in_place), hooks, and wakers that are nobody's tasks
/// are no polls, and are not reported.
///
/// Reports go to [`on_stall`](Self::on_stall), else as lines to stderr: 5 in any minute in the whole process, and one that
/// says how many were left out, if need be when something is at work again. With the
/// feature `tracing` each is an event, too, at level WARN with the target `polyloop::stall`.
impl Builder {
    /// From when on a poll is reported as stalled, 1 ms to 1 minute; 25 ms unless said. `None` switches it off. The first
    /// report comes before the poll has lasted twice as long.
    ///
    /// On `fifo` nobody looks at the polls then, unless `block=detect` does: when long polls follow on many short ones, timers and
    /// sockets may wait for as many of them as [`fairness`](crate::Handle::fairness) says, and otherwise for one or two.
    ///
    /// Where the program says nothing, the environment variable `POLYLOOP_STALLS` does: `off`, or a time such as `50ms`, `1500us`
    /// or `1s`. A time out of range, and a variable that says something else, is an error of [`build`](Self::build).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let patient = polyloop::Builder::new().stall_threshold(Duration::from_millis(100)).build()?;
    /// let silent = polyloop::Builder::new().stall_threshold(None).build()?;
    /// # Ok::<(), polyloop::BuildError>(())
    /// ```
    #[must_use]
    pub fn stall_threshold(mut self, threshold: impl Into<Option<Duration>>) -> Self {
        let threshold = threshold.into();
        if let Some(wrong) = threshold.filter(|threshold| !is_allowed(*threshold)) {
            self.blame(BuildError::threshold(wrong));
        }
        self.stalls.threshold = Some(threshold);
        self
    }

    /// Called with each stall of this runtime, in place of the line on stderr: once while it lasts, and once when it is over.
    ///
    /// It runs on a thread that is this runtime's, `polyloop-stalls`, one report after the other, and may take its time: up to 256
    /// more wait meanwhile, and the hooks of other runtimes are called all the same. If the kernel refuses the thread, they wait until
    /// it gives one, also beyond the runtime's end; it is asked as long as anything in the process is at work and for a minute more,
    /// and again with the next work. A panic is contained, and counted
    /// in the [metrics](crate::RuntimeMetrics::contained_panics_count).
    ///
    /// # Examples
    ///
    /// ```
    /// use polyloop::stall::Phase;
    ///
    /// let runtime = polyloop::Builder::new()
    ///     .on_stall(|stall| {
    ///         if stall.phase == Phase::Over {
    ///             println!("{:?} for {:?}", stall.task.name, stall.lasted);
    ///         }
    ///     })
    ///     .build()?;
    /// # Ok::<(), polyloop::BuildError>(())
    /// ```
    #[must_use]
    pub fn on_stall(mut self, hook: impl Fn(&Stall) + Send + Sync + 'static) -> Self {
        self.stalls.hook = Some(Arc::new(hook));
        self
    }
}

impl fmt::Debug for StallSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StallSettings")
            .field("threshold", &self.threshold)
            .field("hook", &self.hook.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_poll_of_25_ms_is_a_stall_unless_something_else_is_said() {
        // Whoever runs the tests may have said something.
        let said = from_variable().unwrap().unwrap_or(Some(Duration::from_millis(25)));
        assert_eq!(StallSettings::default().resolve(BlockPolicy::None).unwrap().threshold, said);
    }

    #[test]
    fn the_variable_says_off_or_a_time_within_the_range() {
        let ms = |ms| Some(Some(Duration::from_millis(ms)));
        assert_eq!(
            (parse("off"), parse("50ms"), parse("1500us")),
            (Some(None), ms(50), Some(Some(Duration::from_micros(1500))))
        );
        assert_eq!((parse("1s"), parse("60s"), parse("1ms")), (ms(1_000), ms(60_000), ms(1)));
        for wrong in ["", "on", "0ms", "999us", "61s", "50", "ms", "-1ms", "1.5s", "99999999999999999999ms"] {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
    }
}
