//! Polls that last are named (C7), and nobody else is. A process of its own, because the monitor and the limit of lines are the
//! process's.
//!
//! Invariant: who is named, and that somebody is, is exact. The time until then is asserted beside it: for a poll that sleeps, by
//! the clock and what an idle thread lost in all; for one that computes, by its own time on the processor.

#![forbid(unsafe_code)]

mod sentinel;
mod subjects;

use polyloop::stall::{Cause, Phase, Stall, What};
use polyloop::{BlockPolicy, Runtime, SystemClock, task, time};
use polyloop_conformance::{LIMIT, block_thread, skip, unable, watched};
use polyloop_core::time::Clock;
use rustix::time::{ClockId, clock_gettime};
use sentinel::Sentinel;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::panic::Location;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, mpsc};
use std::time::Duration;
use subjects::{builder, names};

const THRESHOLD: Duration = Duration::from_millis(25);
const BLOCKED: Duration = Duration::from_millis(120);
/// Says to the children below what to do.
const CHILD: &str = "POLYLOOP_TEST_STALLS";

/// One after the other, so that they do not disturb each other.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn own_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

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

#[track_caller]
fn here() -> &'static Location<'static> {
    Location::caller()
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
    let _alone = alone();
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
    let _alone = alone();
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
    let _alone = alone();
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
    let _alone = alone();
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
    let _alone = alone();
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

mod events {
    //! The events of `tracing`.

    use super::*;
    use std::fmt::Debug;
    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Level, Metadata, Subscriber};

    struct Collector(mpsc::Sender<(Level, Vec<(String, String)>)>);

    #[derive(Default)]
    struct Fields(Vec<(String, String)>);

    impl Visit for Fields {
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            self.0.push((field.name().to_owned(), format!("{value:?}")));
        }
    }

    impl Subscriber for Collector {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.target() == "polyloop::stall"
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &Event<'_>) {
            let mut fields = Fields::default();
            event.record(&mut fields);
            self.0.send((*event.metadata().level(), fields.0)).unwrap();
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn a_stall_is_an_event_of_tracing() {
        let _alone = alone();
        let (tell, told) = mpsc::channel();
        tracing::subscriber::set_global_default(Collector(tell)).unwrap();
        let runtime = builder("steal:1").on_stall(|_| ()).build().unwrap();
        let _entered = runtime.enter();
        let handle = task::Builder::new().name("traced").spawn(async { block_thread(2 * BLOCKED) });
        runtime.block_on(handle).unwrap();
        let (level, fields) = loop {
            let (level, fields) = told.recv_timeout(LIMIT).unwrap();
            // Others of this process may end meanwhile.
            if fields.contains(&("task.name".to_owned(), "\"traced\"".to_owned())) {
                break (level, fields);
            }
        };
        assert_eq!(level, Level::WARN);
        let has = |name: &str, value: &str| {
            fields.iter().any(|(field, said)| field == name && (value.is_empty() || said == value))
        };
        assert!(has("task.file", &format!("{:?}", file!())) && has("task.line", ""), "{fields:?}");
        assert!(has("phase", "Lasting") && has("lasted_ms", "") && has("message", ""), "{fields:?}");
    }
}

/// A poll that is told of before it has lasted as long as one that is detected.
#[test]
fn a_poll_that_was_told_of_is_detected_all_the_same() {
    let _alone = alone();
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

/// What the children do: a way to stall, or to be busy without stalling.
#[test]
fn child() {
    let Ok(part) = std::env::var(CHILD) else { return };
    match part.as_str() {
        "twelve" => {
            let runtime = builder("fifo").build().unwrap_or_else(|error| {
                println!("<{error}>");
                std::process::exit(0)
            });
            for _ in 0..12 {
                runtime.block_on(async { block_thread(BLOCKED) });
            }
            block_thread(4 * THRESHOLD);
            println!("<{}>", runtime.metrics().stalls_count());
        }
        "named" => {
            let runtime = builder("steal:2").build().unwrap();
            let _entered = runtime.enter();
            // On a machine that is very busy not every one may be proven.
            let mut place = here();
            while runtime.metrics().stalls_count() == 0 {
                let named = task::Builder::new().name("the culprit");
                let (stalls, line) = (named.spawn(async { block_thread(BLOCKED) }), here());
                runtime.block_on(stalls).unwrap();
                place = line;
            }
            all_is_told();
            println!("<{}:{}:>", place.file(), place.line());
        }
        "silent" => {
            let runtime = builder("steal:1").stall_threshold(None).build().unwrap();
            runtime.block_on(runtime.spawn(async { block_thread(4 * THRESHOLD) })).unwrap();
            println!("<{}>", runtime.metrics().stalls_count());
        }
        "panics" => {
            struct Bomb;
            impl Drop for Bomb {
                fn drop(&mut self) {
                    panic!("in the drop of an output");
                }
            }
            let runtime = builder("steal:1").build().unwrap();
            runtime.block_on(async {
                drop(polyloop::spawn(async { Bomb }));
                while runtime.metrics().contained_panics_count() == 0 {
                    time::sleep(THRESHOLD).await;
                }
                // It is at work until the monitor has looked once more.
                time::sleep(8 * THRESHOLD).await;
            });
            println!("<{}>", runtime.metrics().contained_panics_count());
        }
        "capped" => {
            explode(4, 2 + 4, || ());
            all_is_told();
        }
        "locked" | "broken" => {
            // A monitor that stands still counts no more, and a pool that has ended runs no more.
            std::thread::spawn(|| {
                block_thread(6 * LIMIT);
                std::process::exit(1);
            });
            let _held = (part == "locked").then(|| std::io::stderr().lock());
            explode(4, 2 + 4, || ());
        }
        "some" => {
            let policy = BlockPolicy::HandOff { after: Duration::from_millis(4), max_threads: 1 };
            let runtime = builder("steal:2").block_policy(policy).build().unwrap();
            let over = Arc::new(AtomicBool::new(false));
            let blocks = || {
                let over = over.clone();
                runtime.spawn(async move {
                    while !over.load(SeqCst) {
                        block_thread(THRESHOLD);
                    }
                })
            };
            let blocked = [blocks(), blocks()];
            let yields = || {
                let over = over.clone();
                runtime.spawn(async move {
                    while !over.load(SeqCst) {
                        task::yield_now().await;
                    }
                })
            };
            let busy = [yields(), yields()];
            while runtime.metrics().refused_hand_offs_count() < 20 {
                block_thread(THRESHOLD);
            }
            over.store(true, SeqCst);
            blocked.into_iter().chain(busy).for_each(|task| runtime.block_on(task).unwrap());
            println!("<{} hand-off>", runtime.metrics().hand_offs_count());
        }
        // The monitor starts eight, and then the kernel refuses.
        "refused" => {
            // Also by whoever says it.
            let _held = std::io::stderr().lock();
            explode(32, 2 + 8, || ());
        }
        "clogged" => {
            clog_stderr();
            explode(32, 2 + 8, || {
                println!("<clogged>");
                // Until the other one has read what there is to read.
                std::io::stdin().read_exact(&mut [0]).unwrap();
            });
        }
        "until told" => be_busy(|| {
            block_thread(Duration::from_secs(1));
            std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        }),
        milliseconds => {
            let length = Duration::from_millis(milliseconds.parse().unwrap());
            be_busy(move || block_thread(length));
        }
    }
}

/// Writes to stderr, which is a pipe that nobody reads, until it takes no more.
fn clog_stderr() {
    let flags = rustix::fs::OFlags::NONBLOCK.bits().try_into().unwrap();
    let pipe = std::fs::File::options().append(true).custom_flags(flags).open("/proc/self/fd/2");
    let mut pipe = pipe.unwrap();
    for length in [4096, 1] {
        while pipe.write_all(&vec![b'\n'; length]).is_ok() {}
    }
}

/// Far more polls block than there may be threads; `at_once` of them do at the same time, and all end. `meanwhile` is called before they
/// do.
fn explode(max_threads: usize, at_once: usize, meanwhile: impl FnOnce()) {
    let policy = BlockPolicy::HandOff { after: Duration::from_millis(4), max_threads };
    let runtime = builder("steal:2").block_policy(policy).build().unwrap();
    let (begun, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let blocks = |_| {
        let (begun, over) = (begun.clone(), over.clone());
        runtime.spawn(async move {
            begun.fetch_add(1, SeqCst);
            while !over.load(SeqCst) {
                block_thread(THRESHOLD);
            }
        })
    };
    let tasks: Vec<_> = (0..2 * at_once).map(blocks).collect();
    while begun.load(SeqCst) < at_once {
        block_thread(THRESHOLD);
    }
    // Several looks of the monitor, at each of which it would like to have one more.
    let refused = || runtime.metrics().refused_hand_offs_count();
    let before = refused();
    while refused() < before + 5 {
        block_thread(THRESHOLD);
    }
    let most = begun.load(SeqCst);
    meanwhile();
    over.store(true, SeqCst);
    let ended = tasks.into_iter().map(|task| runtime.block_on(task).unwrap()).count();
    println!("<{most} at once, {ended} ended>");
}

/// Waits until nobody is there who tells.
fn all_is_told() {
    let tells = |thread: std::io::Result<std::fs::DirEntry>| {
        std::fs::read_to_string(thread.ok()?.path().join("comm"))
            .ok()
            .filter(|name| name.trim() == "polyloop-stalls")
    };
    while std::fs::read_dir("/proc/self/task")
        .is_ok_and(|threads| threads.into_iter().any(|thread| tells(thread).is_some()))
    {
        std::thread::yield_now();
    }
}

/// Four workers and a thread in `block_on`, busy for as long as `wait` takes with polls of 200 µs, and with some of 8 ms,
/// which are long and no stalls.
fn be_busy(wait: impl FnOnce() + Send + 'static) {
    // A poll that computes for half of `after` may be relieved, and one of 8 ms should not be here.
    let runtime = Runtime::from_name("steal:4,block=handoff:20ms").unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let busy = |poll: Duration| {
        let stop = stop.clone();
        async move {
            let mut polls = 0;
            while !stop.load(SeqCst) {
                let own = own_time();
                while own_time() - own < poll {
                    std::hint::spin_loop();
                }
                task::yield_now().await;
                polls += 1;
            }
            polls
        }
    };
    let tasks: Vec<_> = (0..8)
        .map(|index| if index < 6 { Duration::from_micros(200) } else { Duration::from_millis(8) })
        .map(|poll| runtime.spawn(busy(poll)))
        .collect();
    let stopper = stop.clone();
    let clock = std::thread::spawn(move || {
        wait();
        stopper.store(true, SeqCst);
    });
    let mut ended = u32::from(runtime.block_on(busy(Duration::from_micros(200))) > 0);
    for task in tasks {
        ended += u32::from(runtime.block_on(task).unwrap() > 0);
    }
    clock.join().unwrap();
    let (metrics, names) = (runtime.metrics(), ["ended", "stalls", "hand-offs"]);
    let counts = [u64::from(ended), metrics.stalls_count(), metrics.hand_offs_count()];
    let said: Vec<_> = counts.iter().zip(names).map(|(count, name)| format!("{count} {name}")).collect();
    println!("<{}>", said.join(", "));
}

/// A child behind the words of another command, unless there is none of that name.
fn start(part: &str, words: &[&str], variable: Option<&str>) -> Option<Child> {
    let own = std::env::current_exe().unwrap();
    let words: Vec<_> = words.iter().copied().chain([own.to_str().unwrap()]).collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args(["child", "--exact", "--nocapture", "--test-threads=1"]);
    command.env(CHILD, part).env("RUST_BACKTRACE", "0").env_remove("POLYLOOP_STALLS");
    if let Some(variable) = variable {
        command.env("POLYLOOP_STALLS", variable);
    }
    match command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn() {
        Ok(child) => Some(child),
        Err(error) => {
            skip(&format!("{}: {error}", words[0]));
            None
        }
    }
}

/// What the child says between `<` and `>`, and the lines of ours on its stderr.
fn said(child: Child) -> (String, Vec<String>) {
    let output = child.wait_with_output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let said = out.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    let said = said.unwrap_or_else(|| panic!("{out}\n{err}")).0.to_owned();
    (said, err.lines().filter(|line| line.starts_with("polyloop: ")).map(str::to_owned).collect())
}

fn run(part: &str, variable: Option<&str>) -> (String, Vec<String>) {
    said(start(part, &["env"], variable).unwrap())
}

#[test]
fn five_lines_a_minute_are_said_on_stderr() {
    let _alone = alone();
    let (stalls, lines) = run("twelve", None);
    // Each is two lines; on a machine that is very busy not every one may be proven.
    assert!(stalls.parse::<usize>().unwrap() >= 3, "{stalls}: {lines:?}");
    assert_eq!(lines.len(), 5, "{lines:?}");
    let (lasting, over) = (&lines[0], &lines[1]);
    assert!(lasting.contains("the future of `block_on` at ") && lasting.contains("stalls.rs:"), "{lines:?}");
    assert!(over.contains("altogether"), "{lines:?}");
}

/// What somebody sees who has never heard of all this.
#[test]
fn a_program_that_says_nothing_has_the_culprit_named_on_stderr() {
    let _alone = alone();
    let (place, lines) = run("named", None);
    let line = &lines[0];
    assert!(
        line.starts_with(&format!("polyloop: task `the culprit` spawned at {place}"))
            && line.contains(" has been in one poll for ")
            && line.contains("thread poly-worker-"),
        "{line}"
    );
    if cfg!(target_os = "linux") {
        let blocked = ["clock_nanosleep", "nanosleep"].map(|call| format!(" blocked in {call}"));
        assert!(blocked.iter().any(|blocked| line.contains(blocked)), "{line}");
    }
}

#[test]
fn the_variable_and_the_builder_switch_reports_off() {
    let _alone = alone();
    assert_eq!(run("twelve", Some("off")), ("0".to_owned(), vec![]));
    assert_eq!(run("twelve", Some("30s")), ("0".to_owned(), vec![]));
    assert_ne!(run("twelve", Some("50ms")).0, "0");
    assert_ne!(run("twelve", Some("")).0, "0", "empty is as unset");
    assert!(run("twelve", Some("never")).0.starts_with("POLYLOOP_STALLS: `never` is neither `off` nor"));
    // What the program says wins.
    assert_eq!(run("silent", Some("1ms")), ("0".to_owned(), vec![]));
}

#[test]
fn a_contained_panic_is_told_of() {
    let _alone = alone();
    // To write a backtrace is a stall of its own.
    let (count, lines) = run("panics", Some("off"));
    assert_eq!((count.as_str(), lines.len()), ("1", 1), "{lines:?}");
    assert!(
        lines[0].starts_with("polyloop: a panic in wakers, in hooks or in drops of outputs"),
        "{lines:?}"
    );
}

#[test]
fn when_everything_blocks_threads_are_no_more_than_allowed_and_that_is_said() {
    let _alone = alone();
    let (said, lines) = run("capped", Some("off"));
    assert_eq!(said, "6 at once, 12 ended");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("none can be replaced: all of the 4 threads beyond the workers"), "{lines:?}");
}

#[test]
fn as_long_as_some_worker_runs_tasks_nothing_is_said_of_those_that_cannot_be_replaced() {
    let _alone = alone();
    let (said, lines) = run("some", Some("off"));
    // One; on a machine that is busy the worker that goes on may be relieved, too.
    assert!(said.ends_with(" hand-off") && !said.starts_with('0'), "{said}");
    assert_eq!(lines, [""; 0]);
}

/// It is said by somebody who may wait, and who may find nobody to listen; the monitor does neither.
#[test]
fn when_everything_blocks_and_nobody_can_be_told_the_others_go_on() {
    let _alone = alone();
    assert_eq!(run("locked", Some("off")).0, "6 at once, 12 ended");
    let mut child = start("broken", &["env"], Some("off")).unwrap();
    drop(child.stderr.take());
    assert_eq!(said(child).0, "6 at once, 12 ended");
}

#[test]
fn when_the_kernel_refuses_threads_the_others_go_on_and_that_is_said() {
    let _alone = alone();
    let Some(child) = start_without_threads("refused") else { return };
    let (said, lines) = said(child);
    assert_eq!(said, "10 at once, 20 ended");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains(NO_THREAD), "{lines:?}");
}

const NO_THREAD: &str = "none can be replaced: a thread could not be started: ";

/// A child whose threads start eight others each, and no more.
fn start_without_threads(part: &str) -> Option<Child> {
    let strace = "strace -f -o /dev/null -e trace=clone,clone3 -e inject=clone,clone3:error=EAGAIN:when=9+";
    start(part, &strace.split(' ').collect::<Vec<_>>(), Some("off"))
}

/// Neither is there a thread that could wait until stderr has room, nor does the monitor.
#[test]
fn when_the_kernel_refuses_threads_and_stderr_is_full_that_is_said_once_there_is_room() {
    let _alone = alone();
    let Some(mut child) = start_without_threads("clogged") else { return };
    watched("a full stderr", 6 * LIMIT, move || {
        let mut out = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        // It has looked, and looks on.
        assert!(out.any(|line| line.ends_with("<clogged>")));
        let mut err = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let ours = err.find(|line| line.starts_with("polyloop: ")).unwrap();
        assert!(ours.contains(NO_THREAD), "{ours}");
        child.stdin.take().unwrap().write_all(b"x").unwrap();
        assert!(out.any(|line| line.ends_with("<10 at once, 20 ended>")));
        assert!(child.wait().unwrap().success());
    });
}

mod alarms {
    //! Nobody is named in a program that yields in time, however the machine treats it.

    use super::*;
    use std::fs;
    use std::io;
    use std::path::{Path, PathBuf};

    /// One after the other, but beside the tests above: whatever those do to the machine must raise no alarm either.
    fn in_turn() -> MutexGuard<'static, ()> {
        static TURN: Mutex<()> = Mutex::new(());
        TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// All have ended, and nobody was named or relieved.
    fn assert_quiet(child: Child) {
        assert_eq!(said(child), ("9 ended, 0 stalls, 0 hand-offs".to_owned(), vec![]));
    }

    fn signal(child: &Child, name: &str) {
        assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
    }

    #[test]
    fn on_one_processor_that_four_workers_fight_for() {
        let _turn = in_turn();
        if let Some(child) = start("10000", &["taskset", "-c", "0"], None) {
            assert_quiet(child);
        }
    }

    #[test]
    fn in_a_process_that_is_stopped_and_continued() {
        let _turn = in_turn();
        let child = start("3000", &["env"], None).unwrap();
        // Shorter and longer than what counts as a gap, and much longer than the threshold.
        for stop in [5, 15, 40, 80, 12, 300, 25, 1_000] {
            block_thread(Duration::from_millis(60));
            signal(&child, "-STOP");
            block_thread(Duration::from_millis(stop));
            signal(&child, "-CONT");
        }
        assert_quiet(child);
    }

    /// A quota of 20 %, by signals, because control groups need not be ours: 20 ms of each 100 ms, for all at the same time.
    #[test]
    fn under_a_fifth_of_the_time() {
        let _turn = in_turn();
        let child = start("3000", &["env"], None).unwrap();
        for _ in 0..25 {
            block_thread(Duration::from_millis(20));
            signal(&child, "-STOP");
            block_thread(Duration::from_millis(80));
            signal(&child, "-CONT");
        }
        assert_quiet(child);
    }

    /// The kernel's own, which stops each thread where it next would be let run.
    #[test]
    fn under_a_quota_of_a_fifth() {
        let _turn = in_turn();
        let quota = match Quota::a_fifth() {
            Ok(quota) => quota,
            Err(error) => return unable(&format!("no control group with a quota can be made: {error}")),
        };
        let child = start("3000", &["env"], None).unwrap();
        let admitted = quota.admit(&child);
        assert_quiet(child);
        match admitted {
            // A machine that is busy with others may not give it even a fifth.
            Ok(()) if !quota.has_throttled() => unable("the quota was never used up"),
            Ok(()) => {}
            Err(error) => unable(&format!("no process can be put into a control group: {error}")),
        }
    }

    /// A control group of our own.
    struct Quota(PathBuf);

    impl Quota {
        /// 20 ms of each 100 ms, below the group of this process, by either interface, or why neither does.
        fn a_fifth() -> io::Result<Self> {
            let mut made = Err(io::Error::other("the processor has no controller here"));
            for line in fs::read_to_string("/proc/self/cgroup")?.lines() {
                let mut parts = line.splitn(3, ':').skip(1);
                let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
                let files: &[_] = match controllers {
                    "" => &[("cpu.max", "20000 100000")],
                    _ if controllers.split(',').any(|name| name == "cpu") => {
                        &[("cpu.cfs_period_us", "100000"), ("cpu.cfs_quota_us", "20000")]
                    }
                    _ => continue,
                };
                let parent = Path::new("/sys/fs/cgroup").join(controllers).join(path.trim_start_matches('/'));
                made = Self::below(&parent, files);
                if made.is_ok() {
                    break;
                }
            }
            made
        }

        fn below(parent: &Path, files: &[(&str, &str)]) -> io::Result<Self> {
            let group = parent.join(format!("polyloop-test-{}", std::process::id()));
            fs::create_dir(&group)?;
            let group = Self(group);
            files.iter().try_for_each(|(file, text)| group.write(file, text))?;
            Ok(group)
        }

        /// Into a file that is there already: elsewhere a write would make one.
        fn write(&self, file: &str, text: &str) -> io::Result<()> {
            fs::OpenOptions::new().write(true).open(self.0.join(file))?.write_all(text.as_bytes())
        }

        fn admit(&self, child: &Child) -> io::Result<()> {
            self.write("cgroup.procs", &child.id().to_string())
        }

        fn has_throttled(&self) -> bool {
            let stat = fs::read_to_string(self.0.join("cpu.stat")).unwrap();
            let times = stat.lines().find_map(|line| line.strip_prefix("nr_throttled "));
            times.unwrap().trim() != "0"
        }
    }

    impl Drop for Quota {
        fn drop(&mut self) {
            _ = fs::remove_dir(&self.0);
        }
    }

    /// All threads are stopped for as long as somebody looks at them, again and again.
    #[test]
    fn under_a_debugger_that_stops_it() {
        let _turn = in_turn();
        // However long gdb takes to come.
        let child = start("until told", &["env"], None).unwrap();
        let id = child.id().to_string();
        let looks = ["-q", "-batch", "-nx", "-p", &id, "-ex", "shell sleep 0.2", "-ex", "detach"];
        for _ in 0..6 {
            match Command::new("gdb").args(looks).output() {
                Ok(output) if String::from_utf8_lossy(&output.stdout).contains("detached") => {}
                Ok(output) => {
                    unable(&format!("gdb may not stop it: {}", String::from_utf8_lossy(&output.stderr)));
                    break;
                }
                Err(error) => {
                    skip(&format!("gdb: {error}"));
                    break;
                }
            }
            block_thread(Duration::from_millis(100));
        }
        assert_quiet(child);
    }

    /// Whoever else is ready on its processor comes first, and four workers always are.
    #[test]
    fn with_a_monitor_that_is_hardly_let_run() {
        let _turn = in_turn();
        let Some(child) = start("4000", &["taskset", "-c", "0"], None) else { return };
        let threads = PathBuf::from(format!("/proc/{}/task", child.id()));
        let has_name = |thread: &PathBuf| {
            fs::read_to_string(thread.join("comm")).is_ok_and(|name| name.starts_with("polyloop-monito"))
        };
        let find =
            || fs::read_dir(&threads).ok()?.filter_map(|entry| Some(entry.ok()?.path())).find(has_name);
        let monitor = loop {
            match find() {
                Some(monitor) => break monitor,
                None => block_thread(Duration::from_millis(1)),
            }
        };
        let id = monitor.file_name().unwrap().to_str().unwrap();
        // On the processor and waiting for it, in nanoseconds, and how often it has had it.
        let times = || -> Vec<u64> {
            let times = fs::read_to_string(monitor.join("schedstat")).unwrap();
            times.split_whitespace().map(|time| time.parse().unwrap()).collect()
        };
        let before = times();
        match Command::new("chrt").args(["-i", "-p", "0", id]).status() {
            Ok(status) if status.success() => {
                block_thread(Duration::from_secs(3));
                // The wait that is going on is not in it, so that one that was never let run has not waited.
                let after = times();
                let (waited, looks) = (after[1] - before[1], after[2] - before[2]);
                assert!(waited >= 1_000_000_000 || looks < 100, "it was let run: {before:?}, {after:?}");
            }
            Ok(_) => unable("chrt may not have the monitor starve"),
            Err(error) => skip(&format!("chrt: {error}")),
        }
        assert_quiet(child);
    }

    /// Each of its system calls stops the thread twice.
    #[test]
    fn under_a_tracer() {
        let _turn = in_turn();
        if let Some(child) = start("2000", &["strace", "-f", "-o", "/dev/null"], None) {
            assert_quiet(child);
        }
    }
}
