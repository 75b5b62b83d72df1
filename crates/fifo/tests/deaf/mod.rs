//! A reactor without files, which only waits: nothing of the system is asked, so that Miri can follow.

use polyloop_core::reactor::{Caps, Events, File, Interest, Reactor, ReactorHandle, Token};
use polyloop_core::time::Wait;
use std::io;
use std::sync::{Arc, Condvar, Mutex};

#[derive(Debug, Default)]
pub(crate) struct Deaf(Arc<Bell>);

/// Whether it was rung since the last wait, and who waits for that.
#[derive(Debug, Default)]
struct Bell(Mutex<bool>, Condvar);

impl Reactor for Deaf {
    fn handle(&self) -> Arc<dyn ReactorHandle> {
        Arc::clone(&self.0) as _
    }

    fn turn(&mut self, wait: Wait, _: &mut Events) -> io::Result<()> {
        let Bell(rung, ringing) = &*self.0;
        let mut rung = rung.lock().unwrap();
        match wait {
            Wait::Now => {}
            Wait::For(time) => rung = ringing.wait_timeout_while(rung, time, |rung| !*rung).unwrap().0,
            Wait::Forever => rung = ringing.wait_while(rung, |rung| !*rung).unwrap(),
        }
        *rung = false;
        Ok(())
    }
}

impl ReactorHandle for Bell {
    fn name(&self) -> &'static str {
        "deaf"
    }

    fn caps(&self) -> Caps {
        Caps::READINESS
    }

    fn attach(&self, _: Arc<dyn File>, _: Token, _: Interest) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn rearm(&self, _: Token, _: Interest) -> io::Result<()> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn detach(&self, _: Token) -> io::Result<()> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn unpark(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_one();
    }

    fn syscalls(&self) -> u64 {
        0
    }
}
