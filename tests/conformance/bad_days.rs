//! Whole runtimes on reactors that have the kernel's bad days (C12): events late, doubled, invented, out of order, waits that
//! end for nothing. What is done in the end is the same.

use polyloop::{Any, Builder, Combination, Handle, ReactorKind, Runtime};
use polyloop_conformance::runtime;
use polyloop_core::reactor::Reactor;
use polyloop_reactor::{Chaos, ChaosPlan, Mio, Poll, Polling};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A reactor with bad days, each time other ones.
struct Rough<const REACTOR: char>;

impl<const REACTOR: char> ReactorKind for Rough<REACTOR> {
    fn build(_: &Combination) -> io::Result<Box<dyn Reactor>> {
        static SEED: AtomicU64 = AtomicU64::new(0);
        let inner: Box<dyn Reactor> = match REACTOR {
            'm' => Box::new(Mio::new()?),
            'o' => Box::new(Polling::oneshot()?),
            'l' => Box::new(Polling::new()?),
            _ => Box::new(Poll::new()?),
        };
        Ok(Box::new(Chaos::new(inner, SEED.fetch_add(1, Relaxed), ChaosPlan::ROUGH)))
    }
}

fn rough<const REACTOR: char>(name: &str) -> (Handle, Runtime<Any, Rough<REACTOR>, Any>) {
    let runtime = Builder::new().combination(name).build_as::<Any, Rough<REACTOR>, Any>().unwrap();
    (runtime.handle().clone(), runtime)
}

runtime!(fifo_mio, one worker, rough::<'m'>("fifo"));
runtime!(fifo_polling, one worker, rough::<'l'>("fifo"));
runtime!(fifo_polling_oneshot, one worker, rough::<'o'>("fifo"));
runtime!(fifo_poll, one worker, rough::<'p'>("fifo+poll+heap"));
runtime!(steal_mio, rough::<'m'>("steal:2"));
runtime!(steal_polling, rough::<'l'>("steal:2"));
runtime!(steal_polling_oneshot, rough::<'o'>("steal:2"));
runtime!(steal_poll, rough::<'p'>("steal:2+poll+heap"));
