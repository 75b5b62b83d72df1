//! Waits end when they should: by an unpark, by the time, and by nothing else.

use super::rig::{Subject, let_it_wait, millis, now};
use polyloop_core::time::Wait;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// An unpark that comes before the wait is not lost.
pub fn an_unpark_before_the_wait_ends_it(subject: Subject) {
    let mut rig = subject.rig();
    for _ in 0..100 {
        rig.handle.unpark();
        rig.turn(Wait::Forever);
    }
}

/// A hundred unparks before a wait end one wait.
pub fn many_unparks_before_a_wait_are_one(subject: Subject) {
    let mut rig = subject.rig();
    (0..100).for_each(|_| rig.handle.unpark());
    rig.turn(Wait::Forever);
    if subject.strict() {
        let before = now();
        rig.turn(Wait::For(millis(5)));
        assert!(before.elapsed() >= millis(5), "the hundred were one");
    }
}

/// A turn without a wait may use an unpark up, and leaves the next one intact.
pub fn a_look_keeps_the_token(subject: Subject) {
    let mut rig = subject.rig();
    rig.handle.unpark();
    rig.turn(Wait::Now);
    rig.turn(Wait::For(Duration::ZERO));
    rig.handle.unpark();
    rig.turn(Wait::Now);
    rig.turn(Wait::Forever);
}

/// The announce-and-recheck of an executor: it waits only if it saw nothing, and is unparked whenever there is something.
pub fn no_unpark_of_a_wait_is_lost(subject: Subject) {
    let mut rig = subject.rig();
    let (asked, answered) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let other = {
        let (handle, asked, answered) = (rig.handle.clone(), asked.clone(), answered.clone());
        thread::spawn(move || {
            for round in 1..=2000 {
                asked.store(round, Ordering::SeqCst);
                handle.unpark();
                while answered.load(Ordering::SeqCst) != round {
                    if round % 2 == 0 {
                        thread::yield_now();
                    }
                }
            }
        })
    };
    while answered.load(Ordering::SeqCst) < 2000 {
        let round = asked.load(Ordering::SeqCst);
        if answered.swap(round, Ordering::SeqCst) == round {
            rig.turn(Wait::Forever);
        }
    }
    other.join().expect("other");
}

/// A wait lasts as long as asked, in one turn: timeouts are rounded up.
pub fn a_wait_is_never_early_and_does_not_spin(subject: Subject) {
    let mut rig = subject.rig();
    let caps = rig.handle.caps();
    for micros in [50, 300, 900, 1_000, 1_001, 5_500] {
        let asked = Duration::from_micros(micros);
        let before = now();
        let turns = rig.turns;
        while before.elapsed() < asked {
            rig.turn(Wait::For(asked.saturating_sub(before.elapsed())));
        }
        if subject.strict() {
            assert_eq!(rig.turns - turns, 1, "{asked:?} was rounded down");
        }
        // Half a second is for a machine that has other things to do.
        assert!(
            before.elapsed() < asked + caps.timeout_resolution + millis(500),
            "{asked:?} is much too late"
        );
    }
    let before = now();
    rig.turn(Wait::For(Duration::ZERO));
    rig.turn(Wait::Now);
    assert!(before.elapsed() < millis(500));
}

/// Timeouts beyond what the kernel can count neither fail nor end at once.
pub fn far_timeouts_do_not_overflow(subject: Subject) {
    let mut rig = subject.rig();
    let day = Duration::from_secs(86_400);
    for far in [24 * day, 25 * day, 50 * day, 200 * 365 * day, Duration::MAX] {
        let handle = rig.handle.clone();
        let over = Arc::new(AtomicBool::new(false));
        let flag = over.clone();
        let other = thread::spawn(move || {
            let_it_wait();
            flag.store(true, Ordering::SeqCst);
            handle.unpark();
        });
        let turns = rig.turns;
        while !over.load(Ordering::SeqCst) {
            rig.turn(Wait::For(far));
        }
        if subject.strict() {
            assert!(rig.turns - turns <= 2, "{far:?} ended early again and again");
        }
        other.join().expect("other");
        rig.turn(Wait::Now);
    }
}
