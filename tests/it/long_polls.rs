//! Long polls after many short ones: the driver's turns are paced by counting, and a count that was right for short polls is
//! dozens of long ones.
//!
//! Invariant: what is counted is how often the hog was polled before the timer's task was. The clock stands still but in the hog's
//! polls, so that the clock is looked at as rarely as it ever is when they begin. The monitor, which hails a thread in the middle
//! of a long poll, is a thread like any other: it may miss a few, but not half of what the count alone would allow.

use polyloop::{Builder, task, time};
use polyloop_conformance::{LIMIT, block_thread, watched};
use polyloop_core::block_on::{CHECK_POLLS, MAX_POLLS};
use polyloop_core::time::{Clock, Instant, Wait};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

/// Several looks of the monitor long.
const LONG: Duration = Duration::from_millis(20);

/// Moves when it is told to, and tells nobody.
#[derive(Clone, Debug, Default)]
struct StoppedClock(Arc<AtomicU64>);

impl StoppedClock {
    fn advance(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_nanos()).unwrap(), SeqCst);
    }
}

impl Clock for StoppedClock {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.load(SeqCst))
    }

    fn busy(&self, next: Option<Instant>) -> Wait {
        if next.is_some_and(|next| next <= self.now()) { Wait::Now } else { Wait::Forever }
    }

    fn idle(&self, next: Option<Instant>) -> Wait {
        self.busy(next)
    }
}

fn a_timer_waits_for_few_long_polls(name: &str) {
    let clock = StoppedClock::default();
    let runtime = Builder::new().combination(name).clock(clock.clone()).build().unwrap();
    let (fired, polls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let timer = {
        let fired = fired.clone();
        runtime.spawn(async move {
            time::sleep(LONG / 2).await;
            fired.store(true, SeqCst);
        })
    };
    let hog = {
        let polls = polls.clone();
        runtime.spawn(async move {
            // Until the clock is looked at as rarely as it ever is.
            for _ in 0..5 * MAX_POLLS {
                task::yield_now().await;
            }
            while !fired.load(SeqCst) {
                polls.fetch_add(1, SeqCst);
                clock.advance(LONG);
                block_thread(LONG);
                task::yield_now().await;
            }
        })
    };
    runtime.block_on(async {
        hog.await.unwrap();
        timer.await.unwrap();
    });
    let polls = polls.load(SeqCst);
    assert!(polls <= CHECK_POLLS / 3, "{name}: the timer waited for {polls} polls of {LONG:?}");
}

#[test]
fn a_timer_waits_for_few_long_polls_after_many_short_ones() {
    for executor in ["fifo", "steal:1", "global:1", "percore:1", "fair:1", "edf:1"] {
        for policy in if executor == "fifo" { ["none", "detect"] } else { ["none", "handoff"] } {
            let name = format!("{executor}+mio+wheel,block={policy}");
            watched(&name.clone(), LIMIT, move || a_timer_waits_for_few_long_polls(&name));
        }
    }
}
