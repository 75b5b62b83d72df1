//! The slots' arrays: runs of entries, cut into chunks that all slots share.
//!
//! Invariant: a chunk belongs to one chain or to the free list, and no chunk of a chain is empty. Entries come out of a
//! chain in the order in which they went in, which is what makes equal deadlines fire in insertion order. Since every
//! slot draws from the same free list, timers that move from slot to slot allocate nothing.

/// Entries of a chunk, so that a chunk is 512 bytes: eight cache lines that are read one after the other.
const ENTRIES: usize = 31;

/// Chunks that stay allocated after a burst.
pub(super) const KEPT_CHUNKS: usize = 32;

/// "No chunk": the end of a chain.
const NIL: u32 = u32::MAX;

/// What a slot knows of a timer. It is dead once the timer was removed, was moved, or fired.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// The exact deadline in nanoseconds.
    pub(super) deadline: u64,
    /// The timer's node.
    pub(super) index: u32,
    /// The node has the same stamp while this entry speaks for it.
    pub(super) stamp: u32,
}

impl Entry {
    const BLANK: Self = Self { deadline: u64::MAX, index: NIL, stamp: 0 };
}

/// Some entries, in the order in which they came.
#[derive(Clone, Debug)]
struct Chunk {
    /// No live entry of this chunk is due before this.
    bound: u64,
    next: u32,
    len: u32,
    entries: [Entry; ENTRIES],
}

impl Chunk {
    const BLANK: Self = Self { bound: u64::MAX, next: NIL, len: 0, entries: [Entry::BLANK; ENTRIES] };

    /// Its entries.
    fn entries(&self) -> &[Entry] {
        &self.entries[..self.len as usize]
    }
}

/// One slot's array.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chain {
    head: u32,
    tail: u32,
}

impl Chain {
    pub(super) const EMPTY: Self = Self { head: NIL, tail: NIL };

    pub(super) fn is_empty(self) -> bool {
        self.head == NIL
    }
}

/// All chunks of a wheel.
#[derive(Debug)]
pub(super) struct Chunks {
    list: Vec<Chunk>,
    first_free: u32,
    used: usize,
    entries: usize,
}

impl Chunks {
    pub(super) const fn new() -> Self {
        Self { list: Vec::new(), first_free: NIL, used: 0, entries: 0 }
    }

    /// How many entries there are, dead ones included.
    pub(super) fn entries(&self) -> usize {
        self.entries
    }

    /// How many chunks are allocated.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.list.capacity()
    }

    /// Bytes held on the heap.
    pub(super) fn footprint(&self) -> usize {
        self.list.capacity() * size_of::<Chunk>()
    }

    /// Appends to a chain.
    pub(super) fn push(&mut self, chain: &mut Chain, entry: Entry) {
        if chain.is_empty() {
            chain.tail = self.allocate();
            chain.head = chain.tail;
        } else if self.list[chain.tail as usize].len as usize == ENTRIES {
            let fresh = self.allocate();
            self.list[chain.tail as usize].next = fresh;
            chain.tail = fresh;
        }
        let chunk = &mut self.list[chain.tail as usize];
        chunk.entries[chunk.len as usize] = entry;
        chunk.len += 1;
        chunk.bound = chunk.bound.min(entry.deadline);
        self.entries += 1;
    }

    /// How many entries the first chunk of a chain has, none if the chain is empty.
    pub(super) fn front_len(&self, chain: Chain) -> usize {
        self.list.get(chain.head as usize).map_or(0, |chunk| chunk.len as usize)
    }

    /// An entry of the first chunk of a chain.
    pub(super) fn front_entry(&self, chain: Chain, at: usize) -> Entry {
        self.list[chain.head as usize].entries[at]
    }

    /// Takes the first chunk off a chain and frees it.
    pub(super) fn pop_front(&mut self, chain: &mut Chain) {
        let at = chain.head;
        if let Some(chunk) = self.list.get_mut(at as usize) {
            chain.head = chunk.next;
            chunk.next = self.first_free;
            self.first_free = at;
            self.used -= 1;
            self.entries -= chunk.len as usize;
        }
    }

    /// The least entry of a chain for which `live` holds.
    ///
    /// The bounds of the chunks spare most of the entries: first the chunk that promises the least deadline is looked
    /// into, then those that promise less than what was found. A bound that was looked into becomes exact.
    pub(super) fn least(&mut self, chain: Chain, live: impl Fn(&Entry) -> bool) -> Option<Entry> {
        let promising = self.ids(chain).min_by_key(|at| self.list[*at].bound)?;
        let mut least = self.look_into(promising, &live);
        let mut at = chain.head;
        while let Some(chunk) = self.list.get(at as usize) {
            let (bound, next) = (chunk.bound, chunk.next);
            if at as usize != promising && least.is_none_or(|entry| bound < entry.deadline) {
                least = [least, self.look_into(at as usize, &live)]
                    .into_iter()
                    .flatten()
                    .min_by_key(|entry| entry.deadline);
            }
            at = next;
        }
        least
    }

    /// Drops the entries of a chain for which `live` does not hold, and returns the least of the others.
    pub(super) fn retain(&mut self, chain: &mut Chain, live: impl Fn(&Entry) -> bool) -> Option<Entry> {
        // The entries move to the front one by one; where they are written is never past where they are read.
        let mut least: Option<Entry> = None;
        let (mut reading, mut writing, mut written) = (chain.head, chain.head, 0);
        let mut bound = u64::MAX;
        while reading != NIL {
            let Chunk { next, len, .. } = self.list[reading as usize];
            self.entries -= len as usize;
            for at in 0..len as usize {
                let entry = self.list[reading as usize].entries[at];
                if !live(&entry) {
                    continue;
                }
                if written == ENTRIES {
                    writing = self.finish(writing, written, bound);
                    (written, bound) = (0, u64::MAX);
                }
                self.list[writing as usize].entries[written] = entry;
                written += 1;
                bound = bound.min(entry.deadline);
                if least.is_none_or(|least| entry.deadline < least.deadline) {
                    least = Some(entry);
                }
            }
            reading = next;
        }
        if least.is_some() {
            let mut rest = Chain { head: self.finish(writing, written, bound), tail: chain.tail };
            self.list[writing as usize].next = NIL;
            chain.tail = writing;
            self.free(&mut rest);
        } else {
            self.free(chain);
        }
        least
    }

    /// Ends the rewriting of a chunk and returns the one after it, whose entries have all been read or will be.
    fn finish(&mut self, at: u32, len: usize, bound: u64) -> u32 {
        let chunk = &mut self.list[at as usize];
        (chunk.len, chunk.bound) = (len as u32, bound);
        self.entries += len;
        chunk.next
    }

    /// Frees chunks whose entries are no longer counted.
    fn free(&mut self, chain: &mut Chain) {
        while let Some(chunk) = self.list.get_mut(chain.head as usize) {
            chunk.len = 0;
            self.pop_front(chain);
        }
    }

    fn look_into(&mut self, at: usize, live: impl Fn(&Entry) -> bool) -> Option<Entry> {
        let mut least: Option<Entry> = None;
        for entry in self.list[at].entries() {
            if least.is_none_or(|least| entry.deadline < least.deadline) && live(entry) {
                least = Some(*entry);
            }
        }
        self.list[at].bound = least.map_or(u64::MAX, |entry| entry.deadline);
        least
    }

    fn ids(&self, chain: Chain) -> impl Iterator<Item = usize> {
        let id = |at: u32| (at != NIL).then_some(at as usize);
        std::iter::successors(id(chain.head), move |at| id(self.list[*at].next))
    }

    fn allocate(&mut self) -> u32 {
        self.used += 1;
        if let Some(chunk) = self.list.get_mut(self.first_free as usize) {
            let at = self.first_free;
            self.first_free = chunk.next;
            (chunk.bound, chunk.next, chunk.len) = (u64::MAX, NIL, 0);
            return at;
        }
        self.list.push(Chunk::BLANK);
        (self.list.len() - 1) as u32
    }

    /// Whether most chunks are free, and more than a few.
    pub(super) fn is_sparse(&self) -> bool {
        self.list.capacity() > KEPT_CHUNKS && self.list.capacity() > 4 * self.used
    }

    /// Moves all chains into a new, smaller allocation, one after the other.
    pub(super) fn compact<'a>(&mut self, chains: impl Iterator<Item = &'a mut Chain>) {
        let mut list = Vec::with_capacity((2 * self.used).max(KEPT_CHUNKS));
        for chain in chains {
            let mut moved = Chain::EMPTY;
            for at in self.ids(*chain) {
                let id = list.len() as u32;
                match list.last_mut() {
                    _ if moved.is_empty() => moved.head = id,
                    Some(Chunk { next, .. }) => *next = id,
                    None => {}
                }
                moved.tail = id;
                list.push(Chunk { next: NIL, ..self.list[at].clone() });
            }
            *chain = moved;
        }
        self.list = list;
        self.first_free = NIL;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(deadline: u64) -> Entry {
        Entry { deadline, index: 0, stamp: 0 }
    }

    fn drain(chunks: &mut Chunks, chain: &mut Chain) -> Vec<u64> {
        let mut out = Vec::new();
        while !chain.is_empty() {
            out.extend((0..chunks.front_len(*chain)).map(|at| chunks.front_entry(*chain, at).deadline));
            chunks.pop_front(chain);
        }
        out
    }

    #[test]
    fn an_entry_is_16_bytes_and_a_chunk_512() {
        assert_eq!((size_of::<Entry>(), size_of::<Chunk>()), (16, 512));
    }

    #[test]
    fn chains_keep_their_order_through_compaction() {
        let mut chunks = Chunks::new();
        let mut chains = [Chain::EMPTY; 3];
        for i in 0..200 {
            for (k, chain) in chains.iter_mut().enumerate() {
                chunks.push(chain, entry(i * 10 + k as u64));
            }
        }
        drain(&mut chunks, &mut chains[1]);
        chunks.compact(chains.iter_mut());
        assert_eq!(chunks.list.len(), chunks.used);
        for i in 200..300 {
            chunks.push(&mut chains[0], entry(i * 10));
        }
        assert_eq!(drain(&mut chunks, &mut chains[0]), (0..300).map(|i| i * 10).collect::<Vec<_>>());
        assert_eq!(drain(&mut chunks, &mut chains[1]), []);
        assert_eq!(drain(&mut chunks, &mut chains[2]), (0..200).map(|i| i * 10 + 2).collect::<Vec<_>>());
        assert_eq!((chunks.used, chunks.entries()), (0, 0));
    }

    #[test]
    fn retaining_some_entries_keeps_their_order_and_frees_the_rest() {
        for keep_every in [1, 2, 3, 40, 200, 1000] {
            let mut chunks = Chunks::new();
            let mut chain = Chain::EMPTY;
            for i in 1..=500 {
                chunks.push(&mut chain, entry(i));
            }
            let least = chunks.retain(&mut chain, |entry| entry.deadline % keep_every == 0);
            let kept: Vec<u64> = (1..=500).filter(|i| i % keep_every == 0).collect();
            assert_eq!(least.map(|entry| entry.deadline), kept.first().copied());
            assert_eq!((chunks.entries(), chunks.used), (kept.len(), kept.len().div_ceil(ENTRIES)));
            assert_eq!(chunks.least(chain, |_| true).map(|entry| entry.deadline), kept.first().copied());
            chunks.push(&mut chain, entry(501));
            assert_eq!(drain(&mut chunks, &mut chain), [kept, vec![501]].concat());
            assert_eq!((chunks.used, chunks.entries()), (0, 0));
        }
    }

    #[test]
    fn the_least_live_entry_is_found_in_any_order_of_deadlines() {
        let orders: [fn(u64) -> u64; 3] = [|i| i, |i| 499 - i, |i| i * 37 % 500];
        for order in orders {
            let mut chunks = Chunks::new();
            let mut chain = Chain::EMPTY;
            for i in 0..500 {
                chunks.push(&mut chain, entry(order(i)));
            }
            for from in [0, 1, 2, 100, 101, 499] {
                let least = chunks.least(chain, |entry| entry.deadline >= from);
                assert_eq!(least.map(|entry| entry.deadline), Some(from));
            }
            assert!(chunks.least(chain, |_| false).is_none());
        }
    }
}
