//! Idle is idle (C11): what an idle process does is counted from outside, by the kernel.
//!
//! Invariant: each runtime has a process of its own, in which everything waits: tasks, timers that are hours away, sockets,
//! a blocking job's thread. All of them idle at the same time, so that the test takes no longer than one.

#![cfg(target_os = "linux")]

use crate::subjects::names;
use polyloop::{Runtime, time};
use polyloop_conformance::block_thread;
use std::collections::BTreeMap;
use std::future::pending;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const VARIABLE: &str = "POLYLOOP_IDLE";

/// The contract's times.
const SETTLING: Duration = Duration::from_secs(2);
const WINDOW: Duration = Duration::from_secs(10);

/// Idles for ever on the combination that the test below names; of itself it does nothing.
#[test]
fn child() {
    let Ok(name) = std::env::var(VARIABLE) else { return };
    let runtime = Runtime::from_name(&name).unwrap();
    runtime.block_on(async {
        // It has worked before, in every way.
        let naps = (0..100).map(|n| polyloop::spawn(time::sleep(Duration::from_micros(n * 10))));
        for nap in naps.collect::<Vec<_>>() {
            nap.await.unwrap();
        }
        polyloop::task::spawn_blocking(|| ()).await.unwrap();
        let listener = polyloop::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = polyloop::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (far, _) = listener.accept().await.unwrap();
        for hours in 1..50 {
            drop(polyloop::spawn(time::sleep(Duration::from_secs(3600 * hours))));
        }
        drop(polyloop::spawn(async move {
            let _far = far;
            listener.accept().await.map(drop)
        }));
        drop(polyloop::spawn(async move { near.read(&mut [0]).await }));
        // A child that goes on as long as this process does, a signal, a file, and a set of local tasks that all wait.
        let mut cat = polyloop::process::Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let input = cat.stdin.take();
        drop(polyloop::spawn(async move { cat.wait().await }));
        let mut hangup =
            polyloop::signal::unix::signal(polyloop::signal::unix::SignalKind::hangup()).unwrap();
        drop(polyloop::spawn(async move { hangup.recv().await }));
        let file = polyloop::fs::File::open("/proc/self/exe").await.unwrap();
        let set = polyloop::task::LocalSet::new();
        drop(set.spawn_local(pending::<()>()));
        drop(polyloop::task::spawn_local(async move {
            let _kept = (input, file);
            set.await;
        }));
        println!("<idle>");
        pending::<()>().await;
    });
}

struct Idler {
    name: String,
    process: Child,
}

impl Idler {
    fn start(name: String) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["idle::child", "--exact", "--nocapture"]).env(VARIABLE, &name);
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(process.stdout.take().unwrap());
        let idles = out.lines().any(|line| line.unwrap().contains("<idle>"));
        assert!(idles, "{name} does not come to rest");
        Self { name, process }
    }

    /// How often each thread has gone to sleep so far, by its number and name.
    fn switches(&self) -> BTreeMap<String, u64> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap();
        let statuses = tasks.filter_map(|task| {
            let task = task.unwrap();
            // A thread may end meanwhile.
            let status = std::fs::read_to_string(task.path().join("status")).ok()?;
            let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
            let count = field("voluntary_ctxt_switches:")?.parse().unwrap();
            Some((format!("{:?} {}", task.file_name(), field("Name:")?), count))
        });
        statuses.collect()
    }
}

impl Drop for Idler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn an_idle_runtime_does_nothing() {
    let idlers: Vec<_> = names(&[1, 2, 4]).into_iter().map(Idler::start).collect();
    block_thread(SETTLING);
    let before: Vec<_> = idlers.iter().map(Idler::switches).collect();
    block_thread(WINDOW);
    for (idler, before) in idlers.iter().zip(before) {
        let name = &idler.name;
        let after = idler.switches();
        assert!(!after.is_empty(), "{name} has ended");
        let woken = |(thread, count): (&String, &u64)| count - before.get(thread).copied().unwrap_or(0);
        let switches: u64 = after.iter().map(woken).sum();
        println!("{name}: {switches} in {WINDOW:?}, {} threads", after.len());
        assert!(switches <= 2, "{name}: {switches} times woken: {before:?}, then {after:?}");
    }
}
