//! System calls that fail on purpose: strace tampers with them while the tests of `tcp` run in another process.
//!
//! Where strace is missing or may not trace, this says so and holds nothing.

use polyloop_conformance::skip;
use std::process::Command;

/// A call by all its names: which of them is used depends on the machine and on who calls.
const EPOLL: &str = "epoll_wait,epoll_pwait,epoll_pwait2";
const POLL: &str = "poll,ppoll";

/// Runs the tests of this name while every third of these calls fails like that. Some of each do fail.
fn with_failing(calls: &[&str], error: &str, test: &str) {
    let all = calls.join(",");
    let inject = format!("inject={all}:error={error}:when=1+3");
    let trace = format!("trace={all}");
    let mut command = Command::new("strace");
    let log = std::env::temp_dir().join(format!("polyloop-{}-{error}-{test}.strace", std::process::id()));
    // By a filter, so that no other call stops for the tracer.
    command.args(["-f", "--seccomp-bpf", "-qq", "-e", &trace, "-e", &inject, "-o"]).arg(&log);
    command.arg(std::env::current_exe().unwrap()).args([test, "--test-threads=2"]);
    // They make the same call thousands of times, each of them past a tracer: minutes on a busy machine, and nothing more is shown.
    command.args(["--skip", "events_by_the_thousand", "--skip", "one_byte_at_a_time"]);
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => return skip(&format!("no strace: {error}")),
    };
    let seen = std::fs::read_to_string(&log).unwrap_or_default();
    _ = std::fs::remove_file(&log);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if err.contains("PTRACE") || err.contains("ptrace(") {
        return skip(&format!("strace may not trace here: {err}"));
    }
    if err.contains("unrecognized option") {
        return skip(&format!("this strace is older than 5.3: {err}"));
    }
    assert!(output.status.success(), "{all} with {error}: {out}\n{err}");
    assert!(!out.contains("running 0 tests"), "{out}");
    for call in calls {
        assert!(has_failed(&seen, call), "none has failed: {call} with {error} in {test}: {out}");
    }
}

/// Whether a call of one of these names was made to fail, and not only the one by which Rust asks before `main` whether the standard
/// files are open.
fn has_failed(log: &str, names: &str) -> bool {
    let has_name = |line: &str, name: &str| {
        // Where another thread's line came in between, the end of a call has a line of its own.
        line.contains(&format!(" {name}(")) || line.contains(&format!("<... {name} resumed>"))
    };
    let failed = |line: &&str| line.ends_with("(INJECTED)") && !line.contains("poll([{fd=0,");
    log.lines().filter(failed).any(|line| names.split(',').any(|name| has_name(line, name)))
}

#[test]
fn bug_43_interrupted_calls_are_made_again() {
    with_failing(&["recvfrom", "sendto"], "EINTR", "tcp::");
    with_failing(&["accept4"], "EINTR", "many_connections_are_served_at_once");
}

#[test]
fn bug_43_interrupted_waits_are_waited_again() {
    // Each reactor, and it in chaos, in a run of its own: that a wait of one was interrupted says nothing of the others.
    for (reactor, wait) in [("mio", EPOLL), ("polling", EPOLL), ("polling_oneshot", EPOLL), ("poll", POLL)] {
        with_failing(&[wait], "EINTR", &format!("{reactor}::an_end_that_came"));
    }
    with_failing(&[POLL], "EINTR", "mio_waits_for_parts_of_a_millisecond");
}

/// By poll(2), which it asks for nothing else. Again and again: whoever is kept from running has no part left to wait for.
#[test]
fn mio_waits_for_parts_of_a_millisecond() {
    let rig = crate::rig::Rig::new(Box::new(polyloop_reactor::Mio::new().unwrap()));
    rig.run(async {
        for _ in 0..50 {
            rig.sleep(1).await;
        }
    });
}

#[test]
fn bug_50_a_connection_that_was_given_up_ends_no_listener() {
    with_failing(&["accept4"], "ECONNABORTED", "many_connections_are_served_at_once");
}

#[test]
fn bug_42_a_listener_without_room_goes_on_later() {
    with_failing(&["accept4"], "EMFILE", "a_listener_accepts_and_knows_its_peer");
    with_failing(&["accept4"], "ENOMEM", "what_is_sent_comes_back_in_order");
}

#[test]
fn a_connection_is_not_made_because_an_event_says_so() {
    use crate::rig::Rig;
    use polyloop_net::TcpStream;
    use polyloop_reactor::{ALL, Chaos, ChaosPlan};
    use socket2::{Domain, SockAddr, Socket, Type};
    use std::future::{Future, poll_fn};
    use std::net::SocketAddr;
    use std::pin::pin;

    for (name, make) in ALL {
        let new = || Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let listener = new();
        listener.bind(&SockAddr::from(SocketAddr::from(([127, 0, 0, 1], 0)))).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        // The queue takes one or two; from then on the kernel hears no one.
        let queue = [(); 4].map(|()| {
            let socket = new();
            socket.set_nonblocking(true).unwrap();
            let _ = socket.connect(&address);
            socket
        });
        assert!(queue.iter().any(|socket| socket.peer_addr().is_err()), "the queue is full");

        let plan = ChaosPlan { spurious: 1000, unparked: 1000, ..ChaosPlan::OFF };
        let chaos = Chaos::new(make().unwrap(), 6, plan);
        let control = chaos.control();
        let rig = Rig::new(Box::new(chaos));
        rig.run(async {
            let mut pause = pin!(rig.sleep(50));
            let mut connecting = pin!(TcpStream::connect_on(&rig.net, address.as_socket().unwrap()));
            poll_fn(|cx| {
                let polled = connecting.as_mut().poll(cx);
                assert!(polled.is_pending(), "{name}: {polled:?}");
                pause.as_mut().poll(cx)
            })
            .await;
        });
        assert!(control.counts().spurious > 0);
    }
}

#[test]
fn a_network_that_fails_ends_no_listener() {
    with_failing(&["accept4"], "ENETDOWN", "many_connections_are_served_at_once");
    with_failing(&["accept4"], "EPERM", "a_listener_accepts_and_knows_its_peer");
}

#[test]
fn calls_that_do_less_than_they_could_lose_nothing() {
    use crate::rig::{Rig, seed};
    use polyloop_net::TcpStream;
    use polyloop_reactor::{ALL, Chaos, ChaosPlan};

    let plan = ChaosPlan { short: 700, interrupted: 300, no_descriptor: 300, aborted: 300, ..ChaosPlan::OFF };
    for (name, make) in ALL {
        let chaos = Chaos::new(make().unwrap(), seed(7), plan);
        let control = chaos.control();
        let rig = Rig::new(Box::new(chaos));
        rig.run(async {
            let (listener, address) = rig.listen();
            let context = rig.net.clone();
            let sent: Vec<u8> = (0..9).cycle().take(5000).collect();
            let expected = sent.repeat(4);
            let sending = rig.spawn(async move {
                for _ in 0..4 {
                    let stream = TcpStream::connect_on(&context, address).await.unwrap();
                    stream.write_all(&sent).await.unwrap();
                }
            });
            let mut seen = Vec::new();
            for _ in 0..4 {
                let (stream, _) = listener.accept().await.unwrap();
                let mut buffer = [0; 1000];
                loop {
                    match stream.read(&mut buffer).await.unwrap() {
                        0 => break,
                        n => seen.extend_from_slice(&buffer[..n]),
                    }
                }
            }
            sending.await.unwrap();
            assert!(seen == expected, "{name}");
        });
        let done = control.counts();
        assert!(done.short > 0 && done.interrupted > 0 && done.no_descriptor + done.aborted > 0, "{done:?}");
    }
}

#[test]
fn a_file_that_cannot_be_watched_is_an_error_and_leaves_nothing() {
    use crate::rig::Rig;
    use polyloop_net::UdpSocket;
    use polyloop_reactor::{Chaos, ChaosPlan, Mio};

    let plan = ChaosPlan { attach_fails: 1000, ..ChaosPlan::OFF };
    let chaos = Chaos::new(Mio::new().unwrap(), 5, plan);
    let control = chaos.control();
    let rig = Rig::new(Box::new(chaos));
    let bind = || UdpSocket::bind_on(&rig.net, ([127, 0, 0, 1], 0).into());
    for _ in 0..3 {
        assert!(bind().unwrap_err().raw_os_error().is_some());
    }
    assert_eq!(rig.net.driver.registered_sources(), 0);
    control.set(ChaosPlan::OFF);
    bind().unwrap();
}
