//! What chaos itself promises: each fault is done and counted, nothing is lost, and the seed decides.

use polyloop_conformance::reactor::{Rig, pair, token};
use polyloop_conformance::{LIMIT, watched};
use polyloop_core::reactor::{Interest, Reactor};
use polyloop_core::time::Wait;
use polyloop_reactor::{ALL, Chaos, ChaosControl, ChaosCounts, ChaosPlan};
use std::io::Write;

fn on_each(plan: ChaosPlan, case: fn(Rig, ChaosControl)) {
    for &(name, make) in ALL {
        watched(name, 6 * LIMIT, move || {
            let chaos = Chaos::new(make().expect("open"), 42, plan);
            let control = chaos.control();
            case(Rig::new(Box::new(chaos)), control);
        });
    }
}

/// 50 bytes to and fro, and what was done meanwhile.
fn echo(mut rig: Rig, control: &ChaosControl) -> ChaosCounts {
    let (a, b) = pair();
    rig.attach(&a, token(1), Interest::BOTH);
    rig.attach(&b, token(2), Interest::BOTH);
    for _ in 0..50 {
        let got = rig.read_after(token(2), &b, &mut [0; 9], |_| (&*a).write_all(b"x").expect("write"));
        assert_eq!(got.expect("read"), 1);
        let got = rig.read_after(token(1), &a, &mut [0; 9], |_| (&*b).write_all(b"x").expect("write"));
        assert_eq!(got.expect("read"), 1);
    }
    control.counts()
}

#[test]
fn every_fault_at_every_chance_loses_nothing() {
    let all = ChaosPlan {
        spurious: 1000,
        duplicated: 1000,
        delayed: 1000,
        reordered: 1000,
        empty: 1000,
        unparked: 1000,
        ..ChaosPlan::OFF
    };
    on_each(all, |rig, control| {
        let done = echo(rig, &control);
        for count in [done.spurious, done.duplicated, done.delayed, done.reordered, done.empty, done.unparked]
        {
            assert!(count > 0, "{done:?}");
        }
    });
}

#[test]
fn the_same_seed_does_the_same() {
    for &(name, make) in ALL {
        watched(name, 6 * LIMIT, move || {
            let run = |seed| {
                let chaos = Chaos::new(make().expect("open"), seed, ChaosPlan::ROUGH);
                let control = chaos.control();
                echo(Rig::new(Box::new(chaos)), &control)
            };
            let seeds: Vec<_> = (0..20).map(run).collect();
            assert_eq!(seeds, (0..20).map(run).collect::<Vec<_>>(), "{name}");
            assert!(seeds.iter().any(|other| *other != seeds[0]), "{name}: the seed has no say");
        });
    }
}

#[test]
fn what_was_held_back_is_told_once_the_plan_is_off() {
    on_each(ChaosPlan { delayed: 1000, ..ChaosPlan::OFF }, |mut rig, control| {
        let (ours, theirs) = pair();
        (&*theirs).write_all(b"x").expect("write");
        rig.attach(&ours, token(1), Interest::READ);
        assert!(rig.turn(Wait::Forever).is_empty(), "it is held back for one turn at least");
        assert_eq!(control.counts().delayed, 1);
        control.set(ChaosPlan::OFF);
        assert!(rig.turn(Wait::Forever).iter().any(|(_, ready)| ready.read));
    });
}

#[test]
fn an_attach_that_fails_on_purpose_leaves_nothing_behind() {
    on_each(ChaosPlan { attach_fails: 1000, ..ChaosPlan::OFF }, |rig, control| {
        let (ours, _theirs) = pair();
        let errors = [(); 3].map(|()| {
            let error = rig.handle.attach(ours.clone(), token(1), Interest::READ).expect_err("refused");
            error.raw_os_error().expect("the kernel's word")
        });
        assert_eq!(std::collections::BTreeSet::from(errors).len(), 3, "three kinds of want: {errors:?}");
        assert_eq!(control.counts().attach_fails, 3);
        assert_eq!(std::sync::Arc::strong_count(&ours), 1);
        control.set(ChaosPlan::OFF);
        rig.attach(&ours, token(1), Interest::READ);
    });
}

/// A spurious report must not use up the real one.
#[test]
fn a_false_alarm_before_the_real_event() {
    on_each(ChaosPlan { spurious: 1000, ..ChaosPlan::OFF }, |mut rig, control| {
        let (ours, theirs) = pair();
        rig.attach(&ours, token(1), Interest::READ);
        let alarms = rig.turn(Wait::Now);
        assert!(matches!(alarms[..], [(_, ready)] if ready.read), "{alarms:?}");
        control.set(ChaosPlan::OFF);
        rig.ready.clear();
        rig.rearm(token(1), Interest::READ);
        (&*theirs).write_all(b"x").expect("write");
        rig.until(token(1), |ready| ready.read);
    });
}

#[test]
fn chaos_goes_by_the_name_of_what_it_wraps() {
    for &(name, make) in ALL {
        let chaos = Chaos::new(make().expect("open"), 0, ChaosPlan::OFF);
        assert_eq!(chaos.handle().name(), name);
    }
}
