//! A coarse clock, for the question of how long ago something happened to a task.
//!
//! Invariant: whoever stamps a task reads no clock. One number of the process stands for the present; whoever reads the
//! system's clock anyway moves it on ([`advance`]), and a stamp is a copy of it: one load, one store.
//!
//! A stamp of a poll is two instructions, one of a yield one more, one of a wake three; `cargo xtask bench watch` counts them.
//!
//! Stamps are plain atomics that one thread at a time writes, whoever holds the task's runnable, and that nobody decides
//! anything by: no model needs to see them.

use crate::Why;
use crate::time::Instant;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use core::time::Duration;

/// How much of the clock is left out of a stamp, in bits of nanoseconds.
const SHIFT: u32 = 22;

/// What one stamp cannot tell from the next: 4.2 ms.
pub const RESOLUTION: Duration = Duration::from_nanos(1 << SHIFT);

const WHY_BITS: u32 = 3;

/// What is kept of a tick beside a reason.
const TICK_MASK: u32 = u32::MAX >> WHY_BITS;

/// A stamp that is younger than the reading by so many ticks at most is one that was made after it.
const SLACK: u32 = 1 << 14;

/// The present, twice, so that neither stamp need compute anything.
#[repr(align(64))]
struct Present {
    /// Ticks since the clock's origin, from 1 on: 0 stands for "never".
    plain: AtomicU32,
    /// The same with room for a reason below.
    shifted: AtomicU32,
}

static PRESENT: Present = Present { plain: AtomicU32::new(1), shifted: AtomicU32::new(1 << WHY_BITS) };

fn tick_of(now: Instant) -> u32 {
    // Truncates: after 208 days the count begins anew.
    ((now.as_nanos() >> SHIFT) as u32).wrapping_add(1).max(1)
}

/// Says what time it is. Called by the clock that all stamps are made by, the system's, whenever somebody reads it.
// Never inlined into other crates, nor is `spawned`: the static would have to be visible to them, and every stamp would look
// its address up.
#[inline(never)]
pub fn advance(now: Instant) {
    let tick = tick_of(now);
    // Most readings are of the same tick: the line stays shared.
    if PRESENT.plain.load(Relaxed) != tick {
        move_to(tick);
    }
}

#[cold]
fn move_to(tick: u32) {
    if is_later(tick, PRESENT.plain.load(Relaxed)) {
        PRESENT.plain.store(tick, Relaxed);
        PRESENT.shifted.store(tick << WHY_BITS, Relaxed);
    }
}

/// Whether the clock goes on to `tick`. Two threads may come in the wrong order, by little: everything else is a clock that nobody
/// has read for long.
fn is_later(tick: u32, present: u32) -> bool {
    present.wrapping_sub(tick) > SLACK
}

/// When a task was polled and woken last: 8 bytes in its header.
pub(crate) struct Stamps {
    /// The tick in which its last poll began, 0 for never.
    polled: AtomicU32,
    /// The tick of the wake that made it runnable last, its upper three bits cut off, and the reason. A tick of 0 is that of
    /// the last poll: it was woken in the middle of it.
    woken: AtomicU32,
}

/// What the stamps say, at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    /// How long ago the last poll began.
    pub(crate) polled: Option<Duration>,
    /// How long ago it became runnable last.
    pub(crate) woken: Duration,
    /// Why.
    pub(crate) why: Why,
}

impl Stamps {
    /// Those of a slot that never held a task.
    pub(crate) fn never() -> Self {
        Self { polled: AtomicU32::new(0), woken: AtomicU32::new(0) }
    }

    /// A task is spawned into the slot. Somebody may still be looking at the one before.
    #[inline(never)]
    pub(crate) fn spawned(&self) {
        self.polled.store(0, Relaxed);
        self.woken(Why::Spawn);
    }

    /// A poll begins. For the holder of the runnable.
    #[inline(always)]
    pub(crate) fn polled(&self) {
        if cfg!(polyloop_without = "stamps") {
            return;
        }
        self.polled.store(PRESENT.plain.load(Relaxed), Relaxed);
    }

    /// The task has become runnable. For the holder of the runnable.
    #[inline(always)]
    pub(crate) fn woken(&self, why: Why) {
        if cfg!(polyloop_without = "stamps") {
            return;
        }
        self.woken.store(PRESENT.shifted.load(Relaxed) | why as u32, Relaxed);
    }

    /// The task is runnable still, because of what happened in the middle of its poll. For the holder of the runnable.
    #[inline(always)]
    pub(crate) fn woken_in_poll(&self, why: Why) {
        if cfg!(polyloop_without = "stamps") {
            return;
        }
        self.woken.store(why as u32, Relaxed);
    }

    /// What they say at `now`, of a task that is `runnable` or waits.
    pub(crate) fn read(&self, now: Instant, runnable: bool) -> Times {
        let (now, polled, woken) = (tick_of(now), self.polled.load(Relaxed), self.woken.load(Relaxed));
        // Younger than now: stamped since the caller has read the clock.
        let ago = |ticks: u32| RESOLUTION * if ticks > u32::MAX - SLACK { 0 } else { ticks };
        let since_poll = (polled != 0).then(|| now.wrapping_sub(polled));
        let since_wake = match (woken >> WHY_BITS, since_poll) {
            (0, since_poll) => since_poll.unwrap_or(0),
            // Of one that waits, the wake came before the poll, which knows all of its tick.
            (tick, Some(since_poll)) if !runnable => {
                let before = polled.wrapping_sub(tick) & TICK_MASK;
                if before < 1 << 28 { since_poll.wrapping_add(before) } else { since(now, tick) }
            }
            (tick, _) => since(now, tick),
        };
        Times { polled: since_poll.map(ago), woken: ago(since_wake), why: why(woken) }
    }
}

/// How many ticks after `tick`, whose upper bits are cut off, `later` is; very many if it is earlier.
fn since(later: u32, tick: u32) -> u32 {
    let ticks = later.wrapping_sub(tick) & TICK_MASK;
    // Only the order of two readings can make it seem to lie ahead.
    if ticks > TICK_MASK - SLACK { 0 } else { ticks }
}

fn why(woken: u32) -> Why {
    [Why::Spawn, Why::Wake, Why::Yield, Why::Io, Why::Timer]
        .into_iter()
        .find(|why| *why as u32 == woken & ((1 << WHY_BITS) - 1))
        .unwrap_or(Why::Wake)
}

#[cfg(all(test, not(polyloop_loom)))]
mod tests {
    use super::*;

    fn at(ticks: u64) -> Instant {
        Instant::from_nanos((ticks - 1) << SHIFT)
    }

    fn stamps(polled: u64, woken: u64, why: Why) -> Stamps {
        let woken = ((woken as u32) << WHY_BITS) | why as u32;
        Stamps { polled: AtomicU32::new(polled as u32), woken: AtomicU32::new(woken) }
    }

    #[test]
    fn a_waiting_task_was_woken_before_its_poll_however_long_ago() {
        let days = |days: u64| days * 24 * 3600 * 1000 / 4;
        for age in [0, 1, 1000, days(1), days(27), days(190)] {
            let read = stamps(50, 47, Why::Timer).read(at(50 + age), false);
            let expected = Times {
                polled: Some(RESOLUTION * age as u32),
                woken: RESOLUTION * (age as u32 + 3),
                why: Why::Timer,
            };
            assert_eq!(read, expected);
        }
    }

    #[test]
    fn a_runnable_task_was_woken_after_its_poll_or_in_it() {
        let queued = stamps(50, 90, Why::Io).read(at(100), true);
        assert_eq!((queued.polled, queued.woken), (Some(RESOLUTION * 50), RESOLUTION * 10));
        let yielded = stamps(50, 0, Why::Yield).read(at(100), true);
        assert_eq!((yielded.woken, yielded.why), (RESOLUTION * 50, Why::Yield));
        let new = stamps(0, 98, Why::Spawn).read(at(100), true);
        assert_eq!((new.polled, new.woken, new.why), (None, RESOLUTION * 2, Why::Spawn));
    }

    #[test]
    fn the_clock_goes_on_however_long_nobody_has_read_it() {
        let days = |days: u32| days * 24 * 3600 * 238;
        for ago in [1, days(1), days(104), days(105), days(200)] {
            for present in [1, 1 << 31, u32::MAX] {
                assert!(is_later(present.wrapping_add(ago), present), "{ago} ticks after {present}");
            }
        }
        assert!(
            !is_later(90, 90) && !is_later(90, 91) && !is_later(u32::MAX, 5),
            "the wrong order of two threads"
        );
    }

    #[test]
    fn what_is_stamped_after_the_clock_was_read_is_now() {
        let read = stamps(101, 101, Why::Wake).read(at(100), false);
        assert_eq!((read.polled, read.woken), (Some(Duration::ZERO), Duration::ZERO));
        let read = stamps(50, 101, Why::Wake).read(at(100), true);
        assert_eq!(read.woken, Duration::ZERO);
        // It was woken again between the two looks.
        let read = stamps(50, 99, Why::Wake).read(at(100), false);
        assert_eq!(read.woken, RESOLUTION);
    }
}
