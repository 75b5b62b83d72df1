//! The reactors under strace: are the system calls those that are counted, and what does an interrupted one do?
//!
//! The observed part runs in a process of its own, this test binary started again with one test chosen. Where strace is
//! missing or may not trace, the tests say so and hold nothing.

use crate::subjects::{SUBJECTS, again, chosen, let_it_wait, make, millis, now};
use polyloop_conformance::reactor::{Rig, pair, token};
use polyloop_conformance::skip;
use polyloop_core::reactor::Interest;
use polyloop_core::time::Wait;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::io::Read;
use std::process::Command;
use std::sync::Arc;
use std::thread;

/// What a reactor can be expected to call. The script itself uses none of these in between.
const CALLS: &str = "epoll_wait,epoll_pwait,epoll_pwait2,epoll_ctl,poll,ppoll,timerfd_settime,read,write";

/// The calls of one step: wait, unpark before a wait, unpark of a waiter, attach, rearm, detach, echo of one event.
const STEPS: [&str; 7] = ["wait", "early-unpark", "unpark", "attach", "rearm", "detach", "echo"];

/// Puts a line into the trace: nobody else asks for files of this name.
fn mark(text: &str) {
    let _ = std::fs::metadata(format!("/polyloop-mark {text}"));
}

fn step(rig: &mut Rig, name: &str, f: impl FnOnce(&mut Rig)) {
    let before = rig.handle.syscalls();
    mark(&format!("{name} begin"));
    f(rig);
    mark(&format!("{name} counted={}", rig.handle.syscalls() - before));
}

#[test]
#[ignore = "the tests below run it under strace"]
fn script_of_steps() {
    let mut rig = Rig::new(make(chosen()));
    let (ours, theirs) = pair();
    step(&mut rig, "wait", |rig| drop(rig.turn(Wait::For(millis(2)))));
    step(&mut rig, "early-unpark", |rig| (0..3).for_each(|_| rig.handle.unpark()));
    rig.turn(Wait::Forever);
    let handle = rig.handle.clone();
    let other = thread::spawn(move || {
        let_it_wait();
        (0..3).for_each(|_| handle.unpark());
    });
    step(&mut rig, "unpark", |rig| drop(rig.turn(Wait::Forever)));
    other.join().expect("other");
    rig.settle();
    step(&mut rig, "attach", |rig| rig.attach(&ours, token(1), Interest::READ));
    send(&theirs);
    rig.until(token(1), |ready| ready.read);
    step(&mut rig, "rearm", |rig| rig.rearm(token(1), Interest::READ));
    rig.settle();
    receive(&ours);
    rig.rearm(token(1), Interest::READ);
    step(&mut rig, "echo", |rig| {
        send(&theirs);
        assert_eq!(rig.turn(Wait::Forever).len(), 1);
        receive(&ours);
        rig.rearm(token(1), Interest::READ);
    });
    step(&mut rig, "detach", |rig| rig.handle.detach(token(1)).expect("detach"));
}

fn send(file: &Arc<std::os::unix::net::UnixStream>) {
    rustix::net::send(file, b"x", rustix::net::SendFlags::empty()).expect("send");
}

fn receive(file: &Arc<std::os::unix::net::UnixStream>) {
    rustix::net::recv(file, &mut [0; 9], rustix::net::RecvFlags::empty()).expect("receive");
}

#[test]
#[ignore = "the tests below run it while its waits are interrupted"]
fn script_of_waits() {
    let mut rig = Rig::new(make(chosen()));
    let (ours, theirs) = pair();
    rig.attach(&ours, token(1), Interest::READ);
    for round in 0..100 {
        let got = rig.read_after(token(1), &ours, &mut [0; 9], |_| send(&theirs));
        assert_eq!(got.expect("read"), 1);
        let (before, asked) = (now(), millis(1 + round % 3));
        while before.elapsed() < asked {
            rig.turn(Wait::For(asked.saturating_sub(before.elapsed())));
        }
        assert!(before.elapsed() < asked + millis(500), "an interrupted wait began anew again and again");
    }
    println!("all waits done");
}

fn strace(args: &[&str], script: &str, subject: &str) -> Option<(String, String)> {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-s", "64"]).args(args).arg(std::env::current_exe().expect("self"));
    let output = match again(command, script, subject).output() {
        Ok(output) => output,
        Err(error) => {
            skip(&format!("no strace: {error}"));
            return None;
        }
    };
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if err.contains("PTRACE") || err.contains("ptrace(") {
        skip(&format!("strace may not trace here: {err}"));
        return None;
    }
    assert!(output.status.success(), "{subject}: {out}\n{err}");
    Some((out.into_owned(), err.into_owned()))
}

/// For each step what strace saw and what the reactor counted.
fn measure(subject: &str) -> Option<BTreeMap<String, (u64, u64)>> {
    let trace = format!("trace={CALLS},statx,stat,newfstatat");
    let (_, trace) = strace(&["-e", &trace], "strace::script_of_steps", subject)?;
    let (mut steps, mut seen) = (BTreeMap::new(), 0);
    for line in trace.lines() {
        if let Some((_, mark)) = line.split_once("/polyloop-mark ") {
            let mark = mark.split('"').next().expect("closed");
            match mark.split_once(" counted=") {
                Some((step, counted)) => {
                    steps.insert(step.to_owned(), (seen, counted.parse().expect("a number")));
                }
                None => seen = 0,
            }
        } else if !line.contains("resumed>") {
            let called = |call: &str| line.contains(&format!("{call}("));
            seen += u64::from(CALLS.split(',').any(called));
        }
    }
    assert_eq!(steps.len(), STEPS.len(), "{trace}");
    Some(steps)
}

#[test]
fn the_system_calls_are_those_that_are_counted() {
    // wait, early unpark, unpark with its wait, attach, rearm, detach, echo.
    let expected = [
        ("mio", [1, 0, 2, 1, 0, 1, 1]),
        ("polling", [5, 0, 6, 1, 0, 1, 5]),
        ("oneshot", [5, 0, 6, 1, 1, 1, 6]),
        ("poll", [1, 0, 3, 0, 0, 0, 1]),
    ];
    for (subject, calls) in expected {
        let Some(steps) = measure(subject) else { return };
        eprintln!("{subject}: {steps:?}");
        for (step, calls) in STEPS.into_iter().zip(calls) {
            assert_eq!(steps[step], (calls, calls), "{subject}, {step}: what strace saw, what was counted");
        }
    }
}

#[test]
fn an_eintr_storm_neither_leaks_nor_spins() {
    for subject in SUBJECTS {
        let inject = "inject=epoll_wait,epoll_pwait,epoll_pwait2,poll,ppoll:error=EINTR:when=2+2";
        let trace = "trace=epoll_wait,epoll_pwait,epoll_pwait2,poll,ppoll";
        let Some((out, trace)) = strace(&["-e", trace, "-e", inject], "strace::script_of_waits", subject)
        else {
            return;
        };
        assert!(out.contains("all waits done"));
        let hits = trace.matches("EINTR").count();
        assert!(hits >= 100, "{subject}: only {hits} waits were interrupted");
    }
}

/// Stopping and continuing a process ends an `epoll_wait` with `EINTR`, though nobody handles a signal.
#[test]
fn being_stopped_and_continued_is_no_error() {
    for subject in SUBJECTS {
        let command =
            again(Command::new(std::env::current_exe().expect("self")), "strace::script_of_waits", subject);
        let mut command = command;
        let mut child = command.spawn().expect("spawn");
        let pid = Pid::from_child(&child);
        while child.try_wait().expect("wait").is_none() {
            kill_process(pid, Signal::STOP).expect("stop");
            kill_process(pid, Signal::CONT).expect("continue");
            let_a_millisecond_pass();
        }
        let mut text = String::new();
        child.stdout.take().expect("piped").read_to_string(&mut text).expect("read");
        child.stderr.take().expect("piped").read_to_string(&mut text).expect("read");
        assert!(text.contains("all waits done"), "{subject}: {text}");
    }
}

#[expect(clippy::disallowed_methods, reason = "a storm has a rate")]
fn let_a_millisecond_pass() {
    thread::sleep(millis(1));
}
