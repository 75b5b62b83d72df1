//! A foreign event loop watches a reactor's own file, and turns it only when that is readable.

use polyloop_conformance::reactor::{pair, token};
use polyloop_core::reactor::{Events, Interest, Reactor};
use polyloop_core::time::Wait;
use polyloop_reactor::{Mio, Polling};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{Read, Write};
use std::os::fd::BorrowedFd;

fn readable(file: Option<BorrowedFd<'_>>) -> bool {
    let mut list = [PollFd::from_borrowed_fd(file.expect("offered"), PollFlags::IN)];
    poll(&mut list, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).expect("poll") == 1
}

fn watched<R: Reactor>(mut reactor: R, as_fd: impl Fn(&R) -> Option<BorrowedFd<'_>>) {
    let handle = reactor.handle();
    assert!(handle.caps().pollable_fd);
    let mut events = Events::new();
    handle.unpark();
    assert!(readable(as_fd(&reactor)), "also the unpark of before is seen");
    reactor.turn(Wait::Now, &mut events).expect("turn");
    assert!(!readable(as_fd(&reactor)), "and once");
    for _ in 0..3 {
        handle.unpark();
        handle.unpark();
        assert!(readable(as_fd(&reactor)), "an unpark is seen");
        reactor.turn(Wait::Now, &mut events).expect("turn");
        assert!(!readable(as_fd(&reactor)));
    }
    let (ours, theirs) = pair();
    handle.attach(ours.clone(), token(1), Interest::READ).expect("attach");
    for _ in 0..3 {
        (&*theirs).write_all(b"x").expect("write");
        assert!(readable(as_fd(&reactor)), "an event is seen");
        reactor.turn(Wait::Now, &mut events).expect("turn");
        assert_eq!(events.drain().count(), 1);
        (&*ours).read_exact(&mut [0]).expect("read");
        assert!(!readable(as_fd(&reactor)));
    }
}

#[test]
fn a_foreign_loop_sees_events_and_unparks() {
    watched(Mio::new().expect("mio"), Mio::as_fd);
    watched(Polling::new().expect("polling"), Polling::as_fd);
}
