//! Where the timers themselves live: wakers in pages that never move, found by key.
//!
//! Invariant: a node is live exactly while it holds a waker, and a stamp is given out once in 2³², so a key or an entry
//! that outlived its timer finds nothing. Freed nodes hold no state, so a page without live nodes can be let go at any
//! time; new timers take the lowest free node, so that the pages of a burst empty out even under a steady load.

use polyloop_core::time::TimerKey;
use std::task::Waker;

/// How many nodes a page has: 8 KiB.
const PAGE: usize = 256;

/// How many pages without live nodes stay allocated, so that a population that swings by this much allocates nothing.
const KEPT_PAGES: usize = 3;

/// "No node": the end of a page's free list.
const NIL: u32 = u32::MAX;

/// One timer.
#[derive(Debug)]
pub(crate) struct Node {
    /// The exact deadline in nanoseconds.
    pub(crate) deadline: u64,
    /// `None` while the node is free.
    waker: Option<Waker>,
    /// The stamp in the timer's key.
    generation: u32,
    /// What the queue wants to remember: the heap its position, the wheel its entry's stamp. The next free node of the
    /// page while the node is free.
    pub(crate) mark: u32,
}

/// A run of nodes, or nothing if none of them is in use.
#[derive(Debug)]
struct Page {
    nodes: Box<[Node]>,
    first_free: u32,
    live: u32,
}

impl Page {
    fn absent() -> Self {
        Self { nodes: Box::default(), first_free: NIL, live: 0 }
    }

    fn fill(&mut self) {
        let end = PAGE as u32 - 1;
        let free =
            |i| Node { deadline: 0, waker: None, generation: 0, mark: if i == end { NIL } else { i + 1 } };
        self.nodes = (0..=end).map(free).collect();
        self.first_free = 0;
    }
}

/// All timers of a queue.
#[derive(Debug, Default)]
pub(crate) struct Nodes {
    pages: Vec<Page>,
    /// The pages that have a free node, allocated or not.
    roomy: PageSet,
    /// The allocated pages without a live node.
    empty: PageSet,
    live: usize,
    last_stamp: u32,
    #[cfg(test)]
    pub(crate) allocations: usize,
}

impl Nodes {
    /// How many nodes are live.
    pub(crate) fn len(&self) -> usize {
        self.live
    }

    /// The next stamp: of an insertion, which is a key's generation, or of an update.
    pub(crate) fn stamp(&mut self) -> u32 {
        self.last_stamp = self.last_stamp.wrapping_add(1);
        self.last_stamp
    }

    /// Takes the lowest free node. Its mark is the generation of its key.
    ///
    /// # Panics
    ///
    /// At 2³² live timers, which take 200 GB.
    pub(crate) fn insert(&mut self, deadline: u64, waker: Waker) -> TimerKey {
        let generation = self.stamp();
        let at = self.roomy.first().unwrap_or_else(|| self.add_page());
        if self.pages[at].nodes.is_empty() {
            self.pages[at].fill();
            #[cfg(test)]
            {
                self.allocations += 1;
            }
        }
        let page = &mut self.pages[at];
        let slot = page.first_free as usize;
        let node = &mut page.nodes[slot];
        page.first_free = node.mark;
        *node = Node { deadline, waker: Some(waker), generation, mark: generation };
        if page.live == 0 {
            self.empty.remove(at);
        }
        page.live += 1;
        if page.first_free == NIL {
            self.roomy.remove(at);
        }
        self.live += 1;
        TimerKey::new((at * PAGE + slot) as u32, generation)
    }

    /// The live node at `index`.
    pub(crate) fn at(&self, index: u32) -> Option<&Node> {
        let node = self.pages.get(index as usize / PAGE)?.nodes.get(index as usize % PAGE)?;
        node.waker.is_some().then_some(node)
    }

    /// The live node at `index`, to be changed.
    pub(crate) fn at_mut(&mut self, index: u32) -> Option<&mut Node> {
        let node = self.pages.get_mut(index as usize / PAGE)?.nodes.get_mut(index as usize % PAGE)?;
        node.waker.is_some().then_some(node)
    }

    /// The node of `key`, if its timer is still live.
    pub(crate) fn get_mut(&mut self, key: TimerKey) -> Option<&mut Node> {
        self.at_mut(key.index()).filter(|node| node.generation == key.generation())
    }

    /// The waker of `key`, if its timer is still live.
    pub(crate) fn waker_mut(&mut self, key: TimerKey) -> Option<&mut Waker> {
        self.get_mut(key)?.waker.as_mut()
    }

    /// Frees the node of `key` and hands out its waker, if its timer is still live.
    pub(crate) fn remove_key(&mut self, key: TimerKey) -> Option<Waker> {
        self.remove_if(key.index(), |node| node.generation == key.generation())
    }

    /// Frees the node at `index` and hands out its waker, if it is live.
    pub(crate) fn remove(&mut self, index: u32) -> Option<Waker> {
        self.remove_if(index, |_| true)
    }

    fn remove_if(&mut self, index: u32, meant: impl Fn(&Node) -> bool) -> Option<Waker> {
        let at = index as usize / PAGE;
        let slot = index as usize % PAGE;
        let page = self.pages.get_mut(at)?;
        let node = page.nodes.get_mut(slot).filter(|node| meant(node))?;
        let waker = node.waker.take()?;
        node.mark = page.first_free;
        if page.first_free == NIL {
            self.roomy.insert(at);
        }
        page.first_free = slot as u32;
        page.live -= 1;
        self.live -= 1;
        if page.live == 0 {
            self.page_emptied(at);
        }
        Some(waker)
    }

    /// Bytes held on the heap.
    pub(crate) fn footprint(&self) -> usize {
        let resident = self.pages.iter().filter(|page| !page.nodes.is_empty()).count();
        resident * PAGE * size_of::<Node>()
            + self.pages.capacity() * size_of::<Page>()
            + self.roomy.footprint()
            + self.empty.footprint()
    }

    fn add_page(&mut self) -> usize {
        let at = self.pages.len();
        assert!(at < NIL as usize / PAGE, "a timer queue holds fewer than 2^32 timers");
        self.pages.push(Page::absent());
        self.roomy.insert(at);
        at
    }

    /// Keeps the lowest of the empty pages and lets go of the others, so that the table of pages can get shorter too.
    fn page_emptied(&mut self, at: usize) {
        self.empty.insert(at);
        if self.empty.len() <= KEPT_PAGES {
            return;
        }
        if let Some(highest) = self.empty.last() {
            self.pages[highest] = Page::absent();
            self.empty.remove(highest);
        }
        while self.pages.last().is_some_and(|page| page.nodes.is_empty()) {
            self.pages.pop();
            self.roomy.remove(self.pages.len());
        }
        if self.pages.len() < self.pages.capacity() / 4 {
            let kept = self.pages.len() * 2;
            self.pages.shrink_to(kept);
            self.roomy.shrink_to(kept);
            self.empty.shrink_to(kept);
        }
    }
}

/// A set of page numbers that finds its ends: a bit per page, and a bit per word of those.
#[derive(Debug, Default)]
struct PageSet {
    words: Vec<u64>,
    summary: Vec<u64>,
    len: usize,
}

impl PageSet {
    fn len(&self) -> usize {
        self.len
    }

    fn first(&self) -> Option<usize> {
        let (group, bits) = self.summary.iter().enumerate().find(|(_, bits)| **bits != 0)?;
        let word = group * 64 + bits.trailing_zeros() as usize;
        Some(word * 64 + self.words[word].trailing_zeros() as usize)
    }

    fn last(&self) -> Option<usize> {
        let (group, bits) = self.summary.iter().enumerate().rfind(|(_, bits)| **bits != 0)?;
        let word = group * 64 + bits.ilog2() as usize;
        Some(word * 64 + self.words[word].ilog2() as usize)
    }

    fn insert(&mut self, page: usize) {
        let word = page / 64;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
            self.summary.resize(word / 64 + 1, 0);
        }
        let bit = 1 << (page % 64);
        self.len += usize::from(self.words[word] & bit == 0);
        self.words[word] |= bit;
        self.summary[word / 64] |= 1 << (word % 64);
    }

    fn remove(&mut self, page: usize) {
        let word = page / 64;
        let bit = 1 << (page % 64);
        let Some(bits) = self.words.get_mut(word) else { return };
        self.len -= usize::from(*bits & bit != 0);
        *bits &= !bit;
        if *bits == 0 {
            self.summary[word / 64] &= !(1 << (word % 64));
        }
    }

    /// Gives memory back; no page from `pages` on is in the set.
    fn shrink_to(&mut self, pages: usize) {
        let words = pages.div_ceil(64);
        self.words.truncate(words);
        self.summary.truncate(words.div_ceil(64));
        self.words.shrink_to_fit();
        self.summary.shrink_to_fit();
    }

    fn footprint(&self) -> usize {
        (self.words.capacity() + self.summary.capacity()) * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_half_a_cache_line() {
        assert_eq!(size_of::<Node>(), 32);
    }

    #[test]
    fn a_key_finds_nothing_once_its_node_has_another_tenant_or_its_page_is_gone() {
        let mut nodes = Nodes::default();
        let old = nodes.insert(1, Waker::noop().clone());
        assert!(nodes.remove(old.index()).is_some());
        let new = nodes.insert(2, Waker::noop().clone());
        assert_eq!(old.index(), new.index());
        assert!(nodes.get_mut(old).is_none());
        assert_eq!(nodes.get_mut(new).map(|node| node.deadline), Some(2));

        let many: Vec<_> = (0..PAGE as u64 * 8).map(|i| nodes.insert(i, Waker::noop().clone())).collect();
        for key in &many {
            assert!(nodes.remove(key.index()).is_some());
        }
        assert!(many.iter().all(|key| nodes.get_mut(*key).is_none()));
        assert_eq!(nodes.len(), 1);
    }

    #[test]
    fn one_survivor_of_a_burst_keeps_one_page_and_new_timers_go_below_it() {
        let mut nodes = Nodes::default();
        // More pages than a word of the page set has bits; under Miri only more than are kept.
        let pages = if cfg!(miri) { 6 } else { 70 };
        let keys: Vec<_> = (0..PAGE as u64 * pages).map(|i| nodes.insert(i, Waker::noop().clone())).collect();
        let (survivor, rest) = keys.split_last().expect("there are keys");
        for key in rest {
            assert!(nodes.remove(key.index()).is_some());
        }
        let resident = nodes.pages.iter().filter(|page| !page.nodes.is_empty()).count();
        assert_eq!(resident, KEPT_PAGES + 1);
        assert_eq!(nodes.insert(0, Waker::noop().clone()).index(), keys[PAGE - 1].index());
        assert!(nodes.remove(survivor.index()).is_some());
    }

    #[test]
    fn a_page_set_finds_its_ends_across_words_and_groups() {
        let mut set = PageSet::default();
        assert_eq!((set.first(), set.last()), (None, None));
        for page in [64 * 64 + 3, 65, 64, 9] {
            set.insert(page);
            set.insert(page);
            assert_eq!((set.first(), set.last()), (Some(page), Some(64 * 64 + 3)));
        }
        assert_eq!(set.len(), 4);
        for (page, left) in [(9, Some(64)), (64, Some(65)), (65, Some(64 * 64 + 3)), (64 * 64 + 3, None)] {
            set.remove(page);
            assert_eq!(set.first(), left);
        }
        assert_eq!((set.len(), set.last()), (0, None));
    }
}
