//! A clock that moves when all is idle, with many workers.

use crate::kit::{join, no_hang, pool_with, rounds, sleep, spawn};
use polyloop_core::yield_now;
use polyloop_time::ManualClock;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

#[test]
fn time_does_not_overtake_workers_that_were_called() {
    no_hang(|| {
        let pool = pool_with(3, Arc::new(ManualClock::automatic()));
        let driver = pool.driver().clone();
        let begin = driver.now();
        // This thread is no worker: without saying that it is at work, all are idle between two of its spawns.
        let at_work = driver.hold();
        // A far deadline to which the clock would jump whenever it took somebody at work for idle.
        let far = spawn(&pool, sleep(&driver, Duration::from_secs(1_000_000)));
        let steps = rounds(2_000, 50_000);
        let walk = |space: Arc<polyloop_core::TaskSpace>, driver: Arc<polyloop_core::Driver>| async move {
            for _ in 0..steps {
                sleep(&driver, Duration::from_millis(1)).await;
                // Work that others are called for.
                let helper = space.spawn(
                    async {
                        yield_now().await;
                    },
                    crate::kit::here(),
                );
                helper.await.unwrap();
            }
            driver.now()
        };
        let walks: Vec<_> =
            (0..3).map(|_| spawn(&pool, walk(pool.space().clone(), driver.clone()))).collect();
        drop(at_work);
        for walking in walks {
            let end = join(walking).unwrap();
            assert_eq!(end - begin, Duration::from_millis(1) * steps as u32);
        }
        join(far).unwrap();
        assert_eq!(driver.now() - begin, Duration::from_secs(1_000_000));
    });
}

#[test]
fn a_pool_with_nothing_to_do_does_not_call_itself() {
    no_hang(|| {
        let pool = pool_with(2, Arc::new(ManualClock::automatic()));
        let (done, wait) = mpsc::channel();
        join(spawn(&pool, async move { done.send(()).unwrap() })).unwrap();
        wait.recv().unwrap();
        let driver = pool.driver().clone();
        // Settles within a few turns; one that called itself would turn a hundred thousand times.
        std::thread::park_timeout(Duration::from_millis(50));
        let before = driver.turns();
        std::thread::park_timeout(Duration::from_millis(200));
        assert!(driver.turns() - before <= 4, "{} turns", driver.turns() - before);
    });
}
