//! A reactor that has a kernel's bad days on purpose.
//!
//! Invariant: nothing is lost for good. A fault adds an event that means nothing, tells one twice, late or in another
//! order, or ends a wait for nothing; what the reactor below reported is told in the end. A call that fails has done
//! nothing, and one that is cut short says how much it did. So whoever keeps the contract
//! of [`Reactor`] gets everything done under any plan, and at the plain speed once the plan is [off](ChaosControl::set).

use core::fmt;
use core::mem;
use polyloop_core::reactor::{
    Call, Caps, Event, Events, Fault, Faults, File, Interest, Op, OpId, Reactor, ReactorHandle, Ready, Token,
};
use polyloop_core::shim::sync::Mutex;
use polyloop_core::time::Wait;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

/// How often each fault happens, in thousandths; 1000 and more is always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChaosPlan {
    /// Per turn: one registered file, drawn at random, is reported as ready for what was last asked of it.
    pub spurious: u16,
    /// Per event: it is told twice.
    pub duplicated: u16,
    /// Per event: it is told one to five turns later.
    pub delayed: u16,
    /// Per turn: its events are shuffled.
    pub reordered: u16,
    /// Per turn: it returns with nothing and did not look, as a signal would have it. A thousand and more leaves every
    /// other turn.
    pub empty: u16,
    /// Per turn: the reactor is unparked several times at its end, so that the next wait ends at once.
    pub unparked: u16,
    /// Per attach: it fails as for want of fds, memory or watches, in turn.
    pub attach_fails: u16,
    /// Per read or write of a byte stream: it moves 1 to 8 bytes, though more could be.
    pub short: u16,
    /// Per read, write or accept: a signal interrupts it (`EINTR`).
    pub interrupted: u16,
    /// Per accept: the process has no file descriptor left (`EMFILE`).
    pub no_descriptor: u16,
    /// Per accept: the connection was given up (`ECONNABORTED`). It comes again, for the peer knows nothing of it.
    pub aborted: u16,
}

impl ChaosPlan {
    /// No faults at all.
    pub const OFF: Self = Self {
        spurious: 0,
        duplicated: 0,
        delayed: 0,
        reordered: 0,
        empty: 0,
        unparked: 0,
        attach_fails: 0,
        short: 0,
        interrupted: 0,
        no_descriptor: 0,
        aborted: 0,
    };

    /// Everything that a program which keeps the contract bears without an error: all but the failing attaches.
    pub const ROUGH: Self = Self {
        spurious: 100,
        duplicated: 100,
        delayed: 200,
        reordered: 500,
        empty: 500,
        unparked: 50,
        attach_fails: 0,
        short: 200,
        interrupted: 100,
        no_descriptor: 100,
        aborted: 100,
    };
}

/// How many faults of each kind were done, by the names of [`ChaosPlan`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of ChaosPlan")]
pub struct ChaosCounts {
    pub spurious: u64,
    pub duplicated: u64,
    pub delayed: u64,
    pub reordered: u64,
    pub empty: u64,
    pub unparked: u64,
    pub attach_fails: u64,
    pub short: u64,
    pub interrupted: u64,
    pub no_descriptor: u64,
    pub aborted: u64,
}

/// Changes the plan while the reactor runs, and tells what was done.
#[derive(Clone, Debug)]
pub struct ChaosControl {
    dice: Arc<Mutex<Dice>>,
}

impl ChaosControl {
    /// From now on faults follow `plan`. With [`ChaosPlan::OFF`] what was held back is told with the next turn.
    pub fn set(&self, plan: ChaosPlan) {
        self.dice.lock().plan = plan;
    }

    /// What was done so far.
    pub fn counts(&self) -> ChaosCounts {
        self.dice.lock().counts
    }
}

impl Faults for ChaosControl {
    fn fault(&self, call: Call) -> Option<Fault> {
        let mut dice = self.dice.lock();
        if dice.fault(|plan| plan.interrupted, |counts| &mut counts.interrupted) {
            return Some(Fault::Interrupted);
        }
        match call {
            Call::Accept if dice.fault(|plan| plan.no_descriptor, |counts| &mut counts.no_descriptor) => {
                Some(Fault::NoDescriptor)
            }
            Call::Accept if dice.fault(|plan| plan.aborted, |counts| &mut counts.aborted) => {
                Some(Fault::Aborted)
            }
            Call::Read | Call::Write if dice.fault(|plan| plan.short, |counts| &mut counts.short) => {
                Some(Fault::Short(1 + dice.below(8) as usize))
            }
            _ => None,
        }
    }
}

/// Wraps a reactor and does what a [`ChaosPlan`] says, by a die that depends on the seed alone.
#[derive(Debug)]
pub struct Chaos<R> {
    inner: R,
    handle: Arc<ChaosHandle>,
    /// Events held back, with how many turns they still wait.
    held: Vec<(u8, Event)>,
    fresh: Events,
    /// The last turn was an empty one on purpose.
    was_empty: bool,
}

impl<R: Reactor> Chaos<R> {
    /// Wraps `inner`.
    pub fn new(inner: R, seed: u64, plan: ChaosPlan) -> Self {
        let dice = Arc::new(Mutex::new(Dice { state: seed, plan, counts: ChaosCounts::default() }));
        let handle = Arc::new(ChaosHandle { inner: inner.handle(), dice, known: Mutex::default() });
        Self { inner, handle, held: Vec::new(), fresh: Events::new(), was_empty: false }
    }

    /// What changes the plan.
    pub fn control(&self) -> ChaosControl {
        ChaosControl { dice: self.handle.dice.clone() }
    }

    /// Passes on what came and what is due, and holds back what the die says.
    fn deal(&mut self, events: &mut Events) {
        let mut dice = self.handle.dice.lock();
        let off = dice.plan == ChaosPlan::OFF;
        let mut deal = Vec::new();
        for (turns, event) in mem::take(&mut self.held) {
            if off || turns <= 1 { deal.push(event) } else { self.held.push((turns - 1, event)) }
        }
        for event in self.fresh.drain() {
            match event {
                Event::Ready { token, ready }
                    if dice.fault(|plan| plan.duplicated, |counts| &mut counts.duplicated) =>
                {
                    deal.push(Event::Ready { token, ready });
                }
                _ => {}
            }
            if dice.fault(|plan| plan.delayed, |counts| &mut counts.delayed) {
                self.held.push((1 + dice.below(5) as u8, event));
            } else {
                deal.push(event);
            }
        }
        deal.extend(self.handle.spurious(&mut dice));
        if deal.len() > 1 && dice.fault(|plan| plan.reordered, |counts| &mut counts.reordered) {
            for i in (1..deal.len()).rev() {
                deal.swap(i, dice.below(i as u64 + 1) as usize);
            }
        }
        deal.into_iter().for_each(|event| events.push(event));
    }
}

impl<R: Reactor> Reactor for Chaos<R> {
    fn handle(&self) -> Arc<dyn ReactorHandle> {
        self.handle.clone()
    }

    fn turn(&mut self, wait: Wait, events: &mut Events) -> io::Result<()> {
        let empty = !self.was_empty && self.handle.fault(|plan| plan.empty, |counts| &mut counts.empty);
        self.was_empty = empty;
        if empty {
            return Ok(());
        }
        let wait = if self.held.is_empty() { wait } else { Wait::Now };
        let outcome = self.inner.turn(wait, &mut self.fresh);
        self.deal(events);
        if self.handle.fault(|plan| plan.unparked, |counts| &mut counts.unparked) {
            (0..3).for_each(|_| self.handle.inner.unpark());
        }
        outcome
    }
}

struct ChaosHandle {
    inner: Arc<dyn ReactorHandle>,
    dice: Arc<Mutex<Dice>>,
    /// What was last asked of each file.
    known: Mutex<BTreeMap<Token, Interest>>,
}

impl ChaosHandle {
    fn fault(&self, rate: fn(&ChaosPlan) -> u16, count: fn(&mut ChaosCounts) -> &mut u64) -> bool {
        self.dice.lock().fault(rate, count)
    }

    /// An event that nothing happened for.
    fn spurious(&self, dice: &mut Dice) -> Option<Event> {
        let known = self.known.lock();
        if known.is_empty() || !dice.fault(|plan| plan.spurious, |counts| &mut counts.spurious) {
            return None;
        }
        let (&token, interest) = known.iter().nth(dice.below(known.len() as u64) as usize)?;
        let ready = Ready { read: interest.read, write: interest.write, ..Ready::default() };
        Some(Event::Ready { token, ready })
    }
}

impl ReactorHandle for ChaosHandle {
    /// The name of the reactor below.
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn caps(&self) -> Caps {
        self.inner.caps()
    }

    fn attach(&self, file: Arc<dyn File>, token: Token, interest: Interest) -> io::Result<()> {
        /// `ENOMEM`, `EMFILE` and `ENOSPC`, the same on every Unix.
        const ERRORS: [i32; 3] = [12, 24, 28];
        let mut dice = self.dice.lock();
        if dice.fault(|plan| plan.attach_fails, |counts| &mut counts.attach_fails) {
            let nth = dice.counts.attach_fails as usize % ERRORS.len();
            return Err(io::Error::from_raw_os_error(ERRORS[nth]));
        }
        drop(dice);
        self.inner.attach(file, token, interest)?;
        self.known.lock().insert(token, interest);
        Ok(())
    }

    fn rearm(&self, token: Token, interest: Interest) -> io::Result<()> {
        self.inner.rearm(token, interest)?;
        if let (false, Some(known)) = (self.inner.caps().edge, self.known.lock().get_mut(&token)) {
            *known = interest;
        }
        Ok(())
    }

    fn detach(&self, token: Token) -> io::Result<()> {
        self.known.lock().remove(&token);
        self.inner.detach(token)
    }

    fn unpark(&self) {
        self.inner.unpark();
    }

    fn pollable(&self) -> Option<BorrowedFd<'_>> {
        self.inner.pollable()
    }

    fn syscalls(&self) -> u64 {
        self.inner.syscalls()
    }

    fn faults(&self) -> Option<Arc<dyn Faults>> {
        Some(Arc::new(ChaosControl { dice: self.dice.clone() }))
    }

    fn submit(&self, op: Op) -> io::Result<OpId> {
        self.inner.submit(op)
    }

    fn cancel(&self, op: OpId) -> io::Result<()> {
        self.inner.cancel(op)
    }
}

impl fmt::Debug for ChaosHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChaosHandle")
            .field("inner", &self.inner)
            .field("dice", &self.dice)
            .finish_non_exhaustive()
    }
}

/// The die, what it is thrown for, and what came of it.
#[derive(Debug)]
struct Dice {
    state: u64,
    plan: ChaosPlan,
    counts: ChaosCounts,
}

impl Dice {
    /// splitmix64: a counter, scrambled.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.state;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    /// A number below `end`, which is small.
    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Throws for one kind of fault and counts it. No die is thrown for what never happens.
    fn fault(&mut self, rate: fn(&ChaosPlan) -> u16, count: fn(&mut ChaosCounts) -> &mut u64) -> bool {
        let rate = u64::from(rate(&self.plan));
        let hit = rate > 0 && self.below(1000) < rate;
        *count(&mut self.counts) += u64::from(hit);
        hit
    }
}
