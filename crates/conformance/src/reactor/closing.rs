//! Half-closed, reset and hung up.

use super::rig::{Subject, millis, now, pair, token};
use polyloop_core::reactor::Interest;
use polyloop_core::time::Wait;
use rustix::net::sockopt::set_socket_linger;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// The end of one direction is no hang-up, and costs no turns while the other one goes on.
pub fn half_close_is_no_hangup_and_no_spin(subject: Subject) {
    let mut rig = subject.rig();
    let (ours, theirs) = pair();
    rig.attach(&ours, token(1), Interest::BOTH);
    // It comes while somebody waits: without an event he would never look.
    let end = rig.read_after(token(1), &ours, &mut [0; 9], |_| {
        theirs.shutdown(std::net::Shutdown::Write).expect("shutdown");
    });
    assert_eq!(end.expect("read"), 0, "the end of the stream");
    let known = rig.ready.get(&token(1)).copied().unwrap_or_default();
    assert!(!known.hangup, "writing still works");
    rig.settle();

    // The other direction goes on, and what is closed makes no turns beyond those of the writes.
    theirs.set_nonblocking(false).expect("blocking");
    let reader = thread::spawn(move || {
        let mut all = Vec::new();
        (&*theirs).read_to_end(&mut all).expect("read");
        all.len()
    });
    let turns = rig.turns;
    let mut blocked = 0;
    let mut left = 1_usize << 20;
    while left > 0 {
        left -= rig
            .io(token(1), Interest::WRITE, || {
                let sent = (&*ours).write(&vec![7; left.min(4096)]);
                blocked += usize::from(sent.is_err());
                sent
            })
            .expect("write");
    }
    if subject.strict() {
        // An edge may come for room that is used up already, but never for the closed side.
        assert!(rig.turns - turns <= 2 * blocked, "{} turns, blocked {blocked} times", rig.turns - turns);
    }
    ours.shutdown(std::net::Shutdown::Write).expect("shutdown");
    assert_eq!(reader.join().expect("reader"), 1 << 20);
}

/// A reset is told to whoever waits, in whichever direction.
pub fn a_reset_connection_wakes_both_directions(subject: Subject) {
    for interest in [Interest::READ, Interest::WRITE, Interest::BOTH] {
        let mut rig = subject.rig();
        let (ours, theirs) = tcp();
        while (&*ours).write(&[0; 65536]).is_ok() {}
        rig.attach(&ours, token(1), interest);
        rig.settle();
        rig.ready.clear();
        rig.rearm(token(1), interest);
        set_socket_linger(&theirs, Some(Duration::ZERO)).expect("linger");
        drop(theirs);
        rig.until(token(1), |ready| ready.read && ready.write && ready.hangup);
        let error = (&*ours).read(&mut [0; 9]).expect_err("reset");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
}

fn tcp() -> (Arc<TcpStream>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let ours = TcpStream::connect(listener.local_addr().expect("address")).expect("connect");
    let theirs = listener.accept().expect("accept").0;
    ours.set_nonblocking(true).expect("non-blocking");
    (Arc::new(ours), theirs)
}

/// A hang-up is told once, and does not end every later wait.
pub fn a_hangup_is_told_once(subject: Subject) {
    let mut rig = subject.rig();
    let (ours, theirs) = pair();
    rig.attach(&ours, token(1), Interest::BOTH);
    rig.settle();
    rig.ready.clear();
    drop(theirs);
    rig.rearm(token(1), Interest::BOTH);
    rig.until(token(1), |ready| ready.read && ready.write && ready.hangup);
    if subject.strict() {
        let before = now();
        assert!(rig.turn(Wait::For(millis(5))).is_empty(), "it was told");
        assert!(before.elapsed() >= millis(5), "and wakes nobody again");
    }
}
