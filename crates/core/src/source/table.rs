//! The registered sources of one driver, found by token.
//!
//! Invariant: a stamp is given out once in 2³² and a token names slot and stamp, so a token that outlived its registration
//! finds nothing, whoever has the slot now. Free slots hold no state, so a page that has only those can be let go at any
//! time; new sources take the lowest free slot, so that the pages of a burst empty out even under a steady load.

use super::{GONE, Source, flags, gone};
use crate::WakeBatch;
use crate::reactor::{Event, Events, Token};
use crate::shim::atomic::{AtomicU64, Ordering::Relaxed};
use crate::shim::sync::Mutex;
use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

/// How many slots a page has: as many as a word has bits. 1 KiB.
const PAGE: usize = 64;

/// A token's index is below 2³¹.
const MOST_PAGES: usize = (1 << 31) / PAGE;

/// See the module's head.
pub(crate) struct SourceTable {
    slots: Mutex<Slots>,
    /// How many are registered, for a look without the lock.
    count: AtomicU64,
}

#[derive(Default)]
struct Slots {
    pages: Vec<Page>,
    /// The pages that have a free slot, allocated or not.
    roomy: BTreeSet<usize>,
    /// The slots of a page that emptied, so that a population that swings by a few allocates nothing.
    spare: Option<Box<[Slot; PAGE]>>,
    last_stamp: u32,
    closed: bool,
}

/// A run of slots, or nothing if none of them is in use.
#[derive(Default)]
struct Page {
    slots: Option<Box<[Slot; PAGE]>>,
    /// A bit for each slot in use.
    used: u64,
}

#[derive(Default)]
struct Slot {
    stamp: u32,
    /// `None` while the slot is free.
    source: Option<Arc<Source>>,
}

impl SourceTable {
    pub(crate) fn new() -> Self {
        Self { slots: Mutex::new(Slots::default()), count: AtomicU64::new(0) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Relaxed) == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.count.load(Relaxed) as usize
    }

    pub(super) fn insert(&self, source: Arc<Source>) -> io::Result<Token> {
        let mut slots = self.slots.lock();
        if slots.closed {
            return Err(gone());
        }
        let token = slots.insert(source)?;
        self.count.fetch_add(1, Relaxed);
        Ok(token)
    }

    pub(super) fn remove(&self, token: Token) {
        let removed = self.slots.lock().remove(token);
        // The source goes without the lock, for it may hold wakers.
        if removed.is_some() {
            self.count.fetch_sub(1, Relaxed);
        }
    }

    /// Marks the sources of `events`, and moves those who wait for them to `batch`. Events whose token is out of date are
    /// dropped.
    pub(crate) fn apply(&self, events: &mut Events, batch: &mut WakeBatch) {
        if events.is_empty() {
            return;
        }
        let slots = self.slots.lock();
        for event in events.drain() {
            if let Event::Ready { token, ready } = event
                && let Some(source) = slots.get(token)
            {
                source.report(flags(ready), batch);
            }
        }
    }

    /// Whether anybody waits for a source. A walk over all of them until the first.
    pub(crate) fn anybody_waits(&self) -> bool {
        let slots = self.slots.lock();
        let mut all =
            slots.pages.iter().filter_map(|page| page.slots.as_ref()).flat_map(|slots| slots.iter());
        all.any(|slot| slot.source.as_ref().is_some_and(|source| source.anybody_waits()))
    }

    /// Tells every source that nothing will be reported any more.
    pub(crate) fn close(&self, batch: &mut WakeBatch) {
        let mut slots = self.slots.lock();
        slots.closed = true;
        let all = slots.pages.iter().filter_map(|page| page.slots.as_ref()).flat_map(|slots| slots.iter());
        all.filter_map(|slot| slot.source.as_ref()).for_each(|source| source.report(GONE, batch));
    }
}

impl Slots {
    fn insert(&mut self, source: Arc<Source>) -> io::Result<Token> {
        let at = match self.roomy.first() {
            Some(at) => *at,
            None if self.pages.len() == MOST_PAGES => {
                return Err(io::Error::other("more than 2^31 registered files"));
            }
            None => {
                self.pages.push(Page::default());
                self.roomy.insert(self.pages.len() - 1);
                self.pages.len() - 1
            }
        };
        let page = &mut self.pages[at];
        let slots = page.slots.get_or_insert_with(|| {
            self.spare.take().unwrap_or_else(|| Box::new([const { Slot::FREE }; PAGE]))
        });
        let slot = page.used.trailing_ones() as usize;
        self.last_stamp = self.last_stamp.wrapping_add(1);
        slots[slot] = Slot { stamp: self.last_stamp, source: Some(source) };
        page.used |= 1 << slot;
        if page.used == u64::MAX {
            self.roomy.remove(&at);
        }
        Ok(Token::new((at * PAGE + slot) as u32, self.last_stamp))
    }

    fn get(&self, token: Token) -> Option<&Arc<Source>> {
        let index = token.index() as usize;
        let slot = &self.pages.get(index / PAGE)?.slots.as_ref()?[index % PAGE];
        slot.source.as_ref().filter(|_| slot.stamp == token.generation())
    }

    fn remove(&mut self, token: Token) -> Option<Arc<Source>> {
        self.get(token)?;
        let (at, slot) = (token.index() as usize / PAGE, token.index() as usize % PAGE);
        let page = &mut self.pages[at];
        let source = page.slots.as_mut()?[slot].source.take();
        page.used &= !(1 << slot);
        self.roomy.insert(at);
        if page.used == 0 {
            let emptied = page.slots.take();
            self.spare = self.spare.take().or(emptied);
            self.shorten();
        }
        source
    }

    /// Lets go of the end of the table that has nothing in it.
    fn shorten(&mut self) {
        while self.pages.pop_if(|page| page.slots.is_none()).is_some() {
            self.roomy.remove(&self.pages.len());
        }
        if self.pages.len() < self.pages.capacity() / 4 {
            self.pages.shrink_to(self.pages.len() * 2);
        }
    }
}

impl Slot {
    const FREE: Self = Self { stamp: 0, source: None };
}

#[cfg(all(test, not(polyloop_loom)))]
mod tests {
    use super::super::{Readiness, Waiters};
    use super::*;
    use crate::reactor::Ready;

    fn source() -> Arc<Source> {
        Arc::new(Source { readiness: Readiness::new(false), waiters: Mutex::new(Waiters::default()) })
    }

    fn resident(table: &SourceTable) -> usize {
        let slots = table.slots.lock();
        let pages = slots.pages.iter().filter(|page| page.slots.is_some()).count();
        pages + usize::from(slots.spare.is_some())
    }

    fn is_told(table: &SourceTable, token: Token, source: &Source) -> bool {
        let before = source.readiness.0.load(Relaxed);
        let mut events = Events::new();
        events.push(Event::Ready { token, ready: Ready { read: true, ..Ready::default() } });
        table.apply(&mut events, &mut WakeBatch::new());
        source.readiness.0.load(Relaxed) != before
    }

    #[test]
    fn a_stale_token_finds_nothing_when_its_slot_has_another_tenant_or_its_page_is_gone() {
        let table = SourceTable::new();
        let old = table.insert(source()).unwrap();
        table.remove(old);
        let tenant = source();
        let new = table.insert(tenant.clone()).unwrap();
        assert_eq!(old.index(), new.index());
        assert!(!is_told(&table, old, &tenant) && is_told(&table, new, &tenant));
        table.remove(old);
        assert_eq!(table.len(), 1);

        let many: Vec<_> = (0..3 * PAGE).map(|_| table.insert(source()).unwrap()).collect();
        many.iter().for_each(|token| table.remove(*token));
        assert!(many.iter().all(|token| !is_told(&table, *token, &tenant)));
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn a_burst_that_came_and_went_leaves_a_page() {
        let table = SourceTable::new();
        let bursts = if cfg!(miri) { 5 } else { 280 };
        let many: Vec<_> = (0..bursts * PAGE).map(|_| table.insert(source()).unwrap()).collect();
        assert_eq!(resident(&table), bursts);
        many.iter().for_each(|token| table.remove(*token));
        assert!(table.is_empty() && resident(&table) == 1);
        let slots = table.slots.lock();
        assert!(slots.pages.capacity() <= 8 && slots.roomy.is_empty(), "{} pages", slots.pages.capacity());
    }

    #[test]
    fn one_survivor_of_a_burst_keeps_one_page_and_new_sources_go_below_it() {
        let table = SourceTable::new();
        let many: Vec<_> = (0..5 * PAGE).map(|_| table.insert(source()).unwrap()).collect();
        let (survivor, rest) = many.split_last().unwrap();
        rest.iter().for_each(|token| table.remove(*token));
        assert_eq!(resident(&table), 2);
        assert_eq!(table.insert(source()).unwrap().index(), 0);
        table.remove(*survivor);
        assert_eq!((table.len(), resident(&table)), (1, 2));
    }
}
