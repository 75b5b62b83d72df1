//! What a shutdown reports (C9): exact counts, and the name of everything that did not end.
//!
//! Invariant: whatever a test holds back ends only after the report, and a second shutdown sees it ended.

use crate::subjects::{builder, names};
use polyloop::task::{self, Meta};
use polyloop::{Report, Runtime};
use polyloop_conformance::{LIMIT, watched};
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// Longer than anything takes that is not held back.
const LONG: Duration = Duration::from_secs(60);
/// Short, but nothing depends on how short.
const SHORT: Duration = Duration::from_millis(20);

fn each(body: fn(Runtime)) {
    for name in names(&[1, 2]) {
        watched(&name.clone(), LIMIT, move || body(builder(&name).build().unwrap()));
    }
}

/// Holds somebody up until it is let go.
fn gate() -> (Gate, Held) {
    let ((begun, began), (release, released)) = (channel(), channel());
    (Gate { began, release }, Held { begun, released })
}

struct Gate {
    began: Receiver<()>,
    release: Sender<()>,
}

struct Held {
    begun: Sender<()>,
    released: Receiver<()>,
}

impl Held {
    /// Blocks the thread until the gate is opened.
    fn wait(&self) {
        self.begun.send(()).unwrap();
        self.released.recv().unwrap();
    }
}

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

fn joined<T>(handle: task::JoinHandle<T>) -> Result<T, task::JoinError> {
    futures::executor::block_on(handle)
}

/// The names of those who have not ended, or the lines where they were spawned.
fn called(unfinished: &[Meta]) -> Vec<String> {
    let call = |meta: &Meta| meta.name.as_deref().map_or(meta.location.line().to_string(), str::to_owned);
    let mut called: Vec<_> = unfinished.iter().map(call).collect();
    called.sort();
    called
}

fn counts(report: &Report) -> [u64; 4] {
    [report.tasks.finished, report.tasks.cancelled, report.jobs.finished, report.jobs.cancelled]
}

#[test]
fn a_runtime_without_trouble_ends_clean_and_everything_is_counted() {
    each(|runtime| {
        runtime.block_on(async {
            for _ in 0..5 {
                polyloop::spawn(async {}).await.unwrap();
            }
            let aborted = polyloop::spawn(pending::<()>());
            aborted.abort();
            assert!(aborted.await.unwrap_err().is_cancelled());
            task::spawn_blocking(|| ()).await.unwrap();
        });
        let pending: Vec<_> = (0..10).map(|_| runtime.spawn(pending::<()>())).collect();
        let report = runtime.shutdown(LONG);
        assert!(report.is_clean(), "{report}");
        assert_eq!(counts(&report), [6, 10, 1, 0]);
        assert!(
            report
                .to_string()
                .starts_with("everything has ended: 6 tasks finished, 10 cancelled; 1 blocking job")
        );
        assert!(pending.into_iter().all(|task| joined(task).unwrap_err().is_cancelled()));
    });
}

#[test]
fn a_second_shutdown_reports_the_same() {
    each(|runtime| {
        drop(runtime.spawn(pending::<()>()));
        let first = runtime.shutdown(LONG);
        assert!(first.is_clean(), "{first}");
        assert_eq!(runtime.shutdown(LONG), first);
        assert_eq!(runtime.shutdown(Duration::ZERO), first);
    });
}

#[test]
fn tasks_that_are_stuck_in_a_poll_are_named_and_nobody_waits_for_them() {
    for name in names(&[2]).into_iter().filter(|name| !name.starts_with("fifo")) {
        watched(&name.clone(), LIMIT, move || {
            let runtime = builder(&name).build().unwrap();
            let drops = Arc::new(AtomicUsize::new(0));
            let ((gate, held), (other_gate, other_held)) = (gate(), gate());
            let counted = Counted(drops.clone());
            let _within = runtime.enter();
            let named = task::Builder::new().name("hog").spawn(async move {
                let _counted = counted;
                held.wait();
                task::yield_now().await;
            });
            let line = line!() + 1;
            let plain = runtime.spawn(async move { other_held.wait() });
            gate.began.recv().unwrap();
            other_gate.began.recv().unwrap();
            let idle = runtime.spawn(pending::<()>());
            let report = runtime.shutdown(SHORT);
            assert!(!report.is_clean());
            assert_eq!(called(&report.tasks.unfinished), [&line.to_string(), "hog"]);
            assert_eq!((counts(&report), report.threads), ([0, 1, 0, 0], 2));
            let said = report.to_string();
            assert!(said.starts_with("not everything has ended: "), "{said}");
            assert!(said.contains("\n  still in a poll: task `hog` spawned at "), "{said}");
            assert!(joined(idle).unwrap_err().is_cancelled());
            assert_eq!(drops.load(SeqCst), 0);

            gate.release.send(()).unwrap();
            other_gate.release.send(()).unwrap();
            let report = runtime.shutdown(LONG);
            assert!(report.is_clean(), "{report}");
            // The plain one ended by itself, the named one was cancelled where it yielded.
            assert_eq!(counts(&report), [1, 2, 0, 0]);
            assert_eq!(drops.load(SeqCst), 1);
            assert!(joined(named).unwrap_err().is_cancelled());
            joined(plain).unwrap();
        });
    }
}

#[test]
fn a_task_that_is_stuck_on_the_thread_inside_block_on_is_named() {
    for name in names(&[]).into_iter().filter(|name| name.starts_with("fifo")) {
        watched(&name.clone(), LIMIT, move || {
            let runtime = Arc::new(builder(&name).build().unwrap());
            let (gate, held) = gate();
            let driving = {
                let runtime = runtime.clone();
                std::thread::spawn(move || {
                    runtime.block_on(async {
                        let queued = polyloop::spawn(pending::<()>());
                        let hog = task::Builder::new().name("hog").spawn(async move { held.wait() });
                        let behind = polyloop::spawn(pending::<()>());
                        // The last of them; whatever the hog is, it ended by itself.
                        assert!(queued.await.unwrap_err().is_cancelled());
                        assert!(behind.await.unwrap_err().is_cancelled());
                        hog.await.unwrap();
                    })
                })
            };
            gate.began.recv().unwrap();
            let report = runtime.shutdown(SHORT);
            assert!(called(&report.tasks.unfinished).contains(&"hog".to_owned()), "{report}");
            assert_eq!(report.threads, 1);
            gate.release.send(()).unwrap();
            let report = runtime.shutdown(LONG);
            assert!(report.is_clean(), "{report}");
            assert_eq!(counts(&report), [1, 2, 0, 0]);
            driving.join().unwrap();
        });
    }
}

#[test]
fn a_job_that_outlives_the_deadline_is_named() {
    each(|runtime| {
        let (gate, held) = gate();
        let line = line!() + 1;
        let job = runtime.spawn_blocking(move || held.wait());
        gate.began.recv().unwrap();
        let report = runtime.shutdown(SHORT);
        assert!(!report.is_clean());
        assert_eq!(called(&report.jobs.unfinished), [line.to_string()]);
        assert!(report.to_string().contains("\n  still running: blocking job spawned at "), "{report}");
        gate.release.send(()).unwrap();
        let report = runtime.shutdown(LONG);
        assert!(report.is_clean(), "{report}");
        assert_eq!(counts(&report), [0, 0, 1, 0]);
        joined(job).unwrap();
    });
}

#[test]
fn a_job_that_ends_before_the_deadline_is_waited_for() {
    each(|runtime| {
        let ended = Arc::new(AtomicBool::new(false));
        let (began, begun) = channel();
        let ending = ended.clone();
        let job = runtime.spawn_blocking(move || {
            began.send(()).unwrap();
            polyloop_conformance::block_thread(SHORT);
            ending.store(true, SeqCst);
        });
        begun.recv().unwrap();
        let report = runtime.shutdown(LONG);
        assert!(ended.load(SeqCst) && report.is_clean(), "{report}");
        joined(job).unwrap();
    });
}

#[test]
fn jobs_that_have_not_begun_are_cancelled() {
    for name in ["fifo", "steal:1"] {
        watched(name, LIMIT, move || {
            let runtime = builder(name).max_blocking_threads(1).build().unwrap();
            let (gate, held) = gate();
            let running = runtime.spawn_blocking(move || held.wait());
            let queued: Vec<_> = (0..3).map(|_| runtime.spawn_blocking(|| ())).collect();
            gate.began.recv().unwrap();
            let report = runtime.shutdown(SHORT);
            assert_eq!((report.jobs.cancelled, report.jobs.unfinished.len()), (3, 1));
            assert!(queued.into_iter().all(|job| joined(job).unwrap_err().is_cancelled()));
            gate.release.send(()).unwrap();
            joined(running).unwrap();
        });
    }
}

#[test]
fn a_task_may_shut_its_own_runtime_down_and_is_the_only_one_left() {
    each(|runtime| {
        let runtime = Arc::new(runtime);
        let drops = Arc::new(AtomicUsize::new(0));
        let (tell, told) = channel();
        let handle = runtime.handle().clone();
        let (counted, own) = (Counted(drops.clone()), runtime.clone());
        let body = async move {
            for _ in 0..10 {
                let counted = Counted(counted.0.clone());
                drop(polyloop::spawn(async move {
                    let _counted = counted;
                    pending::<()>().await;
                }));
            }
            tell.send(own.shutdown(LONG)).unwrap();
        };
        let caller = {
            let _within = handle.enter();
            task::Builder::new().name("caller").spawn(body)
        };
        handle.block_on(async { caller.await.unwrap() });
        let report = told.recv().unwrap();
        assert_eq!(called(&report.tasks.unfinished), ["caller"]);
        assert_eq!((counts(&report), report.threads), ([0, 10, 0, 0], 0));
        assert_eq!(drops.load(SeqCst), 11);
        let report = runtime.shutdown(LONG);
        assert!(report.is_clean(), "{report}");
        assert_eq!(counts(&report), [1, 10, 0, 0]);
    });
}

#[test]
fn a_blocking_job_may_shut_its_own_runtime_down_and_is_the_only_one_left() {
    each(|runtime| {
        let runtime = Arc::new(runtime);
        drop(runtime.spawn(pending::<()>()));
        let own = runtime.clone();
        let report = joined(runtime.spawn_blocking(move || own.shutdown(LONG))).unwrap();
        assert_eq!((report.jobs.unfinished.len(), report.threads), (1, 0), "{report}");
        assert_eq!(report.tasks.cancelled, 1);
    });
}

#[test]
fn drops_that_panic_are_counted_and_their_joiners_told() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("as the test wants it");
        }
    }
    each(|runtime| {
        let (begun, began) = futures::channel::oneshot::channel();
        let panics = runtime.spawn(async {
            let _panics = Panics;
            begun.send(()).unwrap();
            pending::<()>().await;
        });
        runtime.block_on(began).unwrap();
        let report = runtime.shutdown(LONG);
        assert!(report.is_clean(), "{report}");
        assert_eq!(report.tasks.panicked_drops, u64::from(joined(panics).unwrap_err().is_panic()));
        assert_eq!(report.tasks.panicked_drops, 1);
        assert!(report.to_string().contains("; 1 drop panicked"), "{report}");
    });
}

#[test]
fn handles_of_a_runtime_that_was_shut_down_say_so() {
    each(|runtime| {
        let handle = runtime.handle().clone();
        let early = handle.try_spawn(async { 7 }).unwrap();
        assert_eq!(runtime.block_on(early).unwrap(), 7);
        assert!(!handle.is_shut_down());
        let report = runtime.shutdown(LONG);
        assert!(report.is_clean(), "{report}");
        assert!(handle.is_shut_down());
        assert!(joined(handle.spawn(async {})).unwrap_err().is_cancelled());
        assert!(joined(handle.spawn_blocking(|| ())).unwrap_err().is_cancelled());
        let back = handle.try_spawn(async { 7 }).map(drop).unwrap_err();
        assert_eq!(back.to_string(), "the runtime has shut down, and runs no more tasks");
        assert_eq!(futures::executor::block_on(back.0), 7, "the future comes back");
        // What came too late is counted, too.
        assert_eq!(counts(&runtime.shutdown(LONG)), [1, 1, 0, 1]);
        assert_eq!(handle.block_on(async { 3 }), 3);
    });
}

#[test]
fn tokios_names_do_the_same() {
    each(|runtime| {
        let task = runtime.spawn(pending::<()>());
        runtime.shutdown_timeout(LONG);
        assert!(joined(task).unwrap_err().is_cancelled());
    });
    each(|runtime| {
        let (gate, held) = gate();
        let task = runtime.spawn(pending::<()>());
        let job = runtime.spawn_blocking(move || held.wait());
        gate.began.recv().unwrap();
        runtime.shutdown_background();
        assert!(joined(task).unwrap_err().is_cancelled());
        gate.release.send(()).unwrap();
        joined(job).unwrap();
    });
}
