//! Broken reactors: the poll(2) reactor with one fault around it.

use crate::mutants::finds;
use polyloop_conformance::reactor;
use polyloop_conformance::reactor::{Subject, properties};
use polyloop_core::reactor::{Caps, Event, Events, File, Interest, Reactor, ReactorHandle, Ready, Token};
use polyloop_core::time::Wait;
use polyloop_reactor::Poll;
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SOUND: u8 = 0;
const EARLY_UNPARK_LOST: u8 = 1;
const UNPARKS_PILE_UP: u8 = 2;
const STALE_TOKENS: u8 = 3;
const HALF_CLOSE_FORGOTTEN: u8 = 4;
const HANGUP_ONE_DIRECTION: u8 = 5;
const HALF_CLOSE_IS_HANGUP: u8 = 6;
const TIMEOUT_ROUNDED_DOWN: u8 = 7;
const FAR_TIMEOUT_FAILS: u8 = 8;
const REARM_LOST: u8 = 9;
const UNKNOWN_TOKEN_ACCEPTED: u8 = 10;
const FILE_KEPT: u8 = 11;
const ONE_EVENT_IN_MANY: u8 = 12;
const SILENT_ATTACH_TELLS: u8 = 13;
const ONE_UNPARK_IN_MANY_LOST: u8 = 14;

#[derive(Debug)]
struct Broken<const FAULT: u8> {
    inner: Poll,
    handle: Arc<BrokenHandle<FAULT>>,
}

#[derive(Debug)]
struct BrokenHandle<const FAULT: u8> {
    inner: Arc<dyn ReactorHandle>,
    /// Somebody is in a turn that waits.
    waiting: AtomicBool,
    unparks: Mutex<u32>,
    /// Who had the slot before.
    former: Mutex<BTreeMap<u32, Token>>,
}

impl<const FAULT: u8> Broken<FAULT> {
    fn new() -> io::Result<Self> {
        let inner = Poll::new()?;
        let handle = Arc::new(BrokenHandle {
            inner: inner.handle(),
            waiting: AtomicBool::new(false),
            unparks: Mutex::default(),
            former: Mutex::default(),
        });
        Ok(Self { inner, handle })
    }

    fn tell(&self, token: Token, mut ready: Ready) -> (Token, Ready) {
        match FAULT {
            HALF_CLOSE_FORGOTTEN if ready.read_closed && !ready.hangup => ready = Ready::default(),
            HANGUP_ONE_DIRECTION if ready.hangup => ready = Ready { read: true, ..Ready::default() },
            HALF_CLOSE_IS_HANGUP if ready.read_closed => ready.hangup = true,
            _ => {}
        }
        let former = self.handle.former.lock().unwrap().get(&token.index()).copied();
        (former.filter(|_| FAULT == STALE_TOKENS).unwrap_or(token), ready)
    }
}

impl<const FAULT: u8> Reactor for Broken<FAULT> {
    fn handle(&self) -> Arc<dyn ReactorHandle> {
        self.handle.clone()
    }

    fn turn(&mut self, wait: Wait, events: &mut Events) -> io::Result<()> {
        let wait = match wait {
            Wait::For(time) if FAULT == TIMEOUT_ROUNDED_DOWN => {
                Wait::For(Duration::from_millis(time.as_millis() as u64))
            }
            Wait::For(time) if FAULT == FAR_TIMEOUT_FAILS && time.as_millis() > i32::MAX as u128 => {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            wait => wait,
        };
        if FAULT == UNPARKS_PILE_UP && wait != Wait::Now {
            let mut unparks = self.handle.unparks.lock().unwrap();
            if *unparks > 0 {
                *unparks -= 1;
                self.inner.handle().unpark();
            }
        }
        let mut fresh = Events::new();
        self.handle.waiting.store(wait != Wait::Now, SeqCst);
        let turned = self.inner.turn(wait, &mut fresh);
        self.handle.waiting.store(false, SeqCst);
        for (number, event) in fresh.drain().enumerate() {
            let Event::Ready { token, ready } = event else { continue };
            if FAULT == ONE_EVENT_IN_MANY && number > 0 {
                continue;
            }
            let (token, ready) = self.tell(token, ready);
            if ready != Ready::default() {
                events.push(Event::Ready { token, ready });
            }
        }
        turned
    }
}

impl<const FAULT: u8> ReactorHandle for BrokenHandle<FAULT> {
    fn name(&self) -> &'static str {
        "broken"
    }

    fn caps(&self) -> Caps {
        self.inner.caps()
    }

    fn attach(&self, file: Arc<dyn File>, token: Token, interest: Interest) -> io::Result<()> {
        let interest = if FAULT == SILENT_ATTACH_TELLS && interest == Interest::NONE {
            Interest::BOTH
        } else {
            interest
        };
        self.inner.attach(file.clone(), token, interest)?;
        if FAULT == FILE_KEPT {
            std::mem::forget(file);
        }
        Ok(())
    }

    fn rearm(&self, token: Token, interest: Interest) -> io::Result<()> {
        match FAULT {
            REARM_LOST => Ok(()),
            UNKNOWN_TOKEN_ACCEPTED => self.inner.rearm(token, interest).or(Ok(())),
            _ => self.inner.rearm(token, interest),
        }
    }

    fn detach(&self, token: Token) -> io::Result<()> {
        if FAULT == STALE_TOKENS {
            self.former.lock().unwrap().insert(token.index(), token);
        }
        match FAULT {
            UNKNOWN_TOKEN_ACCEPTED => self.inner.detach(token).or(Ok(())),
            _ => self.inner.detach(token),
        }
    }

    fn unpark(&self) {
        match FAULT {
            EARLY_UNPARK_LOST if !self.waiting.load(SeqCst) => {}
            ONE_UNPARK_IN_MANY_LOST => {
                let mut unparks = self.unparks.lock().unwrap();
                *unparks += 1;
                if !unparks.is_multiple_of(100) {
                    self.inner.unpark();
                }
            }
            UNPARKS_PILE_UP => {
                *self.unparks.lock().unwrap() += 1;
                self.inner.unpark();
            }
            _ => self.inner.unpark(),
        }
    }

    fn syscalls(&self) -> u64 {
        self.inner.syscalls()
    }
}

reactor!(sound, super::Broken::<{ super::SOUND }>::new);

#[track_caller]
fn assert_found<const FAULT: u8>(by: &str) {
    let new: reactor::New = || Ok(Box::new(Broken::<FAULT>::new()?));
    let (name, property) = properties().into_iter().find(|(name, _)| *name == by).expect("a property");
    assert!(finds(name, move || property(Subject { new, rough: false })), "not found by {by}");
}

#[test]
fn an_unpark_before_the_wait_that_is_lost() {
    assert_found::<EARLY_UNPARK_LOST>("an_unpark_before_the_wait_ends_it");
}

#[test]
fn one_unpark_of_a_wait_in_many_that_is_lost() {
    assert_found::<ONE_UNPARK_IN_MANY_LOST>("no_unpark_of_a_wait_is_lost");
}

#[test]
fn unparks_that_pile_up() {
    assert_found::<UNPARKS_PILE_UP>("many_unparks_before_a_wait_are_one");
}

#[test]
fn events_under_the_token_of_a_former_tenant() {
    assert_found::<STALE_TOKENS>("a_reused_fd_or_slot_is_not_taken_for_its_predecessor");
}

#[test]
fn a_half_close_that_is_forgotten() {
    assert_found::<HALF_CLOSE_FORGOTTEN>("half_close_is_no_hangup_and_no_spin");
}

#[test]
fn a_half_close_that_is_told_as_a_hangup() {
    assert_found::<HALF_CLOSE_IS_HANGUP>("half_close_is_no_hangup_and_no_spin");
}

#[test]
fn a_hangup_that_wakes_one_direction() {
    assert_found::<HANGUP_ONE_DIRECTION>("a_hangup_is_told_once");
    assert_found::<HANGUP_ONE_DIRECTION>("a_reset_connection_wakes_both_directions");
}

#[test]
fn a_timeout_that_is_rounded_down() {
    assert_found::<TIMEOUT_ROUNDED_DOWN>("a_wait_is_never_early_and_does_not_spin");
}

#[test]
fn a_timeout_that_does_not_fit() {
    assert_found::<FAR_TIMEOUT_FAILS>("far_timeouts_do_not_overflow");
}

#[test]
fn a_rearm_that_is_lost() {
    assert_found::<REARM_LOST>("one_byte_at_a_time_loses_nothing");
    assert_found::<REARM_LOST>("attached_silently_then_rearmed");
}

#[test]
fn a_token_of_nobody_that_is_accepted() {
    assert_found::<UNKNOWN_TOKEN_ACCEPTED>("an_unknown_token_is_not_found");
}

#[test]
fn a_file_that_is_kept_after_its_detach() {
    assert_found::<FILE_KEPT>("a_file_reports_what_it_was_asked_for");
    assert_found::<FILE_KEPT>("detach_while_another_thread_waits_closes_the_file");
}

#[test]
fn a_turn_that_tells_one_event_of_many() {
    assert_found::<ONE_EVENT_IN_MANY>("a_thousand_sources");
}

#[test]
fn a_silent_attach_that_tells() {
    assert_found::<SILENT_ATTACH_TELLS>("attached_silently_then_rearmed");
}
