//! Models of a place that changes hands, in every interleaving.

use super::roster::{Hire, Mark, Order, Roster};
use crate::idle::Idle;
use loom::sync::atomic::AtomicBool;
use loom::sync::atomic::Ordering::{Acquire, Release};
use loom::sync::{Arc, Notify};
use loom::thread;

/// Seat 0 was relieved by seat 1, and came back.
fn one_on_standby() -> Arc<Roster> {
    let (roster, mark) = (Arc::new(Roster::new(1, 2)), Mark::new());
    roster.relieve(0, &mark, |_| true).unwrap();
    roster.stand_by(0, &mark);
    roster
}

#[test]
fn loom_a_worker_whose_relief_does_not_come_stays() {
    loom::model(|| {
        let (roster, mark) = (Arc::new(Roster::new(1, 2)), Arc::new(Mark::new()));
        let worker = {
            let (roster, mark) = (roster.clone(), mark.clone());
            // The end of its poll, at any moment of the relief.
            thread::spawn(move || {
                let leaves = mark.is_set();
                if leaves {
                    roster.stand_by(0, &mark);
                }
                leaves
            })
        };
        let relieved = roster.relieve(0, &mark, |_| false);
        assert!(relieved.is_err());
        assert!(!worker.join().unwrap(), "nobody is on duty");
        assert_eq!(roster.on_duty(), [0]);
    });
}

#[test]
fn loom_a_worker_that_is_relieved_is_never_forgotten() {
    loom::model(|| {
        let (roster, mark) = (Arc::new(Roster::new(1, 2)), Arc::new(Mark::new()));
        let worker = {
            let (roster, mark) = (roster.clone(), mark.clone());
            thread::spawn(move || {
                let leaves = mark.is_set();
                if leaves {
                    roster.stand_by(0, &mark);
                }
                assert!(!roster.on_duty().is_empty(), "nobody is on duty");
                leaves
            })
        };
        roster.relieve(0, &mark, |hire| hire == Hire::Start(1)).unwrap();
        let left = worker.join().unwrap();
        assert_eq!(roster.on_duty(), [1]);
        let (relief, standby) = (roster.relief(), usize::from(left));
        assert_eq!((relief.standby, relief.relieved), (standby, 1 - standby), "a seat is lost");
        assert_eq!(mark.is_set(), !left);
    });
}

#[test]
fn loom_who_sees_a_relieved_seat_sees_it_counted() {
    loom::model(|| {
        let (roster, mark) = (Arc::new(Roster::new(1, 2)), Mark::new());
        let onlooker = {
            let roster = roster.clone();
            thread::spawn(move || {
                let relief = roster.relief();
                assert_eq!(relief.hand_offs, relief.relieved as u64, "counted late");
            })
        };
        roster.relieve(0, &mark, |_| true).unwrap();
        onlooker.join().unwrap();
    });
}

#[test]
fn loom_a_thread_that_is_called_from_standby_finds_its_order() {
    loom::model(|| {
        let roster = one_on_standby();
        // As its parking place: a call before the wait ends the wait.
        let bell = Arc::new(Notify::new());
        let standby = {
            let (roster, bell) = (roster.clone(), bell.clone());
            thread::spawn(move || {
                if roster.order(0) == Order::Wait {
                    bell.wait();
                }
                roster.order(0)
            })
        };
        let call = |hire| {
            assert_eq!(hire, Hire::Recall(0));
            bell.notify();
            true
        };
        roster.relieve(1, &Mark::new(), call).unwrap();
        assert_eq!(standby.join().unwrap(), Order::Work, "it waits for a call that has come");
    });
}

#[test]
fn loom_who_is_on_standby_hears_the_end_of_the_pool_beside_a_relief() {
    loom::model(|| {
        let roster = one_on_standby();
        let (closed, bell) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
        let standby = {
            let (roster, closed, bell) = (roster.clone(), closed.clone(), bell.clone());
            // Where the call is lost, it waits for ever.
            thread::spawn(move || roster.until_called(0, || closed.load(Acquire), || bell.wait()))
        };
        let shutdown = {
            let (closed, bell) = (closed.clone(), bell.clone());
            thread::spawn(move || {
                closed.store(true, Release);
                bell.notify();
            })
        };
        // As `Crew::relieve` does, which may have looked before.
        if !closed.load(Acquire) {
            roster
                .relieve(1, &Mark::new(), |_| {
                    bell.notify();
                    true
                })
                .unwrap();
        }
        let works = standby.join().unwrap();
        // It ends for no other reason than that the pool does.
        assert!(works || closed.load(Acquire));
        shutdown.join().unwrap();
    });
}

#[test]
fn loom_one_who_is_dismissed_is_called_again_or_goes() {
    loom::model(|| {
        let roster = one_on_standby();
        // Nobody has had a use for it.
        assert_eq!(roster.age(0), [0]);
        let dismissed = {
            let roster = roster.clone();
            thread::spawn(move || {
                let order = roster.order(0);
                if order == Order::End {
                    roster.vacate(0);
                }
                order
            })
        };
        let mut hired = None;
        let hire = |hire| {
            hired = Some(hire);
            true
        };
        let relieved = roster.relieve(1, &Mark::new(), hire);
        let order = dismissed.join().unwrap();
        match hired {
            Some(Hire::Recall(_)) => assert_eq!(order, Order::Work, "nobody is on duty"),
            Some(Hire::Start(_)) => assert_eq!((relieved, order), (Ok(()), Order::End)),
            None => assert!(relieved.is_err() && order == Order::End),
        }
    });
}

#[test]
fn loom_a_worker_that_is_relieved_does_not_sleep() {
    loom::model(|| {
        let (roster, mark) = (Roster::new(1, 2), Arc::new(Mark::new()));
        let idle = Arc::new(Idle::new(2));
        let worker = {
            let (idle, mark) = (idle.clone(), mark.clone());
            // Its poll has ended, and there is nothing else to do.
            thread::spawn(move || {
                idle.begin_search();
                idle.announce(0);
                if mark.is_set() {
                    idle.retract(0);
                    return false;
                }
                true
            })
        };
        roster.relieve(0, &mark, |_| true).unwrap();
        let called = idle.call(0);
        let sleeps = worker.join().unwrap();
        assert!(!sleeps || called, "it sleeps, and nobody wakes it");
    });
}
