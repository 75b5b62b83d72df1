//! The suite for whole runtimes, on every combination and on the peers.

use polyloop::{BlockPolicy, Builder, Combination, Handle, Runtime};
use polyloop_conformance::{DIFFERENCES, LIMIT, runtime, watched};
use polyloop_traits::{Smol, Tokio};
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

/// A runtime of ours, as the suite takes it.
fn ours(name: &str) -> (Handle, Runtime) {
    let runtime = Runtime::from_name(name).unwrap();
    (runtime.handle().clone(), runtime)
}

/// The same where nobody stands in for the one worker, however long a busy machine keeps it from going on.
fn alone(name: &str) -> (Handle, Runtime) {
    let runtime = Builder::new().combination(name).block_policy(BlockPolicy::None).build().unwrap();
    (runtime.handle().clone(), runtime)
}

/// Mounts the suite on each, and keeps their names, so that none of the table is forgotten.
macro_rules! combinations {
    ($($mount:ident: $($kind:ident)+, $name:literal;)*) => {
        $( combinations! { @ $mount $($kind)+, $name } )*

        const MOUNTED: &[&str] = &[$($name),*];
    };
    (@ $mount:ident workers, $name:literal) => { runtime!($mount, ours($name)); };
    (@ $mount:ident one worker, $name:literal) => { runtime!($mount, one worker, alone($name)); };
}

combinations! {
    fifo_mio_wheel: one worker, "fifo+mio+wheel";
    fifo_mio_heap: one worker, "fifo+mio+heap";
    fifo_polling_wheel: one worker, "fifo+polling+wheel";
    fifo_polling_heap: one worker, "fifo+polling+heap";
    fifo_poll_wheel: one worker, "fifo+poll+wheel";
    fifo_poll_heap: one worker, "fifo+poll+heap";
    steal_1_mio_wheel: one worker, "steal:1+mio+wheel";
    steal_1_mio_heap: one worker, "steal:1+mio+heap";
    steal_1_polling_wheel: one worker, "steal:1+polling+wheel";
    steal_1_polling_heap: one worker, "steal:1+polling+heap";
    steal_1_poll_wheel: one worker, "steal:1+poll+wheel";
    steal_1_poll_heap: one worker, "steal:1+poll+heap";
    steal_2_mio_wheel: workers, "steal:2+mio+wheel";
    steal_2_mio_heap: workers, "steal:2+mio+heap";
    steal_2_polling_wheel: workers, "steal:2+polling+wheel";
    steal_2_polling_heap: workers, "steal:2+polling+heap";
    steal_2_poll_wheel: workers, "steal:2+poll+wheel";
    steal_2_poll_heap: workers, "steal:2+poll+heap";
    steal_4_mio_wheel: workers, "steal:4+mio+wheel";
    steal_4_mio_heap: workers, "steal:4+mio+heap";
    steal_4_polling_wheel: workers, "steal:4+polling+wheel";
    steal_4_polling_heap: workers, "steal:4+polling+heap";
    steal_4_poll_wheel: workers, "steal:4+poll+wheel";
    steal_4_poll_heap: workers, "steal:4+poll+heap";
    steal_1_without_slot: one worker, "steal:1+mio+wheel,lifo=off";
    steal_2_without_slot: workers, "steal:2+mio+wheel,lifo=off";
    global_1_mio_wheel: one worker, "global:1+mio+wheel";
    global_2_mio_wheel: workers, "global:2+mio+wheel";
    global_4_mio_wheel: workers, "global:4+mio+wheel";
    percore_1_mio_wheel: one worker, "percore:1+mio+wheel";
    percore_2_mio_wheel: workers, "percore:2+mio+wheel";
    percore_4_mio_wheel: workers, "percore:4+mio+wheel";
    fair_1_mio_wheel: one worker, "fair:1+mio+wheel";
    fair_2_mio_wheel: workers, "fair:2+mio+wheel";
    fair_4_mio_wheel: workers, "fair:4+mio+wheel";
    edf_1_mio_wheel: one worker, "edf:1+mio+wheel";
    edf_2_mio_wheel: workers, "edf:2+mio+wheel";
    edf_4_mio_wheel: workers, "edf:4+mio+wheel";
    // One worker, and the relief that is the default.
    steal_1_relieved: workers, "steal:1+mio+wheel";
    global_1_relieved: workers, "global:1+mio+wheel";
    percore_1_relieved: workers, "percore:1+mio+wheel";
    fair_1_relieved: workers, "fair:1+mio+wheel";
    edf_1_relieved: workers, "edf:1+mio+wheel";
}

#[test]
fn every_combination_is_mounted() {
    for combination in Combination::ALL {
        let counts = [1, 2, 4].map(|workers| NonZeroUsize::new(workers).unwrap());
        let counted = counts.map(|workers| combination.with_workers(workers).to_string());
        let names =
            if combination.executor() == "fifo" { vec![combination.to_string()] } else { counted.into() };
        for name in names {
            assert!(MOUNTED.contains(&name.as_str()), "{name}");
        }
    }
}

runtime!(tokio_ct, one worker, (Tokio::current_thread().unwrap(), ()));
runtime!(tokio_mt, (Tokio::multi_thread(2).unwrap(), ()));
runtime!(smol_1, one worker, (Smol::one_thread(), ()));
runtime!(smol_n, (Smol::threads(2).unwrap(), ()));

#[test]
fn differences_are_real() {
    for difference in DIFFERENCES {
        println!("{difference}");
        let failed = match difference.subject {
            "tokio_ct" => fails(difference.test, || (Tokio::current_thread().unwrap(), ())),
            "tokio_mt" => fails(difference.test, || (Tokio::multi_thread(2).unwrap(), ())),
            "smol_1" => fails(difference.test, || (Smol::one_thread(), ())),
            "smol_n" => fails(difference.test, || (Smol::threads(2).unwrap(), ())),
            other => panic!("no peer is called {other}"),
        };
        assert!(failed, "{difference}: not any more");
    }
}

/// Whether the runtime does not have this property.
fn fails<R: polyloop_traits::Runtime, K: 'static>(test: &str, new: fn() -> (R, K)) -> bool {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock();
    let properties = polyloop_conformance::runtime::properties::<R, K>();
    let (name, property) = properties.into_iter().find(|(name, _)| *name == test).expect("a known property");
    catch_unwind(AssertUnwindSafe(|| watched(name, LIMIT, move || property(new)))).is_err()
}
