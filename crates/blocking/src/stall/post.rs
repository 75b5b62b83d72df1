//! A thread inside `block_on`, or in a turn, as the monitor sees it.
//!
//! Invariant: a thread is made known to the monitor once in its life, and has something to show only while it is at its post.

use super::{Case, Stalls, Witness};
use crate::monitor::{self, Round, TICK, Watched};
use crate::probe::Probe;
use parking_lot::Mutex;
use polyloop_core::block_on::Watch;
use polyloop_core::{Desk, TaskSpace};
use std::cell::RefCell;
use std::sync::Arc;
use std::thread::Thread;
use std::time::Duration;

/// The calling thread runs tasks until this is dropped.
#[derive(Debug)]
pub struct Post(Seen);

#[derive(Debug)]
enum Seen {
    /// Nobody looks.
    Off(Desk),
    On(Arc<Lookout>),
}

/// What the monitor looks at.
#[derive(Debug)]
struct Lookout {
    desk: Desk,
    probe: Arc<Probe>,
    thread: Thread,
    /// While the thread is at its post.
    duty: Mutex<Option<Duty>>,
}

#[derive(Debug)]
struct Duty {
    stalls: Stalls,
    /// Kept until the thread takes its duty back: so it is never the monitor that drops the last of what a space keeps.
    spaces: Vec<Arc<TaskSpace>>,
    own: Option<usize>,
    case: Case,
}

thread_local! {
    static HERE: RefCell<Option<Arc<Lookout>>> = const { RefCell::new(None) };
}

impl Post {
    /// Has the monitor look at the calling thread, which runs tasks of `space`, if anybody wants to know. If the monitor cannot be
    /// started, nobody does.
    pub fn new(stalls: &Stalls, space: &Arc<TaskSpace>) -> Self {
        let lookout = if stalls.is_on() { Lookout::of_this_thread() } else { None };
        let Some(lookout) = lookout else { return Self(Seen::Off(Desk::new())) };
        *lookout.duty.lock() = Some(Duty {
            stalls: stalls.clone(),
            spaces: vec![Arc::clone(space)],
            own: None,
            case: Case::default(),
        });
        Self(Seen::On(lookout))
    }
}

impl Watch for Post {
    fn desk(&self) -> &Desk {
        match &self.0 {
            Seen::Off(desk) => desk,
            Seen::On(lookout) => &lookout.desk,
        }
    }

    fn arrive(&self, local: &Arc<TaskSpace>, own: usize) {
        if let Seen::On(lookout) = &self.0
            && let Some(duty) = &mut *lookout.duty.lock()
        {
            duty.spaces.push(Arc::clone(local));
            duty.own = Some(own);
        }
    }

    fn rise(&self) {
        if let Seen::On(_) = &self.0 {
            monitor::kick();
        }
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        if let Seen::On(lookout) = &self.0 {
            lookout.desk.rest();
            let duty = lookout.duty.lock().take();
            // Tells of the end of a stall, and may be the end of a space: outside of the lock.
            drop(duty);
        }
    }
}

impl Lookout {
    /// The thread's own one; another one if that is taken, because a blocking closure inside a poll is in a `block_on` again, and
    /// where thread-locals are gone.
    fn of_this_thread() -> Option<Arc<Self>> {
        let mine = HERE.try_with(|here| {
            let here = &mut *here.borrow_mut();
            if here.is_none() {
                *here = Self::start();
            }
            here.clone()
        });
        match mine {
            Ok(Some(lookout)) if lookout.duty.lock().is_some() => Self::start(),
            Ok(mine) => mine,
            Err(_) => Self::start(),
        }
    }

    fn start() -> Option<Arc<Self>> {
        let lookout = Arc::new(Self {
            desk: Desk::new(),
            probe: Arc::new(Probe::here()),
            thread: std::thread::current(),
            duty: Mutex::new(None),
        });
        monitor::watch(Arc::downgrade(&lookout)).ok()?;
        Some(lookout)
    }
}

impl Watched for Lookout {
    fn tick(&self) -> Duration {
        self.duty.lock().as_ref().map_or(TICK, |duty| duty.stalls.tick())
    }

    fn inspect(&self, round: &Round) -> bool {
        let Some(Duty { stalls, spaces, own, case }) = &mut *self.duty.lock() else { return false };
        // Tasks are stamped by the coarse clock, which somebody must keep moving while polls are long.
        spaces.iter().take(1).for_each(|space| space.tell_time());
        case.look(&self.desk, round, stalls, || {
            Some(Witness {
                probe: Arc::clone(&self.probe),
                thread: self.thread.clone(),
                spaces: spaces.clone(),
                own: *own,
            })
        })
    }
}
