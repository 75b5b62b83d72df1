//! Who is named, by the hook.
//!
//! Invariant: who is named, and that somebody is, is exact. The time until then is asserted beside it: for a poll that sleeps, by
//! the clock and what an idle thread lost in all; for one that computes, by its own time on the processor.

use crate::sentinel::Sentinel;
use crate::subjects::{builder, names};
use crate::{BLOCKED, Lane, THRESHOLD, here, own_time};
use polyloop::stall::{Cause, Phase, Stall, What};
use polyloop::{SystemClock, task, time};
use polyloop_conformance::{LIMIT, block_thread, watched};
use polyloop_core::time::Clock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, LazyLock, Mutex, mpsc};
use std::time::Duration;

pub(crate) static LANE: Lane = Lane::new();

/// How a poll lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Sleep,
    Spin,
}

/// Whose poll lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Task,
    Local,
    InSet,
    BlockOn,
}

/// What has been seen of one stall.
struct Scene {
    told: AtomicBool,
    /// From the beginning of the poll, by the clock for one that sleeps, by its own time for one that computes.
    after: Mutex<Option<Duration>>,
    start: Mutex<Option<polyloop_core::time::Instant>>,
}

impl Scene {
    fn new() -> Arc<Self> {
        Arc::new(Self { told: AtomicBool::new(false), after: Mutex::default(), start: Mutex::default() })
    }

    fn stall(&self, how: How) {
        let start = SystemClock.now();
        *self.start.lock().unwrap() = Some(start);
        match how {
            How::Sleep => {
                // On a busy machine the monitor may have looked once in that time.
                while !self.is_told_or_late(start) {
                    block_thread(BLOCKED);
                }
            }
            How::Spin => {
                let own = own_time();
                while !self.is_told_or_late(start) {
                    std::hint::spin_loop();
                }
                *self.after.lock().unwrap() = Some(own_time() - own);
            }
        }
    }

    fn is_told_or_late(&self, start: polyloop_core::time::Instant) -> bool {
        self.told.load(SeqCst) || SystemClock.now() - start >= LIMIT / 2
    }

    fn tell(&self, how: How) {
        if how == How::Sleep {
            let start = self.start.lock().unwrap().unwrap();
            *self.after.lock().unwrap() = Some(SystemClock.now() - start);
        }
        self.told.store(true, SeqCst);
    }
}

/// Asserts what is told; whether it was told in time, and the words for it if not.
fn is_named(name: &str, who: Who, how: How) -> Result<(), String> {
    let scene = Scene::new();
    let (tell, told) = mpsc::channel::<Stall>();
    let hooked = scene.clone();
    let runtime = builder(name)
        .on_stall(move |stall| {
            if stall.phase == Phase::Lasting {
                hooked.tell(how);
            }
            tell.send(stall.clone()).unwrap();
        })
        .build()
        .unwrap();
    let sentinel = Sentinel::start();
    let inner = scene.clone();
    let future = async move { inner.stall(how) };
    let place = match who {
        Who::Task => {
            let named = task::Builder::new().name("the culprit");
            let _entered = runtime.enter();
            let (handle, place) = (named.spawn(future), here());
            runtime.block_on(handle).unwrap();
            place
        }
        Who::Local => runtime.block_on(async {
            let (handle, place) = (task::spawn_local(future), here());
            handle.await.unwrap();
            place
        }),
        Who::InSet => {
            let set = task::LocalSet::new();
            let (handle, place) = (set.spawn_local(future), here());
            set.block_on(&runtime, handle).unwrap();
            place
        }
        Who::BlockOn => {
            let ((), place) = (runtime.block_on(future), here());
            place
        }
    };
    let lasting = told.recv_timeout(LIMIT).unwrap_or_else(|_| panic!("{name} {who:?} {how:?}: not told"));
    let over = told.recv_timeout(LIMIT).unwrap_or_else(|_| panic!("{name} {who:?} {how:?}: no end told"));
    let (_, lost) = sentinel.lost();
    let context = format!("{name} {who:?} {how:?}: {lasting}; {over}");
    assert_eq!((lasting.phase, over.phase), (Phase::Lasting, Phase::Over), "{context}");
    assert_eq!(lasting.what, if who == Who::BlockOn { What::BlockOn } else { What::Task }, "{context}");
    let own = if who == Who::Task { Some("the culprit") } else { None };
    for stall in [&lasting, &over] {
        assert_eq!(stall.task.name.as_deref(), own, "{context}");
        let at = (stall.task.location.file(), stall.task.location.line());
        assert_eq!(at, (place.file(), place.line()), "{context}");
    }
    let after = scene.after.lock().unwrap().unwrap();
    if cfg!(target_os = "linux") {
        let cause = if how == How::Sleep { Cause::Blocked } else { Cause::Computing };
        assert_eq!(lasting.cause, cause, "{context}");
        if how == How::Sleep {
            // Either of the two, as the standard library likes.
            let call = lasting.place.syscall.and_then(|call| call.name);
            assert!(matches!(call, Some("clock_nanosleep" | "nanosleep")), "{context}");
            assert_eq!(lasting.place.wait.is_some(), wchan_is_told(), "{context}");
        }
    }
    if how == How::Sleep {
        assert!(over.lasted >= BLOCKED / 2, "{context}");
    }
    assert!(told.try_recv().is_err(), "{name} {who:?} {how:?}: told a third time");
    assert_eq!(runtime.metrics().stalls_count(), 1, "{context}");
    let in_time = after <= 2 * THRESHOLD + lost;
    in_time.then_some(()).ok_or_else(|| format!("{context}: told after {after:?}, {lost:?} lost"))
}

/// Whether the system tells in which of its functions a thread waits: some kernels are built, and some processes locked up, so that
/// they see none.
fn wchan_is_told() -> bool {
    static TOLD: LazyLock<bool> = LazyLock::new(|| {
        let ((tell, told), (end, ended)) = (mpsc::channel(), mpsc::channel::<()>());
        let thread = std::thread::spawn(move || {
            tell.send(std::fs::read_link("/proc/thread-self").unwrap()).unwrap();
            let _ = ended.recv();
        });
        let folder = std::path::Path::new("/proc").join(told.recv().unwrap());
        // It may not wait yet, and then it is told to wait for nothing.
        let waits = || {
            std::fs::read_to_string(folder.join("wchan")).is_ok_and(|wait| !matches!(wait.trim(), "" | "0"))
        };
        let is_told = (0..200).any(|_| {
            waits() || {
                block_thread(Duration::from_millis(1));
                false
            }
        });
        drop(end);
        thread.join().unwrap();
        is_told
    });
    *TOLD
}

/// Two threads must be let run between the threshold and the report, the monitor and the one that tells, and beside a poll that
/// computes on a busy machine they wait for a processor. What is told is asserted each time; that it is in time, once of so many.
const TRIES: usize = 5;

fn is_named_in_time(name: &str, who: Who, how: How) {
    let late = (0..TRIES).map_while(|_| is_named(name, who, how).err()).collect::<Vec<_>>();
    assert!(late.len() < TRIES, "late each time: {late:#?}");
}

#[test]
fn each_executor_names_the_poll_that_lasts() {
    let _alone = LANE.enter();
    for name in names(&[1, 2]) {
        for how in [How::Sleep, How::Spin] {
            for who in [Who::Task, Who::Local, Who::InSet, Who::BlockOn] {
                let name = name.clone();
                watched(&format!("{name} {who:?} {how:?}"), LIMIT, move || is_named_in_time(&name, who, how));
            }
        }
    }
}

#[test]
fn a_poll_in_a_turn_of_a_foreign_loop_is_named() {
    let _alone = LANE.enter();
    let (tell, told) = mpsc::channel();
    let runtime = builder("fifo").on_stall(move |stall| tell.send(stall.clone()).unwrap()).build().unwrap();
    let (_handle, place) = (runtime.spawn(async { block_thread(2 * BLOCKED) }), here());
    runtime.turn(Duration::ZERO).unwrap();
    let stall = told.recv_timeout(LIMIT).unwrap();
    assert_eq!((stall.phase, stall.task.location.line()), (Phase::Lasting, place.line()));
    assert_eq!(told.recv_timeout(LIMIT).unwrap().phase, Phase::Over);
}

#[test]
fn what_is_no_poll_of_a_task_is_no_stall() {
    let _alone = LANE.enter();
    for name in ["fifo", "steal:2"] {
        let stalls = Arc::new(Mutex::new(Vec::new()));
        let log = stalls.clone();
        let parks = Arc::new(AtomicUsize::new(0));
        let counted = parks.clone();
        let runtime = builder(name)
            .on_stall(move |stall| log.lock().unwrap().push(stall.to_string()))
            .on_thread_park(move || {
                if counted.fetch_add(1, SeqCst) == 0 {
                    block_thread(3 * THRESHOLD);
                }
            })
            .build()
            .unwrap();
        runtime.block_on(async {
            task::spawn_blocking(|| block_thread(3 * THRESHOLD)).await.unwrap();
            if name != "fifo" {
                let place = || task::block_in_place(|| block_thread(3 * THRESHOLD));
                polyloop::spawn(async move { place() }).await.unwrap();
            }
            // A poll that waits as it should.
            time::sleep(3 * THRESHOLD).await;
        });
        assert!(parks.load(SeqCst) > 0);
        block_thread(THRESHOLD);
        assert_eq!(*stalls.lock().unwrap(), [""; 0], "{name}");
    }
}

#[test]
fn a_hook_that_panics_is_called_again() {
    let _alone = LANE.enter();
    let (tell, told) = mpsc::channel();
    let hook = move |stall: &Stall| {
        tell.send(stall.phase).unwrap();
        panic!("of the hook");
    };
    let runtime = builder("fifo").on_stall(hook).build().unwrap();
    let before = runtime.metrics().contained_panics_count();
    for _ in 0..2 {
        runtime.block_on(async { block_thread(4 * THRESHOLD) });
        assert_eq!(told.recv_timeout(LIMIT), Ok(Phase::Lasting));
        assert_eq!(told.recv_timeout(LIMIT), Ok(Phase::Over));
    }
    watched("the last panic is counted", LIMIT, move || {
        while runtime.metrics().contained_panics_count() < before + 4 {
            std::thread::yield_now();
        }
    });
}

#[test]
fn detect_counts_what_blocks_and_what_computes_and_relieves_nobody() {
    let _alone = LANE.enter();
    for name in names(&[2]) {
        let name = format!("{name},block=detect");
        // Not reported, and counted all the same.
        let runtime = builder(&name).stall_threshold(None).build().unwrap();
        let spin = async {
            let start = own_time();
            while own_time() - start < 4 * THRESHOLD {
                std::hint::spin_loop();
            }
        };
        runtime.block_on(runtime.spawn(async { block_thread(4 * THRESHOLD) })).unwrap();
        runtime.block_on(runtime.spawn(spin)).unwrap();
        let metrics = runtime.metrics();
        let counts = (metrics.blocked_polls_count(), metrics.computing_polls_count());
        assert_eq!(counts, (1, 1), "{name}");
        assert_eq!((metrics.num_relief_threads(), metrics.stalls_count()), (0, 0), "{name}");
    }
    for name in ["fifo,block=none", "steal:1"] {
        let runtime = builder(name).build().unwrap();
        runtime.block_on(runtime.spawn(async { block_thread(4 * THRESHOLD) })).unwrap();
        assert_eq!(runtime.metrics().blocked_polls_count(), 0, "{name}");
    }
    let refused = builder("fifo,block=handoff").build().unwrap_err();
    assert!(refused.is_policy_unsupported() && refused.to_string().contains("block=detect"), "{refused}");
}

#[test]
fn a_threshold_out_of_range_is_an_error() {
    for wrong in [Duration::ZERO, Duration::from_micros(999), Duration::from_secs(61), Duration::MAX] {
        let error = builder("fifo").stall_threshold(wrong).build().unwrap_err().to_string();
        assert!(error.contains("1ms to 60s"), "{error}");
    }
}

/// A poll that is told of before it has lasted as long as one that is detected.
#[test]
fn a_poll_that_was_told_of_is_detected_all_the_same() {
    let _alone = LANE.enter();
    for name in ["steal:1,block=detect", "fifo,block=detect"] {
        watched(name, LIMIT, move || {
            let builder = builder(name).stall_threshold(Duration::from_millis(1)).on_stall(|_| ());
            let runtime = builder.build().unwrap();
            runtime.block_on(runtime.spawn(async { block_thread(2 * BLOCKED) })).unwrap();
            let metrics = runtime.metrics();
            assert_eq!((metrics.stalls_count(), metrics.blocked_polls_count()), (1, 1), "{name}");
        });
    }
}
