//! A clock for bounds in real time, which stands still for as long as the machine lets nobody run.
//!
//! Invariant: *what is counted is time in which the program could have acted and did not*. A tick is a millisecond in which a
//! thread that only sleeps was let run again; there are several such threads, and the slowest counts. From what has passed
//! the time is subtracted in which any thread of the program was ready and waited for a processor, which Linux counts. On an idle
//! machine both are nothing, and the bound is one in time; on a busy one no luck is needed. A wake-up that is missing is no
//! excuse: who is not woken is not ready.
//!
//! That time is the union of the threads' waits. Their sum would be more than has passed where several wait at once, and would
//! excuse everything; the longest is too little where one thread wakes the next and each waits in its turn. A total for each
//! thread gives no union, so a further thread looks once a tick at who has waited, and so does whoever asks for the moment.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

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
    ignored: Mutex<Arc<HashSet<String>>>,
    begun: Instant,
    waits: Mutex<Waits>,
}

/// When threads waited for a processor, as everybody saw who looked. Locked for no longer than it takes to add
/// or copy something: whoever is put aside with the lock makes others wait, which nobody counts.
#[derive(Debug)]
struct Waits {
    /// In the order of their ends; they may overlap.
    stretches: Vec<Stretch>,
    last: Arc<Look>,
}

/// From when to when somebody waited, by the time since the clock began.
type Stretch = (Duration, Duration);

/// For how long each thread of the process had waited for a processor at one moment.
#[derive(Debug)]
struct Look {
    at: Duration,
    waited: HashMap<String, Duration>,
}

/// What the clock shows at one moment.
#[derive(Clone, Debug)]
pub struct Moment {
    /// Before the ticks were read, and when it was looked after that: so nothing is lost in between.
    begun: Duration,
    looked: Duration,
    ticks: Vec<u64>,
}

impl Sentinels {
    /// Starts so many: as many as there are workers.
    pub fn start(count: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let clock = Ticks::new(count);
        let start = |each_tick: Box<dyn Fn(&Ticks) + Send>| {
            let (stopped, clock) = (stop.clone(), clock.clone());
            thread::spawn(move || {
                clock.ignore_this_thread();
                while !stopped.load(SeqCst) {
                    thread::park_timeout(TICK);
                    each_tick(&clock);
                }
            })
        };
        let mut threads = vec![start(Box::new(|clock| _ = clock.watch()))];
        for index in 0..count {
            threads.push(start(Box::new(move |clock| _ = clock.0.ticks[index].fetch_add(1, SeqCst))));
        }
        Self { stop, clock, threads }
    }

    /// Their clock.
    pub fn clock(&self) -> Ticks {
        self.clock.clone()
    }
}

impl Ticks {
    #[expect(clippy::disallowed_methods, reason = "how long the machine lets nobody run is real time")]
    fn new(sentinels: usize) -> Self {
        let last = Arc::new(Look { at: Duration::ZERO, waited: waited_for_a_processor() });
        Self(Arc::new(Shared {
            ticks: (0..sentinels).map(|_| AtomicU64::new(0)).collect(),
            ignored: Mutex::default(),
            begun: Instant::now(),
            waits: Mutex::new(Waits { stretches: Vec::new(), last }),
        }))
    }

    /// Now.
    pub fn now(&self) -> Moment {
        let begun = self.0.begun.elapsed();
        let ticks = self.0.ticks.iter().map(|ticks| ticks.load(SeqCst)).collect();
        Moment { begun, looked: self.watch(), ticks }
    }

    /// How many ticks have passed since, without those in which threads of this process waited for a processor.
    pub fn since(&self, before: &Moment) -> u64 {
        self.between(before, &self.now())
    }

    /// The same for two moments, of which `now` is the later one.
    pub fn between(&self, before: &Moment, now: &Moment) -> u64 {
        let passed = now.ticks.iter().zip(&before.ticks).map(|(now, before)| now.saturating_sub(*before));
        let passed = passed.min().unwrap_or_default();
        let stretches = {
            let all = &lock(&self.0.waits).stretches;
            all[all.partition_point(|stretch| stretch.1 <= before.begun)..].to_vec()
        };
        let lost = union(&stretches, before.begun, now.looked);
        passed.saturating_sub(u64::try_from(lost.as_millis()).unwrap_or(u64::MAX))
    }

    fn ignored(&self) -> Arc<HashSet<String>> {
        lock(&self.0.ignored).clone()
    }

    /// Notes who has waited since the last look, whosever that was; when it looked.
    fn watch(&self) -> Duration {
        let waited = waited_for_a_processor();
        let look = Arc::new(Look { at: self.0.begun.elapsed(), waited });
        let mut last = lock(&self.0.waits).last.clone();
        // A later look of another thread has seen all that this one has.
        while last.at < look.at {
            let stretch = look.stretch_since(&last, &self.ignored());
            let mut waits = lock(&self.0.waits);
            if Arc::ptr_eq(&waits.last, &last) {
                waits.stretches.extend(stretch);
                waits.last = Arc::clone(&look);
                break;
            }
            last = waits.last.clone();
        }
        look.at
    }

    /// That the calling thread waits for a processor excuses nothing from here on: it is no help to anybody.
    pub fn ignore_this_thread(&self) {
        let Ok(own) = std::fs::read_link("/proc/thread-self") else { return };
        let Some(own) = own.file_name() else { return };
        Arc::make_mut(&mut lock(&self.0.ignored)).insert(own.to_string_lossy().into_owned());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Look {
    /// When threads have waited since `before`. A wait is counted once it is over, so it ended now or since the look before. Of a
    /// thread that was not seen there it is not known since when it waits: it is taken for a new one.
    fn stretch_since(&self, before: &Self, ignored: &HashSet<String>) -> Option<Stretch> {
        let counted = self.waited.iter().filter(|(thread, _)| !ignored.contains(*thread));
        let passed = self.at - before.at;
        let waits = counted.map(|(thread, waited)| match before.waited.get(thread) {
            Some(before) => waited.saturating_sub(*before),
            None => (*waited).min(passed),
        });
        let (longest, sum): (Duration, Duration) =
            waits.fold(Default::default(), |(longest, sum), wait| (longest.max(wait), sum + wait));
        // Between two looks nobody knows whether they waited at once or one after the other.
        let lost = sum.min(passed).max(longest);
        (!lost.is_zero()).then(|| (self.at.saturating_sub(lost), self.at))
    }
}

/// How much of the time between the two lies in any of the stretches, which are in the order of their ends.
fn union(stretches: &[Stretch], from: Duration, to: Duration) -> Duration {
    let (mut length, mut counted_from) = (Duration::ZERO, to);
    for &(begun, ended) in stretches.iter().rev() {
        let (begun, ended) = (begun.max(from), ended.min(counted_from));
        length += ended.saturating_sub(begun);
        counted_from = counted_from.min(begun);
    }
    length
}

/// By thread; empty where the system does not tell.
fn waited_for_a_processor() -> HashMap<String, Duration> {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else { return HashMap::new() };
    let of = |entry: std::fs::DirEntry| {
        let schedstat = std::fs::read_to_string(entry.path().join("schedstat")).ok()?;
        let waited = schedstat.split_whitespace().nth(1)?.parse().ok()?;
        Some((entry.file_name().to_string_lossy().into_owned(), Duration::from_nanos(waited)))
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
        let clock = Ticks::new(2);
        clock.0.ticks[1].store(2, SeqCst);
        let before = clock.now();
        clock.0.ticks[0].store(900, SeqCst);
        assert_eq!(clock.since(&before), 0);
        clock.0.ticks[1].store(900_000, SeqCst);
        assert!(clock.since(&before) <= 900);
    }

    #[test]
    fn it_ticks_as_long_as_threads_run() {
        let sentinels = Sentinels::start(2);
        let (clock, before) = (sentinels.clock(), sentinels.clock().now());
        while clock.since(&before) < 3 {
            thread::park_timeout(TICK);
        }
    }

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Each look: when, and what the threads have waited by then, in ms. What is lost from the first to the last of these.
    fn lost(looks: &[(u64, &[(&str, u64)])]) -> Duration {
        let ignored = HashSet::from(["blocker".to_owned()]);
        let looks = looks.iter().map(|(at, waited)| {
            let waited = waited.iter().map(|(thread, waited)| ((*thread).to_owned(), ms(*waited)));
            Look { at: ms(*at), waited: waited.collect() }
        });
        let looks: Vec<_> = looks.collect();
        let stretches = looks.windows(2).filter_map(|pair| pair[1].stretch_since(&pair[0], &ignored));
        union(&stretches.collect::<Vec<_>>(), looks[0].at, looks[looks.len() - 1].at)
    }

    #[test]
    fn what_threads_wait_for_a_processor_is_lost_unless_they_are_ignored() {
        let before = (10, &[("worker", 10), ("blocker", 10), ("ended", 10)][..]);
        assert_eq!(lost(&[before, (30, &[("worker", 15), ("blocker", 500), ("new", 3)])]), ms(5 + 3));
        assert_eq!(lost(&[before, (30, &[("worker", 10), ("blocker", 500)])]), ms(0));
    }

    #[test]
    fn those_who_wait_at_once_lose_the_time_once() {
        let first = (0, &[("c", 0)][..]);
        let third = [("a", 20), ("b", 20), ("c", 30)];
        assert_eq!(lost(&[first, (20, &[("a", 20), ("b", 20), ("c", 0)]), (40, &third)]), ms(40));
        // 30 ms that are over at 40 began at 10.
        assert_eq!(lost(&[first, (20, &[("a", 15), ("c", 0)]), (40, &[("a", 15), ("c", 30)])]), ms(35));
    }

    #[test]
    fn who_was_missed_by_a_look_excuses_no_more_than_what_has_passed_since() {
        assert_eq!(lost(&[(100, &[("a", 90)][..]), (110, &[]), (120, &[("a", 90)])]), ms(10));
    }

    #[test]
    fn those_who_wait_in_turn_lose_the_sum() {
        let (first, second) = ([("a", 8)], [("a", 8), ("b", 8)]);
        let third = [("a", 8), ("b", 8), ("c", 8)];
        assert_eq!(lost(&[(0, &[][..]), (10, &first), (20, &second), (30, &third)]), ms(24));
    }

    #[test]
    fn of_a_wait_counts_what_lies_between_the_moments() {
        let lost = |from, to| union(&[(ms(10), ms(50))], ms(from), ms(to));
        assert_eq!([lost(0, 60), lost(0, 20), lost(20, 30), lost(50, 60)], [40, 10, 10, 0].map(ms));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_system_tells_of_this_thread() {
        let clock = Ticks::new(0);
        clock.ignore_this_thread();
        let ignored = clock.0.ignored.lock().unwrap();
        let own = ignored.iter().next().expect("this thread is ignored");
        assert!(waited_for_a_processor().contains_key(own));
    }
}
