//! What is ready is told, once, and whole.

use super::rig::{Subject, pair, token};
use polyloop_core::reactor::Interest;
use polyloop_core::time::Wait;
use std::io::{Read, Write};
use std::sync::Arc;
use std::thread;

/// Readable and writable are told as they come, and detach lets go of the file.
pub fn a_file_reports_what_it_was_asked_for(subject: Subject) {
    let mut rig = subject.rig();
    let (ours, theirs) = pair();
    rig.attach(&ours, token(1), Interest::BOTH);
    let ready = rig.until(token(1), |ready| ready.write);
    if subject.strict() {
        assert!(!ready.read && !ready.hangup, "nothing has come yet: {ready:?}");
    }
    (&*theirs).write_all(b"x").expect("write");
    let ready = rig.until(token(1), |ready| ready.read);
    assert!(!ready.hangup && !ready.read_closed);
    rig.handle.detach(token(1)).expect("detach");
    assert_eq!(Arc::strong_count(&ours), 1, "detach lets go");
}

/// What was told is told again after a rearm, or with the next edge, as the capabilities say.
pub fn a_reported_direction_is_silent_until_rearmed_or_reports_the_next_edge(subject: Subject) {
    let mut rig = subject.rig();
    let (ours, theirs) = pair();
    rig.attach(&ours, token(1), Interest::READ);
    (&*theirs).write_all(b"x").expect("write");
    rig.until(token(1), |ready| ready.read);
    if subject.strict() {
        assert!(rig.turn(Wait::Now).is_empty(), "an unread byte is reported once");
        (&*theirs).write_all(b"y").expect("write");
        let again = rig.turn(Wait::Now).len();
        assert_eq!(again, usize::from(rig.handle.caps().edge), "a new byte is a new edge");
    }
    rig.ready.clear();
    rig.rearm(token(1), Interest::READ);
    if !rig.handle.caps().edge {
        rig.until(token(1), |ready| ready.read);
    }
}

/// A reader of single bytes gets them all: readiness is not used up by a partial read.
pub fn one_byte_at_a_time_loses_nothing(subject: Subject) {
    let mut rig = subject.rig();
    let (a, b) = pair();
    rig.attach(&a, token(1), Interest::BOTH);
    rig.attach(&b, token(2), Interest::BOTH);
    for round in 0..200_u8 {
        let mut byte = [0];
        let three = [round, round + 1, round + 2];
        let got = rig.read_after(token(2), &b, &mut byte, |rig| {
            rig.write_all(token(1), &a, &three).expect("write");
        });
        assert_eq!((got.expect("read"), byte[0]), (1, round));
        for expected in &three[1..] {
            assert_eq!(rig.read(token(2), &b, &mut byte).expect("read"), 1);
            assert_eq!(byte[0], *expected);
        }
        let got = rig.read_after(token(1), &a, &mut [0; 9], |rig| {
            rig.write_all(token(2), &b, &[round]).expect("write");
        });
        assert_eq!(got.expect("read"), 1);
    }
}

/// A writer of more than the kernel buffers waits for room again and again, and loses nothing.
pub fn a_full_pipe_empties_through_partial_writes(subject: Subject) {
    let mut rig = subject.rig();
    let (ours, theirs) = pair();
    theirs.set_nonblocking(false).expect("blocking");
    rig.attach(&ours, token(1), Interest::BOTH);
    let reader = thread::spawn(move || {
        let mut all = Vec::new();
        (&*theirs).read_to_end(&mut all).expect("read");
        all
    });
    let sent: Vec<u8> = (0..1_u32 << 20).map(|i| (i % 251) as u8).collect();
    rig.write_all(token(1), &ours, &sent).expect("write");
    rig.handle.detach(token(1)).expect("detach");
    drop(ours);
    assert!(reader.join().expect("reader") == sent);
}

/// A file that is attached without an interest keeps quiet until it is rearmed.
pub fn attached_silently_then_rearmed(subject: Subject) {
    let mut rig = subject.rig();
    let (ours, theirs) = pair();
    rig.attach(&ours, token(1), Interest::NONE);
    (&*theirs).write_all(b"x").expect("write");
    for _ in 0..20 {
        rig.turn(Wait::Now);
    }
    assert!(!rig.ready.values().any(|ready| ready.read || ready.write), "it was to keep quiet");
    rig.rearm(token(1), Interest::READ);
    rig.until(token(1), |ready| ready.read);
    rig.rearm(token(1), Interest::BOTH);
    rig.until(token(1), |ready| ready.write);
    rig.handle.detach(token(1)).expect("detach");
    rig.attach(&ours, token(2), Interest::NONE);
    rig.handle.detach(token(2)).expect("a file that was never asked about can be detached");
}

/// There are no more turns than events.
pub fn one_turn_per_event(subject: Subject) {
    let mut rig = subject.rig();
    let (ours, theirs) = pair();
    rig.attach(&ours, token(1), Interest::READ);
    for _ in 0..100 {
        (&*theirs).write_all(b"x").expect("write");
        rig.read(token(1), &ours, &mut [0; 9]).expect("read");
        (&*theirs).write_all(b"x").expect("write");
        rig.rearm(token(1), Interest::READ);
        rig.until(token(1), |ready| ready.read);
        rig.read(token(1), &ours, &mut [0; 9]).expect("read");
        rig.ready.clear();
        rig.rearm(token(1), Interest::READ);
        if subject.strict() {
            rig.settle();
        }
    }
    if subject.strict() {
        // Per round at most: the first byte's edge, the second's, and the last look of `settle`.
        assert!(rig.turns <= 300, "{} turns for 200 bytes", rig.turns);
        assert!(rig.reports <= 200, "{} reports for 200 bytes", rig.reports);
    }
}

/// A thousand fds of one socket, so that one byte makes them all readable.
pub fn a_thousand_sources(subject: Subject) {
    const MANY: u32 = 1000;
    allow_many_files();
    let mut rig = subject.rig();
    let (ours, theirs) = pair();
    let files: Vec<_> = (0..MANY).map(|_| Arc::new(ours.try_clone().expect("dup"))).collect();
    for (index, file) in (0..).zip(&files) {
        rig.attach(file, token(index), Interest::READ);
    }
    for _ in 0..2 {
        (&*theirs).write_all(b"x").expect("write");
        let (turns, reports) = (rig.turns, rig.reports);
        for index in 0..MANY {
            rig.until(token(index), |ready| ready.read);
        }
        if subject.strict() {
            assert_eq!((rig.turns - turns, rig.reports - reports), (1, MANY as usize));
        }
        (&*ours).read_exact(&mut [0]).expect("read");
        rig.ready.clear();
        for index in 0..MANY {
            rig.rearm(token(index), Interest::READ);
        }
    }
    for index in 0..MANY {
        rig.handle.detach(token(index)).expect("detach");
    }
    assert!(files.iter().all(|file| Arc::strong_count(file) == 1));
}

fn allow_many_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("as many as we may");
}
