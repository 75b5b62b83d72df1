//! Hand-offs at any moment, on every scheduler that the pool runs: beside timers, wakes from everywhere, locks, `block_in_place`, and
//! hooks that block.
//!
//! Invariant: what counts is that all come to their end, under a watchdog; nobody is lost, whoever stands in for whom.

use polyloop::sync::{Notify, PriorityMutex};
use polyloop::{BlockPolicy, Builder, Handle, Runtime, task, time};
use polyloop_conformance::{LIMIT, block_thread, watched};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

const TASKS: usize = 16;
const STEPS: usize = 40;
/// So often the hook does something.
const PARKS: usize = 500;

/// With 1 and 2 workers, and so few and so many threads to stand in for them.
fn everywhere(body: fn(Builder)) {
    for executor in ["steal", "global", "percore", "fair", "edf"] {
        for (workers, max_threads) in [(1, 1), (1, 8), (2, 1), (2, 8)] {
            let name = format!("{executor}:{workers}+mio+wheel");
            watched(&format!("{name}, {max_threads} more"), LIMIT, move || {
                let policy = BlockPolicy::HandOff { after: BlockPolicy::LEAST_AFTER, max_threads };
                body(Builder::new().combination(&*name).block_policy(policy).stall_threshold(None));
            });
        }
    }
}

/// The same numbers for each task in each run, so that only the machine makes a difference.
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }

    /// About as long as it takes to be noticed.
    fn nap(&mut self) -> Duration {
        Duration::from_micros(self.below(3_000))
    }
}

/// What all share: a bell for each, and a lock.
struct Scene {
    bells: Vec<Notify>,
    lock: PriorityMutex<usize>,
}

async fn step(scene: &Scene, me: usize, random: &mut Random) {
    match random.below(6) {
        0 => block_thread(random.nap()),
        // As many threads as may be may be there.
        1 => drop(task::try_block_in_place(|| block_thread(Duration::from_micros(500)))),
        2 => time::sleep(random.nap()).await,
        3 => {
            let mut count = scene.lock.lock().await;
            *count += 1;
            task::yield_now().await;
        }
        4 => {
            scene.bells[random.below(TASKS as u64) as usize].notify_one();
            let _ = time::timeout(Duration::from_millis(2), scene.bells[me].notified()).await;
        }
        _ => polyloop::spawn(task::yield_now()).await.unwrap(),
    }
}

fn all_end(runtime: &Runtime) {
    let scene = Scene { bells: (0..TASKS).map(|_| Notify::new()).collect(), lock: PriorityMutex::new(0) };
    let scene = Arc::new(scene);
    let tasks: Vec<_> = (0..TASKS)
        .map(|me| {
            let scene = scene.clone();
            runtime.spawn(async move {
                let mut random = Random(0x9E37_79B9_7F4A_7C15 ^ me as u64);
                for _ in 0..STEPS {
                    step(&scene, me, &mut random).await;
                }
            })
        })
        .collect();
    runtime.block_on(async {
        for task in tasks {
            task.await.unwrap();
        }
    });
}

#[test]
fn hand_offs_at_any_moment_lose_nobody() {
    everywhere(|builder| all_end(&builder.build().unwrap()));
}

#[test]
fn hooks_that_block_spawn_and_give_their_place_away_lose_nobody() {
    everywhere(|builder| {
        let (parks, spawned, ran) = (AtomicUsize::new(0), Arc::<AtomicUsize>::default(), Arc::default());
        let (made, done): (_, Arc<AtomicUsize>) = (spawned.clone(), Arc::clone(&ran));
        let hook = move || match parks.fetch_add(1, SeqCst) {
            count if count >= PARKS => {}
            count if count.is_multiple_of(4) => {
                // The first waits may come before there is a runtime.
                let Ok(handle) = Handle::try_current() else { return };
                let done = done.clone();
                made.fetch_add(1, SeqCst);
                drop(handle.spawn(async move {
                    task::yield_now().await;
                    done.fetch_add(1, SeqCst);
                }));
            }
            count if count % 4 == 1 => {
                drop(task::try_block_in_place(|| block_thread(Duration::from_micros(300))));
            }
            count if count % 4 == 2 => block_thread(Duration::from_micros(2_500)),
            _ => {}
        };
        let runtime = builder.on_thread_park(hook).build().unwrap();
        all_end(&runtime);
        while ran.load(SeqCst) < spawned.load(SeqCst) {
            std::thread::yield_now();
        }
    });
}
