//! The plan of a run: which cells, how often, how long; made and shown before anything runs.
//!
//! Invariant: every subject has a cell in every case, and a cell that will not run says why. A bench that does not
//! depend on the parts in which two combinations differ runs on one of them, which then stands for the other;
//! experiments run on every combination, and once more with other options where these matter.

use crate::cell::{Axes, CaseInfo, Catalogue, Kind, Request, Status, Subject, SubjectKind};
use crate::glob;
use polyloop_timeline::text;
use std::time::Duration;

/// How much to do when nothing is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Every experiment, scaled, and the short list of benches; under 3 minutes.
    Quick,
    /// Every experiment and the usual benches; 12 to 13 minutes.
    Usual,
    /// Everything.
    Full,
    /// Named cases, once each, on few subjects.
    Single,
}

/// What the command line asked for.
#[derive(Clone, Debug)]
pub struct Selection {
    /// How much.
    pub size: Size,
    /// Subjects by name; empty: all of the catalogue.
    pub on: Vec<String>,
    /// Patterns on case paths; empty: all of the size.
    pub filter: Vec<String>,
    /// Executors to keep.
    pub executors: Vec<String>,
    /// Reactors to keep.
    pub reactors: Vec<String>,
    /// Timer queues to keep.
    pub timers: Vec<String>,
    /// Peers to keep; `None`: all, empty: none.
    pub peers: Option<Vec<String>>,
    /// Numbers of workers to run every executor with that can have more than one.
    pub workers: Vec<usize>,
    /// Whether to run every bench on every combination.
    pub exhaustive: bool,
    /// Rounds of each bench.
    pub rounds: Option<usize>,
    /// What the run may take.
    pub budget: Option<Duration>,
    /// What sleeps of 500 ms and more are multiplied by.
    pub scale: Option<f64>,
    /// The time limit of one cell.
    pub limit: Option<Duration>,
    /// How many experiments run side by side.
    pub jobs: usize,
    /// The seed.
    pub seed: u64,
}

/// Why there is no plan.
#[derive(Debug, PartialEq, Eq)]
pub enum PlanError {
    /// A name or number is wrong.
    Usage(String),
    /// Everything is right, and nothing is left to run.
    Nothing(String),
}

/// A subject as it is shown, and as it is run.
#[derive(Clone, Debug)]
pub struct Entry {
    /// As shown.
    pub subject: Subject,
    /// The name that the catalogue knows; another one for a twin.
    pub runs_as: String,
}

/// What is done for a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Todo {
    /// It runs.
    Run,
    /// The entry of this number stands for it.
    SameAs(usize),
    /// It cannot run.
    Skip(Status, String),
}

/// A cell.
#[derive(Clone, Debug)]
pub struct Planned {
    /// Number of the entry.
    pub entry: usize,
    /// Number of the case.
    pub case: usize,
    /// What is done.
    pub todo: Todo,
}

/// The plan.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The subjects.
    pub entries: Vec<Entry>,
    /// The cases.
    pub cases: Vec<CaseInfo>,
    /// The cells, by case and then by entry.
    pub cells: Vec<Planned>,
    /// The entry that comparisons are made for.
    pub baseline: usize,
    /// Rounds of each bench.
    pub rounds: usize,
    /// Length of a round of a bench in milliseconds.
    pub slot_ms: u64,
    /// What sleeps of 500 ms and more are multiplied by.
    pub scale: f64,
    /// The seed.
    pub seed: u64,
    /// How many experiments run side by side.
    pub jobs: usize,
    limit: Option<Duration>,
}

/// What a process costs before and after its work, in seconds.
const START: f64 = 0.015;
/// How many slots a bench takes with its warm-up and calibration.
const WARM_UP: f64 = 1.6;
/// What a default run takes, unless that is too little for five rounds.
const USUAL: Duration = Duration::from_secs(12 * 60);

impl Plan {
    /// Makes the plan.
    ///
    /// # Errors
    ///
    /// [`PlanError`], with one sentence that says what is wrong and what is allowed.
    pub fn new(catalogue: &dyn Catalogue, selection: &Selection) -> Result<Self, PlanError> {
        let cases = select_cases(catalogue.cases(), selection)?;
        let mut entries = select_subjects(catalogue, selection)?;
        let baseline = baseline(&entries);
        let compares = selection.size != Size::Single && cases.iter().any(|case| case.kind == Kind::Bench);
        if compares {
            entries.push(twin(&entries[baseline]));
        }
        let scale = match (selection.scale, selection.size) {
            (Some(scale), _) => scale,
            (None, Size::Quick) => 0.1,
            (None, _) => 1.0,
        };
        let slot_ms = match selection.size {
            Size::Quick | Size::Single => 40,
            Size::Usual => 50,
            Size::Full => 250,
        };
        let mut plan = Self {
            cells: Vec::new(),
            entries,
            cases,
            baseline,
            rounds: 0,
            slot_ms,
            scale,
            seed: selection.seed,
            jobs: selection.jobs.max(1),
            limit: selection.limit,
        };
        plan.lay_out(catalogue, selection);
        plan.rounds = plan.fit_rounds(selection);
        Ok(plan)
    }

    fn lay_out(&mut self, catalogue: &dyn Catalogue, selection: &Selection) {
        let files = crate::limits::open_files();
        for case in 0..self.cases.len() {
            for entry in 0..self.entries.len() {
                if self.is_twin(entry) && self.cases[case].kind == Kind::Experiment {
                    continue;
                }
                let todo = self.todo(catalogue, files, entry, case, selection);
                self.cells.push(Planned { entry, case, todo });
            }
        }
    }

    fn todo(
        &self,
        catalogue: &dyn Catalogue,
        files: Option<u64>,
        entry: usize,
        case: usize,
        selection: &Selection,
    ) -> Todo {
        let info = &self.cases[case];
        if let Some(reason) = catalogue.unsupported(info, &self.entries[entry].subject) {
            return Todo::Skip(Status::Unsupported, reason);
        }
        if let Some(limit) = files.filter(|limit| info.files > *limit) {
            return Todo::Skip(
                Status::Unavailable,
                format!(
                    "needs {} open files, the limit is {limit} (raise the hard limit: ulimit -Hn)",
                    info.files
                ),
            );
        }
        let axes = match info.kind {
            _ if selection.exhaustive => return Todo::Run,
            Kind::Experiment if selection.size == Size::Single => return Todo::Run,
            Kind::Experiment => Axes { executor: true, reactor: true, timers: true, ..info.axes },
            Kind::Bench => info.axes,
        };
        match self.stands_for(entry, axes) {
            other if other == entry => Todo::Run,
            other => Todo::SameAs(other),
        }
    }

    /// The combination that stands for all that differ from `entry` only in what the case does not depend on: the one
    /// nearest to the baseline.
    fn stands_for(&self, entry: usize, axes: Axes) -> usize {
        let own = &self.entries[entry].subject;
        if own.kind != SubjectKind::Own {
            return entry;
        }
        let base = &self.entries[self.baseline].subject;
        let same = |other: &Subject| {
            other.kind == SubjectKind::Own
                && (!axes.executor || (&other.executor, other.workers) == (&own.executor, own.workers))
                && (!axes.reactor || other.reactor == own.reactor)
                && (!axes.timers || other.timers == own.timers)
                && (!axes.options || other.options() == own.options())
        };
        let distance = |other: &Subject| {
            usize::from(other.name != base.name)
                + usize::from((&other.executor, other.workers) != (&base.executor, base.workers))
                + usize::from(other.reactor != base.reactor)
                + usize::from(other.timers != base.timers)
                + usize::from(other.options() != base.options())
        };
        (0..self.entries.len())
            .filter(|other| same(&self.entries[*other].subject))
            .min_by_key(|other| distance(&self.entries[*other].subject))
            .unwrap_or(entry)
    }

    fn fit_rounds(&self, selection: &Selection) -> usize {
        if let Some(rounds) = selection.rounds {
            return rounds;
        }
        let (usual, budget) = match selection.size {
            Size::Single => return 1,
            Size::Quick => (7..=7, selection.budget),
            Size::Usual => (5..=21, selection.budget.or(Some(USUAL))),
            Size::Full => (31..=31, selection.budget),
        };
        let most = *usual.end();
        let Some(budget) = budget else { return most };
        let left = budget.as_secs_f64() - self.experiment_seconds();
        let fits = (left / self.round_seconds().max(1e-3)).max(1.0) as usize;
        // Only a budget that somebody named may push the rounds below what intervals need.
        let least = if selection.budget.is_some() { 1 } else { *usual.start() };
        fits.clamp(least, most)
    }

    /// The numbers of the cells that run, of one kind.
    pub fn running(&self, kind: Kind) -> impl Iterator<Item = usize> + '_ {
        (0..self.cells.len()).filter(move |cell| {
            let cell = &self.cells[*cell];
            cell.todo == Todo::Run && self.cases[cell.case].kind == kind
        })
    }

    /// What is asked of the process of a cell in a round.
    #[must_use]
    pub fn request(&self, cell: usize, round: usize) -> Request {
        let Planned { entry, case, .. } = self.cells[cell];
        let info = &self.cases[case];
        Request {
            subject: self.entries[entry].runs_as.clone(),
            case: info.path.clone(),
            seed: self.seed.wrapping_add(round as u64),
            scale: self.scale_of(info),
            slot_ms: self.slot_ms,
            rounds: None,
            trace: info.kind == Kind::Experiment,
        }
    }

    /// How long the process of a cell may take.
    #[must_use]
    pub fn limit(&self, cell: usize) -> Duration {
        let info = &self.cases[self.cells[cell].case];
        self.limit.unwrap_or_else(|| Duration::from_secs_f64(10.0 + 5.0 * self.seconds(info)))
    }

    /// The estimate.
    #[must_use]
    pub fn seconds_in_all(&self) -> f64 {
        self.experiment_seconds() + self.rounds as f64 * self.round_seconds()
    }

    /// The plan in one line.
    #[must_use]
    pub fn line(&self) -> String {
        let experiments = self.running(Kind::Experiment).count();
        let benches = self.running(Kind::Bench).count();
        let kept = self.entries.iter().filter(|entry| entry.subject.kind != SubjectKind::Twin).count();
        let mut line =
            format!("{} × {}", text::count(kept, "subject"), text::count(self.cases.len(), "case"));
        if experiments > 0 {
            line += &format!(" · {}", text::count(experiments, "experiment cell"));
        }
        if benches > 0 {
            line += &format!(
                " · {} × {} of {} ms",
                text::count(benches, "bench cell"),
                text::count(self.rounds, "round"),
                self.slot_ms
            );
        }
        line += &format!(" · about {}", polyloop_timeline::units::duration(self.seconds_in_all()));
        if self.scale == 1.0 {
            line += " · sleeps verbatim";
        } else {
            line += &format!(" · sleeps of 500 ms and more × {} (starvation/* verbatim)", self.scale);
        }
        line + &format!(" · seed {}", self.seed)
    }

    /// Whether an entry is the A/A copy.
    #[must_use]
    pub fn is_twin(&self, entry: usize) -> bool {
        self.entries[entry].subject.kind == SubjectKind::Twin
    }

    /// The starvation experiments keep the durations of the text they are taken from.
    fn scale_of(&self, info: &CaseInfo) -> f64 {
        if glob::selects("starvation", &info.path) { 1.0 } else { self.scale }
    }

    fn seconds(&self, info: &CaseInfo) -> f64 {
        START
            + match info.kind {
                Kind::Experiment => info.seconds * self.scale_of(info),
                // Some take as long as they take, however short the slot.
                Kind::Bench => info.seconds.max(self.slot_ms as f64 / 1000.0 * WARM_UP),
            }
    }

    fn experiment_seconds(&self) -> f64 {
        self.cost(Kind::Experiment) / self.jobs as f64
    }

    fn round_seconds(&self) -> f64 {
        self.cost(Kind::Bench)
    }

    fn cost(&self, kind: Kind) -> f64 {
        // Not a sum, which is -0.0 of nothing.
        self.running(kind)
            .map(|cell| self.seconds(&self.cases[self.cells[cell].case]))
            .fold(0.0, |all, one| all + one)
    }
}

/// Asks for the name that is most like `word`, if one is like it.
pub(crate) fn meant<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    let like = names.map(|name| (strsim::jaro_winkler(word, name), name)).max_by(|a, b| a.0.total_cmp(&b.0));
    like.filter(|(how_much, _)| *how_much > 0.85).map(|(_, name)| format!(" (did you mean `{name}`?)"))
}

fn select_cases(all: Vec<CaseInfo>, selection: &Selection) -> Result<Vec<CaseInfo>, PlanError> {
    let of_size = |case: &CaseInfo| match selection.size {
        _ if case.kind == Kind::Experiment => true,
        Size::Quick => case.quick,
        Size::Usual => case.default,
        Size::Full | Size::Single => true,
    };
    let mut groups: Vec<String> =
        all.iter().map(|case| case.path.split('/').next().unwrap_or_default().to_owned()).collect();
    groups.dedup();
    let wanted = |case: &CaseInfo| {
        if selection.filter.is_empty() {
            of_size(case)
        } else {
            selection.filter.iter().any(|pattern| glob::selects(pattern, &case.path))
        }
    };
    let idle = |pattern: &&String| !all.iter().any(|case| glob::selects(pattern, &case.path));
    if let Some(pattern) = selection.filter.iter().find(idle) {
        let first = pattern.split('/').next().unwrap_or_default();
        let path = (first != pattern).then(|| meant(pattern, all.iter().map(|case| case.path.as_str())));
        let like_it = path.flatten().or_else(|| meant(first, groups.iter().map(String::as_str)));
        return Err(PlanError::Nothing(format!(
            "no case matches {pattern:?}{}; there are {} (all of them: cargo xtask lab list)",
            like_it.unwrap_or_default(),
            groups.join(", ")
        )));
    }
    let cases: Vec<CaseInfo> = all.into_iter().filter(wanted).collect();
    if cases.is_empty() {
        return Err(PlanError::Nothing("no cases are linked into this binary".into()));
    }
    Ok(cases)
}

fn select_subjects(catalogue: &dyn Catalogue, selection: &Selection) -> Result<Vec<Entry>, PlanError> {
    let mut subjects = if selection.on.is_empty() {
        let all = if selection.exhaustive { catalogue.every_subject() } else { catalogue.subjects() };
        filter_subjects(all, selection)?
    } else {
        let resolved: Result<Vec<_>, _> = selection.on.iter().map(|name| catalogue.resolve(name)).collect();
        resolved.map_err(PlanError::Usage)?
    };
    if !selection.workers.is_empty() {
        subjects = sweep_workers(catalogue, subjects, &selection.workers, !selection.on.is_empty())?;
    }
    let mut entries: Vec<Entry> = Vec::new();
    for subject in subjects {
        if !entries.iter().any(|entry| entry.subject.name == subject.name) {
            entries.push(Entry { runs_as: subject.name.clone(), subject });
        }
    }
    if entries.is_empty() {
        return Err(PlanError::Nothing(
            "no subject is left after --exec, --reactor, --timers and --peers".into(),
        ));
    }
    Ok(entries)
}

/// Applies `--exec`, `--reactor`, `--timers` and `--peers`. The first three choose among combinations and leave peers
/// alone; a name that nothing has is an error, not an empty choice.
fn filter_subjects(all: Vec<Subject>, selection: &Selection) -> Result<Vec<Subject>, PlanError> {
    type Part = fn(&Subject) -> Option<&str>;
    let parts: [(&str, &[String], Part); 3] = [
        ("executor", &selection.executors, |subject| subject.executor.as_deref()),
        ("reactor", &selection.reactors, |subject| subject.reactor.as_deref()),
        ("timer queue", &selection.timers, |subject| subject.timers.as_deref()),
    ];
    for (what, wanted, part) in parts {
        known(what, wanted, all.iter().filter_map(part))?;
    }
    let peers = || all.iter().filter(|subject| subject.kind == SubjectKind::Peer);
    if let Some(wanted) = &selection.peers {
        known("peer", wanted, peers().map(|subject| subject.name.as_str()))?;
    }
    let keep = |subject: &Subject| match subject.kind {
        SubjectKind::Peer => selection.peers.as_ref().is_none_or(|wanted| wanted.contains(&subject.name)),
        SubjectKind::Own => parts.iter().all(|(_, wanted, part)| {
            wanted.is_empty() || part(subject).is_some_and(|own| wanted.iter().any(|name| name == own))
        }),
        _ => true,
    };
    Ok(all.iter().filter(|subject| keep(subject)).cloned().collect())
}

fn known<'a>(what: &str, wanted: &[String], allowed: impl Iterator<Item = &'a str>) -> Result<(), PlanError> {
    if wanted.is_empty() {
        return Ok(());
    }
    let mut allowed: Vec<&str> = allowed.collect();
    allowed.sort_unstable();
    allowed.dedup();
    match wanted.iter().find(|name| !allowed.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) if allowed.is_empty() => {
            Err(PlanError::Usage(format!("unknown {what} {name:?}: this binary has none")))
        }
        Some(name) => {
            let meant = meant(name, allowed.iter().copied()).unwrap_or_default();
            Err(PlanError::Usage(format!("unknown {what} {name:?}{meant}; there are {}", allowed.join(", "))))
        }
    }
}

/// Every subject with each number of workers, as far as it can have it: peers too, so that each combination has one with
/// as many workers beside it. One of a single thread has one row, whatever was asked; but a number that none of ours can have is
/// an error, not a run that ignores it.
fn sweep_workers(
    catalogue: &dyn Catalogue,
    subjects: Vec<Subject>,
    workers: &[usize],
    are_named: bool,
) -> Result<Vec<Subject>, PlanError> {
    let mut swept: Vec<Subject> = Vec::new();
    for subject in subjects {
        for count in workers {
            let name = match (&subject.executor, subject.name.split_once('+')) {
                (Some(executor), Some((_, rest))) => format!("{executor}:{count}+{rest}"),
                _ => format!("{}:{count}", subject.base_name()),
            };
            match catalogue.resolve(&name) {
                Ok(other) => swept.push(other),
                Err(_) if subject.workers == 1 || subject.kind != SubjectKind::Own => {
                    swept.push(subject.clone());
                }
                Err(error) => return Err(PlanError::Usage(error)),
            }
        }
    }
    // Whoever is there without having been named may have one worker.
    let ours = |subject: &&Subject| are_named || subject.kind == SubjectKind::Own;
    let mut judged: Vec<&Subject> = swept.iter().filter(ours).collect();
    if judged.is_empty() {
        judged = swept.iter().collect();
    }
    let Some(count) = workers.iter().find(|count| !judged.iter().any(|subject| subject.workers == **count))
    else {
        return Ok(swept);
    };
    let mut names: Vec<&str> =
        judged.iter().map(|subject| subject.executor.as_deref().unwrap_or(subject.base_name())).collect();
    names.sort_unstable();
    names.dedup();
    Err(PlanError::Usage(format!(
        "--workers {count}: {} cannot have so many; leave it out, or choose an executor that can",
        names.join(", ")
    )))
}

/// The default combination if it is there, else our first, else the first.
fn baseline(entries: &[Entry]) -> usize {
    let own = |entry: &&Entry| entry.subject.kind == SubjectKind::Own;
    let default = |entry: &Entry| {
        let part = |part: &Option<String>, name| part.as_deref() == Some(name);
        part(&entry.subject.executor, "steal")
            && part(&entry.subject.reactor, "mio")
            && part(&entry.subject.timers, "wheel")
            && entry.subject.options().is_none()
    };
    let ours = |entry: &Entry| matches!(entry.subject.kind, SubjectKind::Own | SubjectKind::Plugin);
    let found = entries.iter().position(|entry| own(&entry) && default(entry));
    found.or_else(|| entries.iter().position(ours)).unwrap_or(0)
}

fn twin(of: &Entry) -> Entry {
    let name = format!("twin of {}", of.subject.name);
    Entry {
        runs_as: of.runs_as.clone(),
        subject: Subject { name, kind: SubjectKind::Twin, ..of.subject.clone() },
    }
}
