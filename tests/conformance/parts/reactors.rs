//! The suite for reactors (C12).

use polyloop_conformance::reactor;
use polyloop_core::reactor::Reactor;
use polyloop_reactor::{Chaos, ChaosPlan, Mio, Poll, Polling};
use std::io;

reactor!(mio, Mio::new);
reactor!(polling, Polling::new);
reactor!(polling_oneshot, Polling::oneshot);
reactor!(poll, Poll::new);
reactor!(chaos_mio, rough, || rough(Mio::new()?, 1));
reactor!(chaos_polling, rough, || rough(Polling::new()?, 2));
reactor!(chaos_polling_oneshot, rough, || rough(Polling::oneshot()?, 3));
reactor!(chaos_poll, rough, || rough(Poll::new()?, 4));

fn rough<R: Reactor>(inner: R, seed: u64) -> io::Result<Chaos<R>> {
    Ok(Chaos::new(inner, seed, ChaosPlan::ROUGH))
}

#[test]
fn every_reactor_is_mounted() {
    let names: Vec<_> = polyloop_reactor::ALL.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["mio", "polling", "poll"]);
}
