//! What a running process tells of its tasks and workers: by call, by signal, and line by line.
//!
//! Invariant: who is where when the dump is made is decided by gates, never by how fast something was.

use crate::subjects::{builder, names};
use polyloop::dump::{self, Dump, RESOLUTION, TaskDump, TaskKind, TaskState, Why};
use polyloop::sync::{Notify, oneshot};
use polyloop::{BlockPolicy, Handle, Runtime, task, time};
use polyloop_conformance::{LIMIT, block_thread, watched};
use std::collections::BTreeSet;
use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// Runs `body` on every combination beside a thread that is inside `block_on`, whose workers are not relieved.
fn each(body: fn(&Runtime)) {
    for name in names(&[1, 2]) {
        watched(&name.clone(), LIMIT, move || {
            let runtime = builder(&name).block_policy(BlockPolicy::None).build().unwrap();
            let (end, ended) = oneshot::channel::<()>();
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    runtime.block_on(async {
                        let _local = task::spawn_local(pending::<()>());
                        ended.await.unwrap();
                    });
                });
                settled(&runtime, |dump| of_kind(dump, TaskKind::Local).any(is_waiting));
                body(&runtime);
                end.send(()).unwrap();
            });
        });
    }
}

/// Looks until things have come to where they must come.
fn settled(runtime: &Runtime, is_settled: impl Fn(&Dump) -> bool) -> Dump {
    loop {
        let dump = runtime.dump();
        if is_settled(&dump) {
            return dump;
        }
        std::thread::yield_now();
    }
}

#[track_caller]
fn spawn<F>(runtime: &Runtime, name: &str, future: F) -> task::JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let _entered = runtime.enter();
    task::Builder::new().name(name).spawn(future)
}

fn find<'a>(dump: &'a Dump, name: &str) -> Option<&'a TaskDump> {
    let mut rows = dump.tasks().iter().filter(|task| task.name() == Some(name));
    let row = rows.next();
    assert!(rows.next().is_none(), "{name} twice: {dump}");
    row
}

fn row<'a>(dump: &'a Dump, name: &str) -> &'a TaskDump {
    find(dump, name).unwrap_or_else(|| panic!("no {name}: {dump}"))
}

fn of_kind(dump: &Dump, kind: TaskKind) -> impl Iterator<Item = &TaskDump> {
    dump.tasks().iter().filter(move |task| task.kind() == kind)
}

fn is_waiting(task: &TaskDump) -> bool {
    *task.state() == TaskState::Waiting
}

fn waits(dump: &Dump, name: &str, why: Why) -> bool {
    find(dump, name).is_some_and(|task| is_waiting(task) && task.last_wake().why == why)
}

/// How many ready tasks the queues say that they have.
fn queued(dump: &Dump) -> usize {
    let scheduler = dump.scheduler();
    let own = scheduler.workers().map(|worker| worker.queued()).sum::<usize>();
    scheduler.metrics().global_queue_depth() + own
}

fn alive(dump: &Dump) -> usize {
    of_kind(dump, TaskKind::Task).filter(|task| *task.state() != TaskState::Ended).count()
}

/// Has every worker blocked in a poll until the guard goes.
fn block_all(runtime: &Runtime) -> Vec<mpsc::Sender<()>> {
    let workers = runtime.metrics().num_workers();
    let gates = (0..workers).map(|index| {
        let (open, gate) = mpsc::channel();
        drop(spawn(runtime, &format!("blocks {index}"), async move { gate.recv().unwrap_err() }));
        open
    });
    let gates = gates.collect();
    let is_blocked = |dump: &Dump| {
        let running = |task: &&TaskDump| {
            let is_one = task.name().is_some_and(|name| name.starts_with("blocks "));
            is_one && matches!(task.state(), TaskState::Running { worker: Some(_), .. })
        };
        of_kind(dump, TaskKind::Task).filter(running).count() == workers
    };
    settled(runtime, is_blocked);
    gates
}

#[test]
fn each_task_is_told_with_its_state() {
    each(|runtime| {
        let (sender, receiver) = oneshot::channel::<()>();
        drop(spawn(runtime, "channel", receiver));
        drop(spawn(runtime, "sleeps", async { time::sleep(Duration::from_secs(3600)).await }));
        let ended = spawn(runtime, "ended", async {});
        drop(spawn(runtime, "ended, nobody joins", async {}));
        let (open, gate) = mpsc::channel::<()>();
        let job = runtime.spawn_blocking(move || gate.recv().unwrap_err());
        settled(runtime, |dump| {
            let is_over = find(dump, "ended").is_some_and(|task| *task.state() == TaskState::Ended);
            let jobs = of_kind(dump, TaskKind::Job);
            let runs = jobs.filter(|job| matches!(job.state(), TaskState::Running { .. })).count();
            let gone = find(dump, "ended, nobody joins").is_none();
            let waiting = waits(dump, "channel", Why::Spawn) && waits(dump, "sleeps", Why::Spawn);
            is_over && runs == 1 && gone && waiting && queued(dump) == 0
        });

        let gates = block_all(runtime);
        drop(spawn(runtime, "queued", async {}));
        let dump = runtime.dump();
        let queued_row = row(&dump, "queued");
        assert_eq!(*queued_row.state(), TaskState::Queued, "{dump}");
        assert_eq!((queued_row.since_poll(), queued_row.last_wake().why), (None, Why::Spawn));
        let workers: BTreeSet<_> = dump
            .tasks()
            .iter()
            .filter_map(|task| match task.state() {
                TaskState::Running { worker, .. } => *worker,
                _ => None,
            })
            .collect();
        let expected: BTreeSet<_> = (0..gates.len()).collect();
        assert_eq!(workers, expected, "each worker polls one task: {dump}");
        for kind in [TaskKind::BlockOn, TaskKind::Local] {
            assert!(of_kind(&dump, kind).all(is_waiting), "{dump}");
            assert_eq!(of_kind(&dump, kind).count(), 1, "{dump}");
        }
        let metrics = dump.scheduler().metrics();
        // What the thread of `fifo` has queued it says when it turns the driver, which it cannot now; this came from outside.
        let is_fifo = runtime.combination().executor() == "fifo";
        let ready = if is_fifo { metrics.global_queue_depth() } else { queued(&dump) };
        assert_eq!(ready, 1, "{dump}");
        assert_eq!(alive(&dump), metrics.num_alive_tasks(), "{dump}");
        assert_eq!(alive(&dump), 3 + gates.len(), "{dump}");
        assert_eq!(dump.scheduler().running_jobs(), 1);
        assert_eq!(row(&dump, "channel").location().file(), file!());
        assert!(row(&dump, "channel").id().is_some(), "one with a name has an id");

        drop(gates);
        sender.send(()).unwrap();
        drop(open);
        // The numbers of a dump are of nearly the same moment, in which one more may end.
        let dump = settled(runtime, |dump| {
            let alive = [alive(dump), dump.scheduler().metrics().num_alive_tasks()];
            alive == [1, 1] && of_kind(dump, TaskKind::Job).count() == 1
        });
        assert!(waits(&dump, "sleeps", Why::Spawn), "{dump}");
        drop((job, ended));
        // The thread inside `block_on` keeps its own.
        settled(runtime, |dump| dump.tasks().len() == 3 && queued(dump) == 0);
    });
}

#[test]
fn the_last_wake_is_told_with_its_reason() {
    each(|runtime| {
        let notify = Arc::new(Notify::new());
        let notified = notify.clone();
        drop(spawn(runtime, "woken", async move {
            notified.notified().await;
            pending::<()>().await;
        }));
        drop(spawn(runtime, "timer", async {
            time::sleep(Duration::from_millis(1)).await;
            pending::<()>().await;
        }));
        let (tell, told) = mpsc::channel();
        drop(spawn(runtime, "io", async move {
            let (near, far) = polyloop::net::unix::UnixStream::pair().unwrap();
            tell.send(far).unwrap();
            assert_eq!(near.read(&mut [0]).await.unwrap(), 1);
            pending::<()>().await;
        }));
        settled(runtime, |dump| {
            waits(dump, "woken", Why::Spawn)
                && waits(dump, "timer", Why::Timer)
                && waits(dump, "io", Why::Spawn)
        });
        notify.notify_one();
        let far = told.recv().unwrap();
        assert_eq!(far.try_write(b"x").unwrap(), 1);
        settled(runtime, |dump| waits(dump, "woken", Why::Wake) && waits(dump, "io", Why::Io));

        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        drop(spawn(runtime, "yields", async move {
            while !stopped.load(SeqCst) {
                task::yield_now().await;
            }
        }));
        let gates = block_all(runtime);
        let dump = runtime.dump();
        let yields = row(&dump, "yields");
        assert_eq!((yields.state(), yields.last_wake().why), (&TaskState::Queued, Why::Yield), "{dump}");
        stop.store(true, SeqCst);
        drop(gates);
        settled(runtime, |dump| find(dump, "yields").is_none());
    });
}

#[test]
fn ages_are_right_within_the_resolution() {
    const NAP: Duration = Duration::from_millis(60);
    each(|runtime| {
        #[expect(clippy::disallowed_methods, reason = "compared with the ages that the test asks for")]
        let now = std::time::Instant::now;
        let begun = now();
        drop(spawn(runtime, "waits", pending::<()>()));
        settled(runtime, |dump| waits(dump, "waits", Why::Spawn));
        let gates = block_all(runtime);
        block_thread(NAP);
        drop(spawn(runtime, "late", async {}));
        block_thread(NAP);
        let queued_for = begun.elapsed();
        let dump = runtime.dump();
        let most = begun.elapsed() + RESOLUTION;
        let (waits, late) = (row(&dump, "waits"), row(&dump, "late"));
        let age = waits.since_poll().unwrap();
        assert!(age + RESOLUTION >= 2 * NAP && age <= most, "{age:?} of {most:?}");
        assert!(waits.last_wake().ago.unwrap() >= age, "woken before it was polled");
        // It came from outside, while nobody else read a clock.
        let age = late.last_wake().ago.unwrap();
        assert!(age + RESOLUTION >= NAP && age <= most - NAP, "{age:?} of {queued_for:?}");
        drop(gates);
        settled(runtime, |dump| find(dump, "late").is_none());
    });
}

#[test]
fn under_another_clock_ages_are_not_tracked() {
    let runtime = builder("steal:1+poll+heap").start_paused(true).build().unwrap();
    drop(spawn(&runtime, "waits", pending::<()>()));
    let dump = settled(&runtime, |dump| waits(dump, "waits", Why::Spawn));
    assert_eq!(dump.resolution(), None);
    let row = row(&dump, "waits");
    assert_eq!((row.since_poll(), row.last_wake().ago), (None, None));
    assert!(dump.to_string().contains("ages are not tracked"), "{dump}");
}

#[test]
fn a_task_tells_of_itself_and_a_runtime_that_has_shut_down_of_nothing() {
    each(|runtime| {
        let telling = spawn(runtime, "me", async { Handle::current().dump() });
        let dump = loop {
            if telling.is_finished() {
                break futures::executor::block_on(telling).unwrap();
            }
            std::thread::yield_now();
        };
        let TaskState::Running { worker: Some(_), blocking: false, .. } = row(&dump, "me").state() else {
            panic!("{dump}");
        };
    });
    for name in names(&[1, 2]) {
        let runtime = builder(&name).build().unwrap();
        drop(spawn(&runtime, "waits", pending::<()>()));
        assert!(runtime.shutdown(LIMIT).is_clean());
        let dump = runtime.dump();
        assert!(dump.tasks().is_empty() && queued(&dump) == 0, "{dump}");
        let handle = runtime.handle().clone();
        drop(runtime);
        assert!(handle.dump().tasks().is_empty());
    }
}

#[test]
fn the_tasks_of_a_set_are_told_with_those_of_the_runtime_that_polls_it() {
    for name in names(&[1, 2]) {
        watched(&name.clone(), LIMIT, move || {
            let [runtime, other] = [(); 2].map(|()| builder(&name).build().unwrap());
            let ((end, ended), (open, gate)) = (oneshot::channel::<()>(), mpsc::channel::<()>());
            let local = |name| task::Builder::new().name(name);
            let sets = std::thread::scope(|scope| {
                let inside = scope.spawn(|| {
                    let set = task::LocalSet::new();
                    drop(local("waits").spawn_local_on(pending::<()>(), &set));
                    let done = local("done").spawn_local_on(async {}, &set);
                    assert!(find(&runtime.dump(), "waits").is_none(), "nobody has polled the set");
                    set.block_on(&runtime, async {
                        let blocks = local("blocks").spawn_local(async move { gate.recv().unwrap_err() });
                        blocks.await.unwrap();
                        ended.await.unwrap();
                    });
                    done.is_finished().then_some(()).unwrap();
                    assert!(waits(&runtime.dump(), "waits", Why::Spawn), "it lives on in the set");
                    set.block_on(&other, async {});
                    let dumps = [runtime.dump(), other.dump()];
                    drop(set);
                    dumps.into_iter().chain([runtime.dump(), other.dump()]).collect::<Vec<_>>()
                });
                let is_blocked = |dump: &Dump| {
                    let blocks = find(dump, "blocks").map(|task| task.state().clone());
                    matches!(blocks, Some(TaskState::Running { .. }))
                };
                settled(&runtime, is_blocked);
                // That one's first rows may be of a moment before the poll began.
                let dump = runtime.dump();
                for name in ["waits", "done", "blocks"] {
                    let row = row(&dump, name);
                    assert_eq!((row.kind(), row.location().file()), (TaskKind::Local, file!()), "{dump}");
                }
                assert!(is_waiting(row(&dump, "waits")), "{dump}");
                assert_eq!(*row(&dump, "done").state(), TaskState::Ended, "{dump}");
                // Which polls the set.
                let root = of_kind(&dump, TaskKind::BlockOn).next().unwrap();
                assert!(matches!(root.state(), TaskState::Running { .. }), "{dump}");
                drop(open);
                settled(&runtime, |dump| {
                    find(dump, "blocks").is_none() && of_kind(dump, TaskKind::BlockOn).all(is_waiting)
                });
                end.send(()).unwrap();
                inside.join().unwrap()
            });
            let found: Vec<_> = sets.iter().map(|dump| find(dump, "waits").is_some()).collect();
            assert_eq!(found, [false, true, false, false], "with the one that polled it last, until it goes");
        });
    }
}

#[test]
fn in_block_in_place_a_task_is_told_as_blocking() {
    watched("block_in_place", LIMIT, || {
        let runtime = builder("steal:1+mio+wheel").build().unwrap();
        let (open, gate) = mpsc::channel::<()>();
        drop(spawn(&runtime, "blocks", async move { task::block_in_place(|| gate.recv().unwrap_err()) }));
        let is_away = |dump: &Dump| {
            let blocks = find(dump, "blocks").map(|task| task.state().clone());
            matches!(blocks, Some(TaskState::Running { blocking: true, .. }))
        };
        let dump = settled(&runtime, is_away);
        assert!(dump.to_string().contains("blocking on worker 0"), "{dump}");
        drop(open);
        settled(&runtime, |dump| find(dump, "blocks").is_none());
    });
}

/// What a dump looks like to a person, or a script.
fn check_text(dump: &Dump) {
    let text = dump.to_string();
    let lines: Vec<_> = text.lines().collect();
    let workers = dump.scheduler().workers().count();
    check_line(lines[0]);
    for (index, line) in lines[1..=workers].iter().enumerate() {
        assert!(line.starts_with(&format!("  worker {index}: ")), "{text}");
    }
    let total = lines[workers + 1];
    let tasks = match dump.tasks().len() {
        1 => "1 task: ".to_owned(),
        count => format!("{count} tasks: "),
    };
    assert!(total.starts_with(&tasks), "{text}");
    let rows = lines.len() - workers - 2;
    assert_eq!(rows, dump.tasks().len() + usize::from(!dump.tasks().is_empty()), "{text}");
    for line in lines.iter().skip(workers + 3) {
        let state = line.split_whitespace().next().unwrap();
        assert!(["running", "blocking", "queued", "waiting", "ended"].contains(&state), "{text}");
        assert!(line.contains(" at tests/it/dump.rs:") || line.contains("/dump.rs:"), "{text}");
    }
}

/// Parses a line of the trace; whose runtime it is about.
fn check_line(line: &str) -> String {
    let rest = line.strip_prefix("SCHED ").unwrap_or_else(|| panic!("{line}"));
    let (at, rest) = rest.split_once("ms: ").unwrap();
    at.parse::<u64>().unwrap();
    let (head, queues) = rest.split_once(" [").unwrap();
    let queues: Vec<usize> =
        queues.strip_suffix(']').unwrap().split(' ').map(|queue| queue.parse().unwrap()).collect();
    let (combination, fields) = head.split_once(' ').unwrap();
    let fields: Vec<(&str, u64)> = fields
        .split(' ')
        .map(|field| field.split_once('=').map(|(name, value)| (name, value.parse().unwrap())).unwrap())
        .collect();
    assert_eq!(fields[0], ("workers", queues.len() as u64), "{line}");
    assert_eq!(fields.last().unwrap().0, "runqueue", "{line}");
    assert!(fields.iter().any(|field| field.0 == "tasks"), "{line}");
    combination.to_owned()
}

#[test]
fn a_thousand_dumps_race_a_hundred_thousand_tasks() {
    for name in ["fifo+mio+wheel", "steal:2+mio+wheel"] {
        watched(name, LIMIT, move || {
            let runtime = builder(name).build().unwrap();
            let handle = runtime.handle().clone();
            let over = Arc::new(AtomicBool::new(false));
            let is_over = over.clone();
            let dumping = std::thread::spawn(move || {
                let mut dumps = 0;
                while dumps < 1000 || !is_over.load(SeqCst) {
                    let dump = handle.dump();
                    for task in dump.tasks() {
                        assert!(task.name().is_none_or(|name| name == "named"));
                    }
                    if dumps % 50 == 0 {
                        check_text(&dump);
                    }
                    dumps += 1;
                }
            });
            runtime.block_on(async {
                for _ in 0..1000 {
                    let spawn = |n: usize| {
                        let future = async move {
                            if n.is_multiple_of(5) {
                                task::yield_now().await;
                            }
                        };
                        if n.is_multiple_of(3) {
                            task::Builder::new().name("named").spawn(future)
                        } else {
                            polyloop::spawn(future)
                        }
                    };
                    let tasks: Vec<_> = (0..100).map(spawn).collect();
                    for task in tasks {
                        task.await.unwrap();
                    }
                }
            });
            over.store(true, SeqCst);
            dumping.join().unwrap();
            let dump = settled(&runtime, |dump| dump.tasks().is_empty());
            assert_eq!(dump.scheduler().metrics().spawned_tasks_count(), 100_000);
        });
    }
}

#[test]
fn all_runtimes_of_the_process_are_found() {
    let runtimes = ["fifo+poll+heap", "steal:2+poll+wheel"].map(|name| builder(name).build().unwrap());
    drop(spawn(&runtimes[0], "one of all", pending::<()>()));
    drop(spawn(&runtimes[1], "another of all", pending::<()>()));
    let found = |name: &str| dump::all().iter().any(|dump| find(dump, name).is_some());
    assert!(found("one of all") && found("another of all"));
    let [first, _second] = runtimes;
    drop(first);
    assert!(!found("one of all") && found("another of all"));
}

/// Children of their own, because a signal and the environment are the whole process's.
#[cfg(target_os = "linux")]
mod processes {
    use super::{check_line, check_text, find, is_waiting, settled, spawn};
    use crate::subjects::builder;
    use polyloop::dump;
    use polyloop_conformance::{LIMIT, watched};
    use rustix::process::{Pid, Signal, kill_process};
    use std::collections::BTreeSet;
    use std::future::pending;
    use std::io::{BufRead, BufReader, Read, Write};
    use std::process::{Child, Command, Stdio};

    const VARIABLE: &str = "POLYLOOP_TEST_DUMP";
    const TRACE: &str = "POLYLOOP_SCHEDTRACE";

    /// What the tests below start; of itself it does nothing.
    #[test]
    fn child() {
        let Ok(role) = std::env::var(VARIABLE) else { return };
        let fifo = builder("fifo+poll+heap").build().unwrap();
        let steal = builder("steal:2+mio+wheel").build().unwrap();
        drop(spawn(&fifo, "on fifo", pending::<()>()));
        drop(spawn(&steal, "on steal", pending::<()>()));
        // While it is polled its worker's line names it, too.
        settled(&steal, |dump| find(dump, "on steal").is_some_and(is_waiting));
        if role == "signal" {
            dump::on_signal(Signal::USR1.as_raw()).unwrap();
            dump::on_signal(Signal::USR1.as_raw()).unwrap();
            dump::on_signal(Signal::USR2.as_raw()).unwrap();
            assert!(
                dump::on_signal(9).is_err() && dump::on_signal(-1).is_err() && dump::on_signal(4096).is_err()
            );
            check_text(&steal.dump());
        }
        println!("<ready>");
        let mut word = [0];
        std::io::stdin().read_exact(&mut word).unwrap();
        drop((fifo, steal));
        while traces() > 0 {
            std::thread::yield_now();
        }
        println!("<over>");
        std::io::stdin().read_exact(&mut word).unwrap();
    }

    /// Threads of this process that trace.
    fn traces() -> usize {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let name = |task: std::io::Result<std::fs::DirEntry>| {
            std::fs::read_to_string(task.ok()?.path().join("comm")).ok()
        };
        tasks.filter_map(name).filter(|name| name.trim() == "polyloop-trace").count()
    }

    struct Process(Child);

    impl Process {
        fn start(role: &str, trace: Option<&str>) -> Self {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["dump::processes::child", "--exact", "--nocapture"]).env(VARIABLE, role);
            command.env_remove(TRACE);
            command.envs(trace.map(|trace| (TRACE, trace)));
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            Self(command.spawn().unwrap())
        }

        fn signal(&self, signal: Signal) {
            kill_process(Pid::from_child(&self.0), signal).unwrap();
        }

        /// Lets the child go on.
        fn go_on(&mut self) {
            self.0.stdin.as_mut().unwrap().write_all(b"x").unwrap();
        }
    }

    impl Drop for Process {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn read_until(lines: &mut impl BufRead, is_it: impl Fn(&str) -> bool) -> Vec<String> {
        let mut all = Vec::new();
        loop {
            let mut line = String::new();
            assert!(lines.read_line(&mut line).unwrap() > 0, "the child has ended after {all:#?}");
            all.push(line.trim_end().to_owned());
            if is_it(&line) {
                return all;
            }
        }
    }

    #[test]
    fn a_signal_has_all_runtimes_dumped() {
        watched("signal", LIMIT, || {
            let mut child = Process::start("signal", None);
            let mut out = BufReader::new(child.0.stdout.take().unwrap());
            let mut err = BufReader::new(child.0.stderr.take().unwrap());
            read_until(&mut out, |line| line.contains("<ready>"));
            for signal in [Signal::USR1, Signal::USR2, Signal::USR1] {
                child.signal(signal);
                let head = read_until(&mut err, |line| line.starts_with("polyloop: 2 runtimes in process "));
                assert_eq!(head.len(), 1, "nothing was written unasked: {head:?}");
                read_until(&mut err, |line| line.contains("`on fifo` spawned at "));
                read_until(&mut err, |line| line.contains("`on steal` spawned at "));
            }
            child.go_on();
            read_until(&mut out, |line| line.contains("<over>"));
            // Also without a runtime.
            child.signal(Signal::USR1);
            read_until(&mut err, |line| line.starts_with("polyloop: 0 runtimes in process "));
        });
    }

    #[test]
    fn the_environment_has_the_schedulers_traced() {
        watched("trace", LIMIT, || {
            let mut child = Process::start("trace", Some("20"));
            let mut out = BufReader::new(child.0.stdout.take().unwrap());
            let mut err = BufReader::new(child.0.stderr.take().unwrap());
            read_until(&mut out, |line| line.contains("<ready>"));
            let (mut lines, mut traced) = (Vec::new(), BTreeSet::new());
            // Both runtimes, one line after the other.
            while traced.len() < 2 || lines.len() < 20 {
                lines.extend(read_until(&mut err, |line| line.starts_with("SCHED ")));
                traced.insert(check_line(lines.last().unwrap()));
            }
            assert!(traced.iter().eq(["fifo+poll+heap", "steal:2+mio+wheel"]), "{traced:?}");
            let legend = lines.iter().take_while(|line| line.starts_with('#')).count();
            assert!(legend > 0, "{lines:#?}");
            assert!(
                lines[legend..].iter().all(|line| line.starts_with("SCHED ")),
                "the legend comes once: {lines:#?}"
            );
            assert!(lines.last().unwrap().contains(" tasks=1 "), "{lines:#?}");
            child.go_on();
            // Threads that trace end with their runtimes.
            read_until(&mut out, |line| line.contains("<over>"));
        });
    }

    #[test]
    fn a_period_that_is_none_is_told_and_keeps_nothing_from_running() {
        for wrong in ["soon", "-5", " "] {
            watched(wrong, LIMIT, move || {
                let mut child = Process::start("trace", Some(wrong));
                let mut out = BufReader::new(child.0.stdout.take().unwrap());
                let mut err = BufReader::new(child.0.stderr.take().unwrap());
                read_until(&mut out, |line| line.contains("<ready>"));
                let said = read_until(&mut err, |_| true);
                assert!(
                    said[0].starts_with(&format!("polyloop: {TRACE}={wrong:?} is no number")),
                    "{said:?}"
                );
                child.go_on();
                read_until(&mut out, |line| line.contains("<over>"));
            });
        }
    }
}
