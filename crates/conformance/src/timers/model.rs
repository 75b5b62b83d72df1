//! The contract in the fewest words, and long random programs that a queue must run as the model does.

use super::log::{Log, at};
use super::{DAY, MS, New, TICK};
use polyloop_core::time::{Instant, TimerKey, Timers};
use std::collections::BTreeMap;

/// Deadlines with the number of their insertion, in order.
#[derive(Debug, Default)]
pub struct Model {
    order: BTreeMap<(u64, u64), u64>,
    places: BTreeMap<u64, (u64, u64)>,
    sequence: u64,
}

impl Model {
    /// Adds timer `id`.
    pub fn insert(&mut self, id: u64, deadline: u64) {
        self.sequence += 1;
        self.order.insert((deadline, self.sequence), id);
        self.places.insert(id, (deadline, self.sequence));
    }

    /// Removes timer `id`; `false` if it is not there.
    pub fn remove(&mut self, id: u64) -> bool {
        self.places.remove(&id).is_some_and(|place| self.order.remove(&place).is_some())
    }

    /// Takes out who is due at `now`, in order.
    pub fn fire(&mut self, now: u64) -> Vec<u64> {
        let due: Vec<_> = self.order.range(..=(now, u64::MAX)).map(|(place, id)| (*place, *id)).collect();
        for (place, id) in &due {
            self.order.remove(place);
            self.places.remove(id);
        }
        due.into_iter().map(|(_, id)| id).collect()
    }

    /// The nearest deadline.
    pub fn next(&self) -> Option<Instant> {
        self.order.keys().next().map(|(deadline, _)| at(*deadline))
    }

    /// How many timers there are.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

/// The model and a queue side by side.
struct Pair {
    model: Model,
    timers: Box<dyn Timers>,
    keys: Vec<TimerKey>,
    log: Log,
    now: u64,
}

impl Pair {
    fn new(new: New, start: u64) -> Self {
        let (model, timers) = (Model::default(), new());
        let mut pair = Self { model, timers, keys: Vec::new(), log: Log::default(), now: start };
        pair.fire();
        pair
    }

    fn insert(&mut self, deadline: u64) {
        let id = self.keys.len() as u64;
        self.model.insert(id, deadline);
        self.keys.push(self.timers.insert(at(deadline), self.log.waker(id)));
    }

    fn update(&mut self, which: usize, deadline: u64) {
        let live = self.model.remove(which as u64);
        if live {
            self.model.insert(which as u64, deadline);
        }
        assert_eq!(self.timers.update(self.keys[which], at(deadline)), live, "an update at {}", self.now);
    }

    fn remove(&mut self, which: usize) {
        let live = self.model.remove(which as u64);
        assert_eq!(self.timers.remove(self.keys[which]).is_some(), live, "a removal at {}", self.now);
    }

    fn fire(&mut self) {
        let expected = self.model.fire(self.now);
        assert_eq!(self.log.fire(&mut *self.timers, at(self.now)), expected, "fired at {}", self.now);
    }

    fn check(&mut self) {
        assert_eq!(self.timers.len(), self.model.len(), "at {}", self.now);
        assert_eq!(self.timers.next(), self.model.next(), "at {}", self.now);
    }
}

/// A generator of one word of state: the same seed makes the same program.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % bound
    }

    /// A span of any magnitude up to 2^`bits`, often right beside a power of two.
    fn span(&mut self, bits: u64) -> u64 {
        let power = 1 << self.below(bits + 1);
        match self.below(4) {
            0 => power - 1,
            1 => power + self.below(2),
            _ => self.below(power),
        }
    }
}

/// Two hundred programs of two hundred steps, with keys that are stale by then among them.
pub fn random_programs_do_what_the_model_does(new: New) {
    let programs = if cfg!(miri) { 4 } else { 200 };
    for seed in 0..programs {
        let mut random = Random(seed);
        let start = random.span(60);
        let mut pair = Pair::new(new, start);
        pair.insert(u64::MAX);
        for _ in 0..200 {
            let (bits, which) = (1 + random.below(50), random.below(pair.keys.len() as u64) as usize);
            let after = pair.now.saturating_add(random.span(bits));
            match random.below(16) {
                0..=6 => pair.insert(after),
                7 => pair.insert(pair.now.saturating_sub(random.span(40))),
                8 | 9 => pair.update(which, after),
                10 | 11 => pair.remove(which),
                12 | 13 => {
                    pair.now = pair.now.saturating_add(random.span(36)).min(u64::MAX - 1);
                    pair.fire();
                }
                _ => {
                    if let Some(next) = pair.model.next().filter(|next| *next != Instant::FAR_FUTURE) {
                        pair.now = pair.now.max(next.as_nanos());
                        pair.fire();
                    }
                }
            }
            pair.check();
        }
        pair.now = u64::MAX;
        pair.fire();
        pair.check();
    }
}

/// Thirteen days of timeouts that come, move and go, with timers that are days, years and for ever away.
pub fn thirteen_virtual_days_with_far_timers_always_there(new: New) {
    let mut random = Random(0x5eed_0013);
    let mut pair = Pair::new(new, 0);
    for far in [u64::MAX, u64::MAX - 1, (1 << 36) * MS, 1 << 63, 1 << 58] {
        pair.insert(far);
    }
    let steps = if cfg!(miri) { 400 } else { 60_000 };
    let stride = 2 * 13 * DAY / steps;
    while pair.now < 13 * DAY {
        let which = pair.keys.len() - 1 - random.below(100.min(pair.keys.len() as u64)) as usize;
        match random.below(8) {
            0..=2 => pair.insert(pair.now + random.span(48)),
            // The far ones have the lowest numbers and are left alone.
            3 if which >= 5 => pair.update(which, pair.now + random.span(44)),
            4 if which >= 5 => pair.remove(which),
            5 => {
                pair.now += random.below(8 * stride);
                pair.fire();
            }
            _ => {
                pair.now += random.span(17);
                pair.fire();
            }
        }
        pair.check();
    }
    assert!(pair.timers.len() >= 5);
}

/// Jumps to either side of every power of two, which is where buckets end, from bases that are odd.
pub fn a_jump_to_either_side_of_every_power_of_two(new: New) {
    for base in [0, 5 * TICK + 3, (1 << 40) - 1, 11 * DAY] {
        for power in 0..63 {
            let (from, aligned) = (base + (1 << power), (base >> power << power) + (1 << power));
            for edge in [from, aligned] {
                let around = [edge.saturating_sub(TICK), edge - 1, edge, edge + 1, edge + TICK];
                for target in around {
                    let mut pair = Pair::new(new, base);
                    pair.insert(u64::MAX);
                    around.iter().for_each(|deadline| pair.insert(*deadline));
                    pair.now = target.max(base);
                    pair.fire();
                    pair.check();
                    around.iter().for_each(|deadline| pair.insert(*deadline));
                    pair.check();
                    pair.now = edge + 2 * TICK;
                    pair.fire();
                    pair.check();
                    assert_eq!(pair.timers.len(), 1);
                }
            }
        }
    }
}
