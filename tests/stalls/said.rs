//! What is said on stderr to whoever has no hook.

use crate::children::{said, start};
use crate::subjects::builder;
use crate::{BLOCKED, Lane, THRESHOLD, here};
use polyloop::{BlockPolicy, task, time};
use polyloop_conformance::{LIMIT, block_thread, watched};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

static LANE: Lane = Lane::new();

/// What the children do: a way to stall, or a trouble with saying so.
pub(crate) fn play(part: &str) {
    match part {
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
        other => panic!("no part: {other}"),
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

fn run(part: &str, variable: Option<&str>) -> (String, Vec<String>) {
    said(start(part, &["env"], variable).unwrap())
}

#[test]
fn five_lines_a_minute_are_said_on_stderr() {
    let _alone = LANE.enter();
    let (stalls, lines) = run("twelve", None);
    // Each is two lines; on a machine that is very busy not every one may be proven.
    assert!(stalls.parse::<usize>().unwrap() >= 3, "{stalls}: {lines:?}");
    assert_eq!(lines.len(), 5, "{lines:?}");
    let (lasting, over) = (&lines[0], &lines[1]);
    assert!(lasting.contains("the future of `block_on` at ") && lasting.contains("said.rs:"), "{lines:?}");
    assert!(over.contains("altogether"), "{lines:?}");
}

/// What somebody sees who has never heard of all this.
#[test]
fn a_program_that_says_nothing_has_the_culprit_named_on_stderr() {
    let _alone = LANE.enter();
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
    let _alone = LANE.enter();
    let twelve = |value| ("twelve", value);
    // In the last one the program itself says it, which wins over the variable.
    let parts =
        [twelve("off"), twelve("30s"), twelve("50ms"), twelve(""), twelve("never"), ("silent", "1ms")];
    let running = parts.map(|(part, value)| start(part, &["env"], Some(value)).unwrap());
    let [off, longer, shorter, empty, unknown, silent] = running.map(said);
    let nothing = ("0".to_owned(), vec![]);
    assert_eq!(off, nothing);
    assert_eq!(longer, nothing);
    assert_ne!(shorter.0, "0");
    assert_ne!(empty.0, "0", "empty is as unset");
    assert!(unknown.0.starts_with("POLYLOOP_STALLS: `never` is neither `off` nor"), "{unknown:?}");
    assert_eq!(silent, nothing);
}

#[test]
fn a_contained_panic_is_told_of() {
    let _alone = LANE.enter();
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
    let _alone = LANE.enter();
    let (said, lines) = run("capped", Some("off"));
    assert_eq!(said, "6 at once, 12 ended");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("none can be replaced: all of the 4 threads beyond the workers"), "{lines:?}");
}

#[test]
fn as_long_as_some_worker_runs_tasks_nothing_is_said_of_those_that_cannot_be_replaced() {
    let _alone = LANE.enter();
    let (said, lines) = run("some", Some("off"));
    // One; on a machine that is busy the worker that goes on may be relieved, too.
    assert!(said.ends_with(" hand-off") && !said.starts_with('0'), "{said}");
    assert_eq!(lines, [""; 0]);
}

/// It is said by somebody who may wait, and who may find nobody to listen; the monitor does neither.
#[test]
fn when_everything_blocks_and_nobody_can_be_told_the_others_go_on() {
    let _alone = LANE.enter();
    assert_eq!(run("locked", Some("off")).0, "6 at once, 12 ended");
    let mut child = start("broken", &["env"], Some("off")).unwrap();
    drop(child.stderr.take());
    assert_eq!(said(child).0, "6 at once, 12 ended");
}

#[test]
fn when_the_kernel_refuses_threads_the_others_go_on_and_that_is_said() {
    let _alone = LANE.enter();
    let Some(child) = start_without_threads("refused") else { return };
    let (said, lines) = said(child);
    assert_eq!(said, "10 at once, 20 ended");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains(NO_THREAD), "{lines:?}");
}

const NO_THREAD: &str = "none can be replaced: a thread could not be started: ";

/// A child whose threads start eight others each, and no more.
fn start_without_threads(part: &str) -> Option<Child> {
    let strace = "strace -f --seccomp-bpf -o /dev/null -e trace=clone,clone3 -e inject=clone,clone3:error=EAGAIN:when=9+";
    start(part, &strace.split(' ').collect::<Vec<_>>(), Some("off"))
}

/// Neither is there a thread that could wait until stderr has room, nor does the monitor.
#[test]
fn when_the_kernel_refuses_threads_and_stderr_is_full_that_is_said_once_there_is_room() {
    let _alone = LANE.enter();
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
