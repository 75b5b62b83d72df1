//! The suite for timer queues (C4).

use polyloop_conformance::timers;
use polyloop_time::{Heap, Wheel};

timers!(heap, Heap::new);
timers!(wheel, Wheel::new);
