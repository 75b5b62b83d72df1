//! Timers: fired, cancelled, and on time.

use crate::catalogue::info::{ALL, Adjust, EXECUTOR_TIMERS, bench};
use crate::catalogue::kit::measure::{distribution, expect, timed_by};
use crate::catalogue::kit::{clock, inside};
use crate::catalogue::{Cell, report};
use crate::cell::{CaseInfo, Outcome, Sample};
use polyloop_traits::{Join, Runtime};
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

/// Timers pending at once.
const TIMERS: u64 = 10_000;
/// How many are cancelled between two yields: a runtime may hold back a task that polls too many without.
const CANCELS: u64 = 64;
/// A timeout that never comes.
const FAR: Duration = Duration::from_secs(30);
/// Some other timer that is due before it, as in any program with more than one; else every new timer would be the
/// nearest one, and what is measured is a system call that tells the driver so.
const NEARER: Duration = Duration::from_secs(20);

pub(crate) fn cases() -> Vec<CaseInfo> {
    vec![
        bench(
            "timer_fire",
            "ns",
            ALL,
            "10,000 tasks sleep 1 to 10 ms each; one operation is one of them, in CPU time, since most of it is waiting",
        )
        .takes(0.15)
        .not_quick(),
        bench(
            "timer_cancel",
            "ns",
            EXECUTOR_TIMERS,
            "a sleep of 30 s is made, polled once and dropped, as a timeout that does not come, beside one of 20 s that stays; \
             one operation is one of the former",
        ),
        bench("sleep_precision", "µs", ALL, "how late a sleep of 1 to 2 ms ends on an idle runtime, median")
            .takes(0.22)
            .not_quick(),
    ]
}

pub(crate) fn run<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Outcome {
    report(match cell.part(0) {
        "timer_fire" => timer_fire(rt, cell),
        "timer_cancel" => timer_cancel(rt, cell),
        _ => sleep_precision(rt, cell),
    })
}

/// Numbers that look random and are the same for the same seed (SplitMix64).
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % limit
    }
}

fn timer_fire<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Result<Vec<Sample>, String> {
    let seed = cell.request.seed;
    let timed = timed_by(cell.effort(), TIMERS, |rounds| {
        let spawner = rt.clone();
        inside(rt, async move {
            let start = clock::now();
            let mut draw = Draw(seed);
            let mut on_time = 0;
            for _ in 0..rounds {
                let tasks: Vec<_> = (0..TIMERS)
                    .map(|_| {
                        let (rt, length) =
                            (spawner.clone(), Duration::from_micros(1_000 + draw.below(9_000)));
                        spawner.spawn(async move {
                            let due = rt.now() + length;
                            rt.sleep_until(due).await;
                            u64::from(rt.now() >= due)
                        })
                    })
                    .collect();
                for task in tasks {
                    on_time += task.await.map_err(|error| error.to_string())?;
                }
            }
            let wall = start.elapsed();
            expect("the number of timers that were not early", on_time, rounds * TIMERS).map(|()| wall)
        })
    })?;
    Ok(timed.cpu_samples())
}

fn timer_cancel<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Result<Vec<Sample>, String> {
    let timed = timed_by(cell.effort(), CANCELS, |rounds| {
        let timer = rt.clone();
        inside(rt, async move {
            let mut nearer = timer.spawn(timer.sleep(NEARER));
            timer.yield_now().await;
            let start = clock::now();
            let mut waiting = 0;
            for _ in 0..rounds {
                for _ in 0..CANCELS {
                    let mut sleep = pin!(timer.sleep(FAR));
                    let polled = poll_fn(|cx| Poll::Ready(sleep.as_mut().poll(cx))).await;
                    waiting += u64::from(polled.is_pending());
                }
                timer.yield_now().await;
            }
            let wall = start.elapsed();
            nearer.abort();
            expect("the number of timers that did not fire", waiting, rounds * CANCELS).map(|()| wall)
        })
    })?;
    Ok(timed.samples())
}

fn sleep_precision<R: Runtime>(rt: &R, cell: &Cell<'_>) -> Result<Vec<Sample>, String> {
    let sleeps = (cell.slot().as_millis() as usize).max(100);
    let (timer, seed) = (rt.clone(), cell.request.seed);
    let times = inside(rt, async move {
        let mut draw = Draw(seed);
        let mut times = Vec::with_capacity(sleeps);
        for _ in 0..sleeps {
            let due = timer.now() + Duration::from_micros(1_000 + draw.below(1_000));
            timer.sleep_until(due).await;
            let now = timer.now();
            if now < due {
                return Err(format!("a sleep ended {:?} early", due - now));
            }
            times.push(now - due);
        }
        Ok(times)
    })?;
    Ok(distribution(times))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_numbers_and_another_one_others() {
        let ten = |seed| -> Vec<u64> {
            let mut draw = Draw(seed);
            (0..10).map(|_| draw.below(9_000)).collect()
        };
        assert_eq!(ten(1), ten(1));
        assert_ne!(ten(1), ten(2));
        assert!(ten(3).iter().all(|&n| n < 9_000));
    }
}
