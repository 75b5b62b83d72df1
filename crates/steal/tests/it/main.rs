//! The pool with its work-stealing scheduler, by situation and under stress.
//!
//! What can go wrong here is a hang, so every test runs under a watchdog. Rounds are short unless `POLYLOOP_STRESS=long`.

mod alarms;
mod blocked;
mod broken;
mod clock;
mod end;
mod foreign;
mod kit;
mod load;
mod relief;
mod stuck;
