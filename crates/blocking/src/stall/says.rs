//! What a stall reads like.
//!
//! Invariant: one line, which names the culprit first.

use super::{Cause, Phase, Place, Stall, Syscall, What};
use std::fmt;

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.what {
            What::Task => write!(f, "task {}", self.task)?,
            What::BlockOn => write!(f, "the future of `block_on` at {}", self.task.location)?,
        }
        let thread = self.thread.as_deref().unwrap_or("without a name");
        match self.phase {
            Phase::Lasting => write!(
                f,
                " has been in one poll for {:.1?}, thread {thread} {}: it runs nothing else meanwhile",
                self.lasted,
                Doing(self)
            ),
            Phase::Over => {
                write!(f, " was in one poll for {:.1?} altogether, on thread {thread}", self.lasted)
            }
        }
    }
}

/// What the thread does, and where.
struct Doing<'a>(&'a Stall);

impl fmt::Display for Doing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stall { cause, place, .. } = self.0;
        match cause {
            Cause::Blocked => write!(f, "blocked in {place}"),
            // Between two stretches of work it may have been seen anywhere.
            Cause::Computing if place.syscall.is_none() => f.write_str("computing"),
            Cause::Computing => write!(f, "computing, just now in {place}"),
            Cause::Unknown => f.write_str("blocked or computing (this system does not tell)"),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.syscall, self.wait.as_deref()) {
            (Some(syscall), Some(wait)) => write!(f, "{syscall} ({wait})"),
            (Some(syscall), None) => syscall.fmt(f),
            (None, Some(wait)) => write!(f, "the kernel ({wait})"),
            (None, None) => f.write_str("the kernel (where is unknown)"),
        }
    }
}

impl fmt::Display for Syscall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name {
            Some(name) => f.write_str(name),
            None => write!(f, "system call {}", self.number),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use polyloop_core::Meta;
    use std::panic::Location;
    use std::time::Duration;

    #[test]
    fn the_line_names_task_place_and_duration() {
        let mut task = Meta::new(Location::caller());
        let line = line!() - 1;
        task.name = Some("nap".into());
        let mut stall = Stall {
            what: What::Task,
            task,
            phase: Phase::Lasting,
            lasted: Duration::from_millis(27),
            cause: Cause::Blocked,
            thread: Some("poly-worker-0".into()),
            place: Place {
                syscall: Some(Syscall { number: 230, name: Some("clock_nanosleep") }),
                wait: Some("hrtimer_nanosleep".into()),
            },
        };
        let at = format!("spawned at {}:{line}:", file!());
        let said = stall.to_string();
        assert!(said.starts_with(&format!("task `nap` {at}")), "{said}");
        assert!(
            said.contains("27.0ms, thread poly-worker-0 blocked in clock_nanosleep (hrtimer_nanosleep)"),
            "{said}"
        );
        stall.place = Place::default();
        assert!(stall.to_string().contains("blocked in the kernel (where is unknown)"));
        stall.place.syscall = Some(Syscall { number: 999, name: None });
        assert!(stall.to_string().contains("blocked in system call 999:"));
        (stall.phase, stall.what) = (Phase::Over, What::BlockOn);
        let said = stall.to_string();
        assert!(
            said.starts_with("the future of `block_on` at ") && said.contains("27.0ms altogether"),
            "{said}"
        );
    }
}
