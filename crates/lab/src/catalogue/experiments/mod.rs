//! The seed's experiments, one family a file. Each is a program, a prediction and a sentence that says why.

pub(super) mod blocked;
pub(super) mod delay;
pub(super) mod echo;
pub(super) mod hostage;
pub(super) mod lifo_trap;
pub(super) mod messages;
pub(super) mod priority_inversion;
pub(super) mod select_bias;
pub(super) mod self_waker;
pub(super) mod sleep;
pub(super) mod slow_resolver;
pub(super) mod starvation;
pub(super) mod tail_mixed;
pub(super) mod timeout;
