//! What is known of every watched future, and the judgements.
//!
//! Invariant: all of it lies behind one lock, under which no foreign code runs: a transition takes the state from one
//! event to the next and returns what it found, to be told once the lock is free. Time is a count of events.
//!
//! | event | judged |
//! |---|---|
//! | a poll begins | polled after its end; polled without a wake |
//! | a poll of a task ends and the task sleeps | a part that was woken before this poll began and was not polled in it |
//! | every clone of one poll's waker is gone | nobody can wake it; only an older waker can |
//! | somebody looks, and says what time it is | woken long ago, not polled |

use crate::ambient;
use crate::detect::{Detect, Limits};
use crate::finding::{Certainty, Finding, Hold, Kind};
use crate::probe::Label;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem::discriminant;
use std::sync::Arc;
use std::time::Duration;

pub(crate) type Id = u64;
pub(crate) type HoldId = u64;
/// The place of a name's counts.
pub(crate) type Name = usize;
pub(crate) type Found = Vec<Finding>;

/// A lock: its name may be shared, its number is not.
#[derive(Clone, Debug)]
pub(crate) struct LockTag {
    pub(crate) number: u64,
    pub(crate) name: Arc<str>,
}

#[derive(Clone, Debug)]
pub(crate) enum Role {
    Task,
    Part,
    Acquire(LockTag),
}

impl Role {
    /// Whether it can be the owner of a lock. The wait for one cannot: it ends when it has it.
    pub(crate) fn owns(&self) -> bool {
        !matches!(self, Self::Acquire(_))
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Enclosing {
    pub(crate) id: Id,
    pub(crate) task: Option<Id>,
}

pub(crate) struct Begin {
    pub(crate) poll: u64,
    pub(crate) name: Name,
    pub(crate) task: Option<Id>,
}

/// How often something happened to the futures of one name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Polls.
    pub polls: u64,
    /// Polls with no wake before them. The first poll of each future is not counted, and a part is polled whenever its task
    /// likes.
    pub spurious_polls: u64,
    /// Wakes, by any waker of it.
    pub wakes: u64,
    /// Wakes beyond the first between two polls.
    pub duplicate_wakes: u64,
    /// Wakes by the waker of a poll before the last.
    pub stale_wakes: u64,
    /// Wakes of what had ended or was dropped.
    pub late_wakes: u64,
    /// Polls in which it woke itself.
    pub self_woken_polls: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Polling,
    Waiting,
    Ended,
}

#[derive(Debug)]
struct Node {
    label: Label,
    name: Name,
    /// What was around it at its last poll, and the task of that.
    parent: Option<Id>,
    task: Option<Id>,
    phase: Phase,
    /// The last poll, counted from 1, and when it began.
    poll: u64,
    began: u64,
    /// Wakes since then, and when the first of them was.
    wakes: u64,
    woken_at: u64,
    self_woken: bool,
    /// Polls of which a waker is still there.
    wakers: u64,
    /// Polls of its task that passed it over since it was woken.
    passed_over: u64,
    /// When a check first saw this wake.
    seen: Option<Duration>,
    /// Of all polls.
    spurious: u64,
    self_wakes: u64,
    said: Vec<std::mem::Discriminant<Kind>>,
    /// Of a task: parts of it that were woken and not yet polled.
    woken_parts: BTreeSet<Id>,
    /// Of a task: the waits for a lock that this poll has left pending.
    waits: Vec<(u64, Id)>,
}

#[derive(Debug)]
struct HoldOf {
    lock: LockTag,
    owner: Id,
}

#[derive(Debug)]
pub(crate) struct State {
    limits: Limits,
    now: u64,
    next: u64,
    nodes: BTreeMap<Id, Node>,
    holds: HashMap<HoldId, HoldOf>,
    counts: Vec<(Arc<str>, Counts)>,
    names: HashMap<Arc<str>, Name>,
    findings: Vec<Finding>,
}

/// More findings than this are told, but not kept.
const KEPT: usize = 1_000;

impl State {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            now: 0,
            next: 0,
            nodes: BTreeMap::new(),
            holds: HashMap::new(),
            counts: Vec::new(),
            names: HashMap::new(),
            findings: Vec::new(),
        }
    }

    pub(crate) fn findings(&self) -> Vec<Finding> {
        self.findings.clone()
    }

    pub(crate) fn counts(&self) -> Vec<(String, Counts)> {
        self.counts.iter().map(|(name, counts)| (name.to_string(), *counts)).collect()
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn tick(&mut self) -> u64 {
        self.now += 1;
        self.now
    }

    /// A future that is about to be polled for the first time.
    pub(crate) fn enlist(&mut self, label: &Label) -> Id {
        let id = self.number();
        let name = self.names.get(&label.name).copied().unwrap_or_else(|| {
            self.names.insert(label.name.clone(), self.counts.len());
            self.counts.push((label.name.clone(), Counts::default()));
            self.counts.len() - 1
        });
        let node = Node {
            label: label.clone(),
            name,
            parent: None,
            task: None,
            phase: Phase::Waiting,
            poll: 0,
            began: 0,
            wakes: 0,
            woken_at: 0,
            self_woken: false,
            wakers: 0,
            passed_over: 0,
            seen: None,
            spurious: 0,
            self_wakes: 0,
            said: Vec::new(),
            woken_parts: BTreeSet::new(),
            waits: Vec::new(),
        };
        self.nodes.insert(id, node);
        id
    }

    /// A future is gone, wherever it was.
    pub(crate) fn strike(&mut self, id: Id) -> Found {
        if let Some(node) = self.nodes.remove(&id) {
            self.answered(id, node.task);
        }
        Vec::new()
    }

    /// A poll of `id` begins inside of the one of `enclosing`.
    pub(crate) fn begin(&mut self, id: Id, enclosing: Option<Enclosing>) -> (Begin, Found) {
        let now = self.tick();
        let Some(node) = self.nodes.get_mut(&id) else {
            return (Begin { poll: 0, name: 0, task: None }, Vec::new());
        };
        let before = node.task;
        node.parent = enclosing.map(|around| around.id);
        node.task = match node.label.role {
            Role::Task => Some(id),
            _ => enclosing.and_then(|around| around.task),
        };
        let counts = &mut self.counts[node.name].1;
        counts.polls += 1;
        counts.duplicate_wakes += node.wakes.saturating_sub(1);
        if node.poll > 0 && node.wakes == 0 {
            counts.spurious_polls += 1;
            node.spurious += 1;
        }
        let after_ready = node.phase == Phase::Ended;
        node.phase = Phase::Polling;
        node.poll += 1;
        node.began = now;
        node.wakes = 0;
        node.self_woken = false;
        node.wakers += 1;
        node.passed_over = 0;
        node.seen = None;
        node.waits.clear();
        let begin = Begin { poll: node.poll, name: node.name, task: node.task };
        let (spurious, polls) = (node.spurious, node.poll);
        let is_task = matches!(node.label.role, Role::Task);
        self.answered(id, before);
        let mut found = Vec::new();
        if after_ready {
            found.extend(self.find(id, Kind::PolledAfterReady, Certainty::Exact));
        }
        // A tenth of the polls: a runtime may poll once too often now and then.
        if is_task && spurious >= self.limits.spurious_polls && spurious * 10 >= polls {
            found.extend(self.find(id, Kind::SpuriousPolls { spurious, polls }, Certainty::Heuristic));
        }
        (begin, found)
    }

    /// The poll of `id` has ended.
    pub(crate) fn end(&mut self, id: Id, ready: bool) -> Found {
        let Some(node) = self.nodes.get_mut(&id) else { return Vec::new() };
        if node.self_woken {
            node.self_wakes += 1;
            self.counts[node.name].1.self_woken_polls += 1;
        }
        if ready {
            node.phase = Phase::Ended;
            let (parent, task) = (node.parent, node.task);
            self.answered(id, task);
            // What it held it has handed out, or it was forgotten.
            for hold in self.holds.values_mut().filter(|hold| hold.owner == id) {
                hold.owner = parent.unwrap_or(hold.owner);
            }
            return Vec::new();
        }
        node.phase = Phase::Waiting;
        match &node.label.role {
            Role::Task => self.task_waits(id),
            Role::Part => Vec::new(),
            Role::Acquire(lock) => {
                let (lock, task) = (lock.number, node.task);
                if let Some(task) = task.and_then(|task| self.nodes.get_mut(&task)) {
                    task.waits.push((lock, id));
                }
                Vec::new()
            }
        }
    }

    /// A waker of `poll` was woken.
    pub(crate) fn woken(&mut self, detect: &Detect, id: Id, name: Name, poll: u64) -> Found {
        let now = self.tick();
        let counts = &mut self.counts[name].1;
        counts.wakes += 1;
        let node = self.nodes.get_mut(&id).filter(|node| node.phase != Phase::Ended);
        let Some(node) = node else {
            counts.late_wakes += 1;
            return Vec::new();
        };
        if poll < node.poll {
            counts.stale_wakes += 1;
        }
        if node.wakes == 0 {
            node.woken_at = now;
        }
        node.wakes += 1;
        if node.phase == Phase::Polling && ambient::is_polling(detect, id) {
            node.self_woken = true;
        }
        if let Some(task) = node.task.filter(|task| *task != id)
            && let Some(task) = self.nodes.get_mut(&task)
        {
            task.woken_parts.insert(id);
        }
        Vec::new()
    }

    /// The last waker of `poll` is gone.
    pub(crate) fn waker_gone(&mut self, id: Id, poll: u64) -> Found {
        let Some(node) = self.nodes.get_mut(&id) else { return Vec::new() };
        node.wakers -= 1;
        if node.phase != Phase::Waiting || node.wakes > 0 {
            return Vec::new();
        }
        let certainty = match node.label.role {
            Role::Task => Certainty::Exact,
            _ => Certainty::Heuristic,
        };
        let kind = match node.wakers {
            0 => Kind::LostWake { poll: node.poll },
            _ if poll == node.poll => Kind::StaleWaker { poll },
            _ => return Vec::new(),
        };
        self.find(id, kind, certainty).into_iter().collect()
    }

    /// `owner` has the lock from now on.
    pub(crate) fn hold(&mut self, lock: &LockTag, owner: Id) -> HoldId {
        let id = self.number();
        self.holds.insert(id, HoldOf { lock: lock.clone(), owner });
        id
    }

    pub(crate) fn release(&mut self, id: HoldId) -> Found {
        self.holds.remove(&id);
        Vec::new()
    }

    /// Finds what has waited for its poll too long, if it is `now`.
    pub(crate) fn check(&mut self, now: Duration) -> Found {
        let mut late = Vec::new();
        for (&id, node) in &mut self.nodes {
            let is_task = matches!(node.label.role, Role::Task);
            if node.phase != Phase::Waiting || node.wakes == 0 || !(is_task || node.passed_over > 0) {
                continue;
            }
            let waited = now.saturating_sub(*node.seen.get_or_insert(now));
            if waited >= self.limits.unpolled {
                late.push((id, is_task, waited));
            }
        }
        let mut found = Vec::new();
        for (id, is_task, waited) in late {
            let kind =
                if is_task { Kind::WakeIgnored { waited } } else { self.passed_over(id, Some(waited)) };
            found.extend(self.find(id, kind, Certainty::Heuristic));
        }
        found
    }

    /// The wake of `id` has had its poll, or needs none.
    fn answered(&mut self, id: Id, task: Option<Id>) {
        if let Some(task) = task.and_then(|task| self.nodes.get_mut(&task)) {
            task.woken_parts.remove(&id);
        }
    }

    /// A task's poll has ended with Pending.
    fn task_waits(&mut self, id: Id) -> Found {
        let mut found = Vec::new();
        let Some(task) = self.nodes.get(&id) else { return found };
        let percent = task.self_wakes * 100 / task.poll;
        if task.poll >= self.limits.self_wakes.1 && percent >= self.limits.self_wakes.0 {
            let kind = Kind::SelfWakes { percent, polls: task.poll };
            found.extend(self.find(id, kind, Certainty::Heuristic));
        }
        // Woken again, it does not sleep: whatever this poll has left over, the next one may do.
        let Some(task) = self.nodes.get(&id).filter(|task| task.wakes == 0) else { return found };
        let (began, waits) = (task.began, task.waits.clone());
        for part in task.woken_parts.clone() {
            let Some(node) = self.nodes.get_mut(&part) else { continue };
            let over =
                node.phase == Phase::Waiting && node.wakes > 0 && node.woken_at < began && node.began < began;
            if !over {
                continue;
            }
            node.passed_over += 1;
            let often = node.passed_over >= self.limits.passed_over;
            for (lock, hold) in self.locks(part) {
                let waiter = waits.iter().find(|(number, waiter)| *number == lock.number && *waiter != part);
                if let Some((_, waiter)) = waiter {
                    let (lock, waiter) = (lock.name.to_string(), self.owner(*waiter));
                    let kind = Kind::Futurelock { lock, hold, waiter };
                    found.extend(self.find(part, kind, Certainty::Exact));
                }
            }
            if often {
                let kind = self.passed_over(part, None);
                found.extend(self.find(part, kind, Certainty::Heuristic));
            }
        }
        found
    }

    fn passed_over(&self, id: Id, waited: Option<Duration>) -> Kind {
        let lock = self.locks(id).first().map(|(lock, _)| lock.name.to_string());
        let polls = self.nodes.get(&id).map_or(0, |node| node.passed_over);
        Kind::PassedOver { polls, waited, lock }
    }

    /// The locks that a future which was woken has.
    fn locks(&self, id: Id) -> Vec<(LockTag, Hold)> {
        let next = match self.nodes.get(&id).map(|node| &node.label.role) {
            Some(Role::Acquire(lock)) => Some((lock.clone(), Hold::NextInLine)),
            _ => None,
        };
        let held = self.holds.values().filter(|hold| hold.owner == id);
        next.into_iter().chain(held.map(|hold| (hold.lock.clone(), Hold::Holds))).collect()
    }

    /// The name of the future that a wait for a lock is made in; any other future's own.
    fn owner(&self, mut id: Id) -> String {
        while let Some(node) = self.nodes.get(&id) {
            match (&node.label.role, node.parent) {
                (Role::Acquire(_), Some(parent)) if self.nodes.contains_key(&parent) => id = parent,
                _ => return node.label.name.to_string(),
            }
        }
        String::new()
    }

    /// What is to be told of `id`, once for each kind.
    fn find(&mut self, id: Id, kind: Kind, certainty: Certainty) -> Option<Finding> {
        let future = self.owner(id);
        let node = self.nodes.get_mut(&id)?;
        let said = discriminant(&kind);
        if node.said.contains(&said) {
            return None;
        }
        node.said.push(said);
        let (named_at, task) = (node.label.named_at, node.task.filter(|task| *task != id));
        let task = task.and_then(|task| self.nodes.get(&task)).map(|task| task.label.name.to_string());
        let task = task.filter(|task| *task != future);
        let finding = Finding { kind, future, task, named_at, certainty };
        if self.findings.len() < KEPT {
            self.findings.push(finding.clone());
        }
        Some(finding)
    }
}
