//! Polls that last are named (C7), and nobody else is: [who is named](naming), [what is said on stderr](said), and that there are
//! no false [alarms]. A process of its own, because the monitor and the limit of lines are the process's.

#![forbid(unsafe_code)]

#[path = "../it/sentinel.rs"]
mod sentinel;
#[path = "../it/subjects.rs"]
mod subjects;

mod alarms;
mod children;
mod events;
mod naming;
mod said;

use rustix::time::{ClockId, clock_gettime};
use std::panic::Location;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

const THRESHOLD: Duration = Duration::from_millis(25);
const BLOCKED: Duration = Duration::from_millis(120);

/// Tests of one kind run one after the other, so that they do not disturb each other. Tests of other kinds may run beside them: whatever
/// those do to the machine, nobody else is named, and reports come in time.
struct Lane(Mutex<()>);

impl Lane {
    const fn new() -> Self {
        Self(Mutex::new(()))
    }

    fn enter(&self) -> MutexGuard<'_, ()> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn own_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

#[track_caller]
fn here() -> &'static Location<'static> {
    Location::caller()
}
