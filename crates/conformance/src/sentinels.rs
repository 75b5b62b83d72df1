//! A clock for bounds in real time, which stands still for as long as the machine lets nobody run.
//!
//! Invariant: *what is counted is time in which the program could have acted and did not*. A tick is a millisecond in which a
//! thread that only sleeps was let run again; there are several such threads, and the slowest counts. From what has passed
//! the time is subtracted that threads of the program were ready and waited for a processor, which Linux counts. On an idle
//! machine both are nothing, and the bound is one in time; on a busy one no luck is needed. A wake-up that is missing is no
//! excuse: who is not woken is not ready.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const TICK: Duration = Duration::from_millis(1);

/// The ticks that are in 20 ms, as they can be counted: one is under way at the beginning, and each comes a little late.
pub const TICKS_IN_20_MS: u64 = 18;

/// The threads that tick; they end when this is dropped.
#[derive(Debug)]
pub struct Sentinels {
    stop: Arc<AtomicBool>,
    clock: Ticks,
    threads: Vec<JoinHandle<()>>,
}

/// Reads the clock.
#[derive(Clone, Debug)]
pub struct Ticks(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Of each sentinel.
    ticks: Vec<AtomicU64>,
    /// The threads whose waiting excuses nothing.
    ignored: Mutex<HashSet<String>>,
}

/// What the clock shows at one moment.
#[derive(Clone, Debug)]
pub struct Moment {
    ticks: Vec<u64>,
    /// For how long each thread of the process has waited for a processor so far, in nanoseconds.
    waited: HashMap<String, u64>,
}

impl Sentinels {
    /// Starts so many: as many as there are workers.
    pub fn start(count: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let ticks = (0..count).map(|_| AtomicU64::new(0)).collect();
        let clock = Ticks(Arc::new(Shared { ticks, ignored: Mutex::default() }));
        let start = |index: usize| {
            let (stopped, clock) = (stop.clone(), clock.clone());
            thread::spawn(move || {
                clock.ignore_this_thread();
                while !stopped.load(SeqCst) {
                    thread::park_timeout(TICK);
                    clock.0.ticks[index].fetch_add(1, SeqCst);
                }
            })
        };
        let threads = (0..count).map(start).collect();
        Self { stop, clock, threads }
    }

    /// Their clock.
    pub fn clock(&self) -> Ticks {
        self.clock.clone()
    }
}

impl Ticks {
    /// Now.
    pub fn now(&self) -> Moment {
        Moment {
            ticks: self.0.ticks.iter().map(|ticks| ticks.load(SeqCst)).collect(),
            waited: waited_for_a_processor(),
        }
    }

    /// How many ticks have passed since, without those in which threads of this process waited for a processor.
    pub fn since(&self, before: &Moment) -> u64 {
        self.between(before, &self.now())
    }

    /// The same for two moments, of which `now` is the later one.
    pub fn between(&self, before: &Moment, now: &Moment) -> u64 {
        let passed = now.ticks.iter().zip(&before.ticks).map(|(now, before)| now.saturating_sub(*before));
        let passed = passed.min().unwrap_or_default();
        let ignored = self.0.ignored.lock().unwrap_or_else(PoisonError::into_inner);
        let lost = lost(&before.waited, &now.waited, &ignored);
        passed.saturating_sub(u64::try_from(Duration::from_nanos(lost).as_millis()).unwrap_or(u64::MAX))
    }

    /// That the calling thread waits for a processor excuses nothing from here on: it is no help to anybody.
    pub fn ignore_this_thread(&self) {
        let Ok(own) = std::fs::read_link("/proc/thread-self") else { return };
        let Some(own) = own.file_name() else { return };
        let mut ignored = self.0.ignored.lock().unwrap_or_else(PoisonError::into_inner);
        ignored.insert(own.to_string_lossy().into_owned());
    }
}

/// How much longer the threads have waited now than before, those left out that are ignored; in nanoseconds.
fn lost(before: &HashMap<String, u64>, now: &HashMap<String, u64>, ignored: &HashSet<String>) -> u64 {
    let counted = now.iter().filter(|(thread, _)| !ignored.contains(*thread));
    counted
        .map(|(thread, waited)| waited.saturating_sub(before.get(thread).copied().unwrap_or_default()))
        .sum()
}

/// By thread; empty where the system does not tell.
fn waited_for_a_processor() -> HashMap<String, u64> {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else { return HashMap::new() };
    let of = |entry: std::fs::DirEntry| {
        let schedstat = std::fs::read_to_string(entry.path().join("schedstat")).ok()?;
        let waited = schedstat.split_whitespace().nth(1)?.parse().ok()?;
        Some((entry.file_name().to_string_lossy().into_owned(), waited))
    };
    threads.filter_map(|entry| of(entry.ok()?)).collect()
}

impl Drop for Sentinels {
    fn drop(&mut self) {
        self.stop.store(true, SeqCst);
        for thread in self.threads.drain(..) {
            // It can only have panicked by an overflow.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_decides() {
        let ticks = vec![AtomicU64::new(5), AtomicU64::new(7)];
        let clock = Ticks(Arc::new(Shared { ticks, ignored: Mutex::default() }));
        let before = clock.now();
        clock.0.ticks[0].store(900, SeqCst);
        assert_eq!(clock.since(&before), 0);
        clock.0.ticks[1].store(900_000, SeqCst);
        assert!(clock.since(&before) <= 895);
    }

    #[test]
    fn it_ticks_as_long_as_threads_run() {
        let sentinels = Sentinels::start(2);
        let (clock, before) = (sentinels.clock(), sentinels.clock().now());
        while clock.since(&before) < 3 {
            thread::park_timeout(TICK);
        }
    }

    #[test]
    fn what_threads_wait_for_a_processor_is_lost_unless_they_are_ignored() {
        let of = |waited: &[(&str, u64)]| {
            waited.iter().map(|(thread, waited)| ((*thread).to_owned(), *waited)).collect::<HashMap<_, _>>()
        };
        let before = of(&[("worker", 10), ("blocker", 10), ("ended", 10)]);
        let now = of(&[("worker", 15), ("blocker", 500), ("new", 3)]);
        assert_eq!(lost(&before, &now, &HashSet::from(["blocker".to_owned()])), 5 + 3);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_system_tells_of_this_thread() {
        let clock = Ticks(Arc::new(Shared { ticks: Vec::new(), ignored: Mutex::default() }));
        clock.ignore_this_thread();
        let ignored = clock.0.ignored.lock().unwrap();
        let own = ignored.iter().next().expect("this thread is ignored");
        assert!(clock.now().waited.contains_key(own));
    }
}
