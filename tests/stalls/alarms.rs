//! Nobody is named in a program that yields in time, however the machine treats it.

use crate::children::{said, start};
use crate::{Lane, own_time};
use polyloop::{Runtime, task};
use polyloop_conformance::{block_thread, skip, unable};
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

/// What the children do: they are busy for so many milliseconds, or until their input ends.
pub(crate) fn play(length: &str) {
    match length {
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

/// Four workers and a thread in `block_on`, busy for as long as `wait` takes with polls of 200 µs, and with some of 8 ms,
/// which are long and no stalls.
fn be_busy(wait: impl FnOnce() + Send + 'static) {
    // A poll that computes for three quarters of `after` may be relieved, and one of 8 ms should not be here, also if the kernel charges it
    // at once for what it has not run: one look believes a quarter of `after`.
    let runtime = Runtime::from_name("steal:4,block=handoff:20ms").unwrap();
    let (stop, most_at_once) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let busy = |poll: Duration| {
        let (stop, most_at_once) = (stop.clone(), most_at_once.clone());
        async move {
            let mut polls = 0;
            while !stop.load(SeqCst) {
                let begin = own_time();
                let (mut last, mut most) = (begin, Duration::ZERO);
                while last - begin < poll {
                    let before = std::mem::replace(&mut last, own_time());
                    most = most.max(last - before);
                }
                most_at_once.fetch_max(most.as_micros().try_into().unwrap(), SeqCst);
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
    // What the kernel has charged a thread for next to nothing.
    println!("charged up to {} µs between two readings of a thread's clock", most_at_once.load(SeqCst));
}

static LANE: Lane = Lane::new();

/// All have ended, and nobody was named or relieved.
fn assert_quiet(child: Child) {
    assert_eq!(said(child), ("9 ended, 0 stalls, 0 hand-offs".to_owned(), vec![]));
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn on_one_processor_that_four_workers_fight_for() {
    let _alone = LANE.enter();
    if let Some(child) = start("busy 10000", &["taskset", "-c", "0"], None) {
        assert_quiet(child);
    }
}

#[test]
fn in_a_process_that_is_stopped_and_continued() {
    let _alone = LANE.enter();
    let child = start("busy 3000", &["env"], None).unwrap();
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
    let _alone = LANE.enter();
    let child = start("busy 3000", &["env"], None).unwrap();
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
    let _alone = LANE.enter();
    let quota = match Quota::a_fifth() {
        Ok(quota) => quota,
        Err(error) => return unable(&format!("no control group with a quota can be made: {error}")),
    };
    let child = start("busy 3000", &["env"], None).unwrap();
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
    let _alone = LANE.enter();
    // However long gdb takes to come.
    let child = start("busy until told", &["env"], None).unwrap();
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
    let _alone = LANE.enter();
    let Some(child) = start("busy 4000", &["taskset", "-c", "0"], None) else { return };
    let threads = PathBuf::from(format!("/proc/{}/task", child.id()));
    let has_name = |thread: &PathBuf| {
        fs::read_to_string(thread.join("comm")).is_ok_and(|name| name.starts_with("polyloop-monito"))
    };
    let find = || fs::read_dir(&threads).ok()?.filter_map(|entry| Some(entry.ok()?.path())).find(has_name);
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
    let _alone = LANE.enter();
    if let Some(child) = start("busy 2000", &["strace", "-f", "-o", "/dev/null"], None) {
        assert_quiet(child);
    }
}
