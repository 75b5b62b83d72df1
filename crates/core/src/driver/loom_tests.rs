//! A model of a deadline that comes while somebody begins to wait.

use super::*;
use crate::loom_parts::driver;
use core::time::Duration;
use loom::thread;

#[test]
fn loom_a_nearer_deadline_calls_the_waiter_out() {
    loom::model(|| {
        let driver = driver();
        let arming = {
            let driver = driver.clone();
            thread::spawn(move || {
                driver.arm(Instant::ORIGIN + Duration::from_secs(1), Waker::noop().clone()).unwrap();
            })
        };
        let mut lease = driver.try_lease().expect("nobody else takes it");
        // Returns at once if it sees the deadline; loom reports a deadlock if it waits and nobody calls.
        lease.turn(Turn::Wait, &mut Wakes::new()).unwrap();
        drop(lease);
        arming.join().unwrap();
    });
}
