//! Lanes for what goes through this crate's hands: the main future, tasks, and the arms of joins and races.
//!
//! [`TIMELINE`] names the file; without it futures pass through untouched. There is one recording for the process, begun by the first
//! main future, and the end of every main future writes it anew.
//!
//! Invariant: a program does the same with its recording as without, also where the file cannot be written.

use futures::future::{Join, Join3, JoinAll};
use pin_project_lite::pin_project;
use polyloop_timeline::draw::LONGEST_LABEL;
use polyloop_timeline::{Log, Traced, nth};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Write};
use std::panic::Location;
use std::path::Path;
use std::pin::Pin;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::task::{Context, Poll};

/// The variable that names the file.
const TIMELINE: &str = "POLYLOOP_TIMELINE";

/// So many lanes a person looks through; further futures have none, and are counted.
const MOST_LANES: usize = 64;

/// What is written down, if the variable asks for it.
static RECORDER: LazyLock<Option<Recorder>> = LazyLock::new(|| {
    let file = std::env::var_os(TIMELINE).filter(|file| !file.is_empty())?;
    Some(Recorder { file, log: Log::new(true), given: Mutex::default(), writing: Mutex::default() })
});

struct Recorder {
    file: OsString,
    log: Log,
    given: Mutex<Given>,
    /// Held while the file is written: main futures of several threads may end at once.
    writing: Mutex<()>,
}

/// The labels that were given.
#[derive(Default)]
struct Given {
    /// How many there were of each kind: of main futures, tasks, races, …
    kinds: BTreeMap<&'static str, usize>,
    lanes: usize,
    unlabelled: usize,
}

pin_project! {
    /// A future, with a lane if there is a recording.
    #[derive(Debug)]
    #[project = Projected]
    pub enum Arm<F> {
        Untouched { #[pin] future: F },
        Traced { #[pin] future: Traced<F> },
    }
}

impl<F: Future> Future for Arm<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        match self.project() {
            Projected::Untouched { future } => future.poll(cx),
            Projected::Traced { future } => future.poll(cx),
        }
    }
}

impl Recorder {
    /// The number of the next one of this kind, counted from 1.
    fn next(&self, kind: &'static str) -> usize {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let number = given.kinds.entry(kind).or_default();
        *number += 1;
        *number
    }

    /// Gives `future` a lane, which is ready from now on, if there is room for one.
    fn lane<F: Future>(&self, label: &str, future: F) -> Arm<F> {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        if given.lanes == MOST_LANES {
            given.unlabelled += 1;
            return Arm::Untouched { future };
        }
        given.lanes += 1;
        Arm::Traced { future: self.log.task(label, future) }
    }

    fn write(&self, on: &str) {
        let _alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let unlabelled = self.given.lock().unwrap_or_else(PoisonError::into_inner).unlabelled;
        let Some(mut recording) = self.log.recording(on) else { return };
        recording.unlabelled = unlabelled;
        let file = Path::new(&self.file);
        if let Err(error) = recording.write(file) {
            // Nobody to tell if stderr is closed.
            let _ = writeln!(io::stderr(), "{TIMELINE}: {} cannot be written: {error}", file.display());
        }
    }
}

/// Writes the recording when it is dropped, so also when the main future panics.
pub(crate) struct Written {
    recorder: &'static Recorder,
    on: String,
}

impl Drop for Written {
    fn drop(&mut self) {
        self.recorder.write(&self.on);
    }
}

/// A main future, and what writes the recording when that has ended.
pub(crate) fn main<F: Future>(future: F, on: impl ToString) -> (Arm<F>, Option<Written>) {
    let Some(recorder) = RECORDER.as_ref() else { return (Arm::Untouched { future }, None) };
    let label = numbered("main", recorder.next("main"));
    (recorder.lane(&label, future), Some(Written { recorder, on: on.to_string() }))
}

/// A task's future, labelled by the place that spawns it.
#[track_caller]
pub(crate) fn task<F: Future>(future: F) -> Arm<F> {
    let Some(recorder) = RECORDER.as_ref() else { return Arm::Untouched { future } };
    let place = Location::caller();
    let number = recorder.next("task");
    recorder.lane(&task_label(number, place.file(), place.line()), future)
}

/// The file's name is left out where it doesn't fit.
fn task_label(number: usize, file: &str, line: u32) -> String {
    let name = Path::new(file).file_name().unwrap_or_default().to_string_lossy();
    let label = format!("task {number} ({name}:{line})");
    if label.chars().count() <= LONGEST_LABEL { label } else { format!("task {number} (line {line})") }
}

/// `race`, and `race#2` for the second one.
fn numbered(kind: &str, number: usize) -> String {
    if number == 1 { kind.to_owned() } else { format!("{kind}#{number}") }
}

/// The arms of one join or race, which are labelled one after the other.
#[derive(Debug)]
pub struct Arms {
    name: Option<String>,
    given: usize,
}

impl Arms {
    /// Those of the next `kind`.
    pub fn of(kind: &'static str) -> Self {
        let name = RECORDER.as_ref().map(|recorder| numbered(kind, recorder.next(kind)));
        Self { name, given: 0 }
    }

    /// The next arm.
    pub fn arm<F: Future>(&mut self, future: F) -> Arm<F> {
        match (RECORDER.as_ref(), &self.name) {
            (Some(recorder), Some(name)) => {
                self.given += 1;
                recorder.lane(&format!("{name} {}", nth(self.given)), future)
            }
            _ => Arm::Untouched { future },
        }
    }
}

/// Both futures of a race.
pub(crate) fn pair<A: Future, B: Future>(kind: &'static str, a: A, b: B) -> (Arm<A>, Arm<B>) {
    let mut arms = Arms::of(kind);
    (arms.arm(a), arms.arm(b))
}

/// Runs two futures side by side in the calling task, and gives what both came to.
pub fn join<A: Future, B: Future>(a: A, b: B) -> Join<Arm<A>, Arm<B>> {
    let (a, b) = pair("join", a, b);
    futures::future::join(a, b)
}

/// [`join`] for three.
pub fn join3<A: Future, B: Future, C: Future>(a: A, b: B, c: C) -> Join3<Arm<A>, Arm<B>, Arm<C>> {
    let mut arms = Arms::of("join3");
    futures::future::join3(arms.arm(a), arms.arm(b), arms.arm(c))
}

/// [`join`] for any number of one type.
pub fn join_all<I>(futures: I) -> JoinAll<Arm<I::Item>>
where
    I: IntoIterator,
    I::Item: Future,
{
    let mut arms = Arms::of("join_all");
    futures::future::join_all(futures.into_iter().map(|future| arms.arm(future)))
}

/// [`join`](fn@join) for any number of futures of different types: `trpl::join!(a, b, c)` is a tuple of what they came to.
#[macro_export]
macro_rules! join {
    ($($future:expr),* $(,)?) => {{
        let mut arms = $crate::__private::Arms::of("join!");
        $crate::__private::futures::join!($(arms.arm($future)),*)
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_fits_and_says_the_place() {
        for (number, file, expected) in [
            (1, "src/main.rs", "task 1 (main.rs:12)"),
            (12, "a/b/sleep_blocking_run.rs", "task 12 (line 12)"),
            (3, "", "task 3 (:12)"),
        ] {
            assert_eq!(task_label(number, file, 12), expected);
        }
        assert_eq!([1, 2].map(|number| numbered("race", number)), ["race", "race#2"]);
    }
}
