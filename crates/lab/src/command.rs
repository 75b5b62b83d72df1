//! The subcommands that run something, and what their exit codes mean.

use crate::calendar::Moment;
use crate::cell::{Catalogue, Kind, Status, Subject, SubjectKind};
use crate::cli::{self, Choice, Cli, Command, CountsArgs, Format, MatrixArgs, ReportArgs, RunArgs};
use crate::folder::{self, Folder};
use crate::interrupt::{self, Interrupt};
use crate::plan::{Plan, PlanError, Selection, Size};
use crate::results::{Results, Run};
use crate::run::{Counting, Runner};
use crate::say::say;
use crate::view::{self, View};
use crate::{
    compare, costs, counted, csv, doctor, limits, list, machine, markdown, sentence, table, timeline,
};
use polyloop_timeline::draw::{self, Look};
use polyloop_timeline::{terminal, text};
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

/// Why the process ends with something else than 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// A verdict of ours, a hang, a crash, or `--fail-on`.
    Verdict,
    /// A wrong name, number, file or folder.
    Usage(String),
    /// A backend is missing under `--strict`.
    Missing,
    /// Nothing matched.
    Nothing(String),
    /// Ctrl-C.
    Interrupted,
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Self::Verdict => 1,
            Self::Usage(_) => 2,
            Self::Missing => 3,
            Self::Nothing(_) => 4,
            Self::Interrupted => interrupt::EXIT,
        }
    }
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Usage(text) => Self::Usage(text),
            PlanError::Nothing(text) => Self::Nothing(text),
        }
    }
}

/// Does what the command line says.
pub(crate) fn execute(catalogue: &dyn Catalogue, cli: Cli) -> ExitCode {
    let done = match cli.command {
        Command::Matrix(args) => matrix(catalogue, &args),
        Command::Counts(args) => counts(catalogue, &args),
        Command::Run(args) => run(catalogue, &args),
        Command::List(args) => print(&list::render(catalogue, args.what, args.json, terminal::width())),
        Command::Compare(args) => compare::execute(&args),
        Command::Doctor => print(&doctor::render(catalogue)),
        Command::Report(args) => report(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Failure::Usage(text) | Failure::Nothing(text) = &failure {
                say!("error: {}", text::clean(text));
            }
            ExitCode::from(failure.code())
        }
    }
}

/// Writes data to stdout. A reader that has gone away, as `head` does, is no error.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = anstream::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Usage(format!("stdout cannot be written: {error}")))
        }
        _ => Ok(()),
    }
}

fn matrix(catalogue: &dyn Catalogue, args: &MatrixArgs) -> Result<(), Failure> {
    limits::raise_open_files();
    let size = match (args.quick, args.full) {
        (true, _) => Size::Quick,
        (_, true) => Size::Full,
        _ => Size::Usual,
    };
    let selection = Selection {
        executors: args.exec.clone(),
        reactors: args.reactor.clone(),
        timers: args.timers.clone(),
        peers: peers(args.peers.as_deref()),
        workers: args.workers.iter().map(|workers| *workers as usize).collect(),
        exhaustive: args.exhaustive,
        rounds: args.rounds.map(|rounds| rounds as usize),
        budget: args.budget,
        jobs: args.jobs.map_or_else(side_by_side, |jobs| jobs as usize),
        ..selection(size, &args.choice)
    };
    let plan = Plan::new(catalogue, &selection)?;
    if args.list {
        return print(&list::of_plan(&plan, terminal::width()));
    }
    let machine = machine::Machine::look();
    say_below("plan", &plan.line());
    say_below("machine", &machine.line());
    for caution in machine.cautions_of(plan.cases.iter().any(|case| case.kind == Kind::Bench)) {
        say_below("", &caution);
    }
    if let Some(budget) = args.budget.filter(|budget| plan.seconds_in_all() > budget.as_secs_f64() * 1.05) {
        say!(
            "         the budget of {} is too small even for one round; choose less with --filter or --on",
            polyloop_timeline::units::duration(budget.as_secs_f64())
        );
    }
    if args.dry_run {
        return Ok(());
    }
    if args.counts {
        counted::probe().map_err(|why| Failure::Usage(format!("--counts: {why}")))?;
    }
    let moment = Moment::now();
    let folder = Folder::open(args.out.as_deref(), &moment.name()).map_err(Failure::Usage)?;
    let counting = if args.counts { Counting::Beside } else { Counting::Off };
    let results = measure(&plan, moment, machine, Some(&folder), counting)?;
    keep_and_show(Some(&folder), &results, || show(&results, args.format))?;
    verdict(&results, args.strict, args.fail_on)
}

/// How wide the heads of lines like `plan     …` are.
const HEAD: usize = 9;

/// What is counted if nothing is named.
const COUNTED: [&str; 6] =
    ["spawn_join", "spawn_await", "yield", "wake", "timer_cancel", "ping_pong/pairs=1"];
/// On what: one thread does all the work, so that the numbers are exact. Nobody stands by, whose looks would be counted.
const COUNTED_ON: [&str; 2] = ["fifo+mio+wheel", "steal:1+mio+wheel,block=none"];

fn counts(catalogue: &dyn Catalogue, args: &CountsArgs) -> Result<(), Failure> {
    counted::probe().map_err(Failure::Usage)?;
    let or = |named: &[String], usual: Vec<String>| if named.is_empty() { usual } else { named.to_vec() };
    let peers = catalogue.subjects().into_iter();
    let peers = peers.filter(|subject| subject.kind == SubjectKind::Peer && subject.workers == 1);
    let peers = peers.map(|subject| subject.name).filter(|name| name == "tokio-ct" || name == "smol-1");
    let on = or(&args.on, COUNTED_ON.into_iter().map(str::to_owned).chain(peers).collect());
    let filter = or(&args.filter, COUNTED.map(str::to_owned).to_vec());
    let choice = Choice { on, filter, seed: Some(args.seed), scale: None, timeout: None };
    let rounds = Some(args.rounds as usize);
    let plan =
        Plan::new(catalogue, &Selection { rounds, exhaustive: true, ..selection(Size::Single, &choice) })?;
    if let Some(case) = plan.cases.iter().find(|case| case.kind != Kind::Bench) {
        let path = &case.path;
        return Err(Failure::Usage(format!(
            "{path} is an experiment, and has no operations to count; allowed are benches (cargo xtask lab list benches)"
        )));
    }
    let moment = Moment::now();
    let folder = match &args.out {
        Some(out) => Some(Folder::open(Some(out), &moment.name()).map_err(Failure::Usage)?),
        None => None,
    };
    let results = measure(&plan, moment, machine::Machine::look(), folder.as_ref(), Counting::Only)?;
    keep_and_show(folder.as_ref(), &results, || match args.format {
        Format::Table => print(&costs_alone(&results)),
        format => show(&results, format),
    })?;
    verdict(&results, false, None)
}

/// What operations cost, and where that could not be counted.
fn costs_alone(results: &Results) -> String {
    let mut shown = costs::text(View::new(results));
    for cell in results.cells.iter().filter(|cell| cell.status != Status::Pass) {
        let (word, reason) = (view::status_word(cell.status), cell.reason.as_deref().unwrap_or_default());
        shown += &text::clean(&format!("{word}: {} · {}: {reason}", cell.subject, cell.case));
        shown.push('\n');
    }
    format!("{shown}\nCounted {}.\n", counted::METHOD)
}

fn run(catalogue: &dyn Catalogue, args: &RunArgs) -> Result<(), Failure> {
    limits::raise_open_files();
    let mut selection = selection(Size::Single, &args.choice);
    selection.filter.extend(args.experiments.iter().cloned());
    if selection.on.is_empty() {
        selection.on = one_for_each_executor(&catalogue.subjects());
    }
    let plan = Plan::new(catalogue, &selection)?;
    let moment = Moment::now();
    let folder = match &args.out {
        Some(out) => Some(Folder::open(Some(out), &moment.name()).map_err(Failure::Usage)?),
        None => None,
    };
    let results = measure(&plan, moment, machine::Machine::look(), folder.as_ref(), Counting::Off)?;
    keep_and_show(folder.as_ref(), &results, || match args.format {
        Format::Table => {
            let ascii = args.ascii || !terminal::shows_unicode();
            let width = args.width.map(|width| width as usize).or_else(terminal::width).unwrap_or(120);
            print(&timelines(&results, Look { width, ascii }))
        }
        format => show(&results, format),
    })?;
    verdict(&results, args.strict, None)
}

/// The timelines, what is compared on one scale; then the benches, if some were named.
fn timelines(results: &Results, look: Look) -> String {
    let view = View::new(results);
    let mut out = String::new();
    for compared in view.comparisons() {
        let beside = |cell: &&crate::results::Cell| {
            cell.kind == Kind::Experiment && view::compared(&cell.case) == compared
        };
        let cells: Vec<_> = results.cells.iter().filter(beside).collect();
        if let Some(first) = cells.first() {
            out += &timeline::render(&cells, view.scale_us(&first.case), look);
        }
    }
    if !out.is_empty() {
        let traced = results.cells.iter().filter_map(|cell| cell.timeline.as_ref());
        out = format!("{}\n\n{out}", draw::legend(traced, look));
    }
    if !view.cases(Kind::Bench).is_empty() {
        out += &table::benches_only(view, look.width);
    }
    out
}

fn report(args: &ReportArgs) -> Result<(), Failure> {
    let results = Results::read(&args.results).map_err(|error| Failure::Usage(error.to_string()))?;
    let beside = if args.results.is_dir() { Some(&*args.results) } else { args.results.parent() };
    let out = args.out.as_deref().or(beside).unwrap_or(Path::new(""));
    folder::make(out).map_err(Failure::Usage)?;
    folder::refuse(out, &["report.html", "results.md"]).map_err(Failure::Usage)?;
    folder::save_readable(out, &results)
        .map_err(|error| Failure::Usage(format!("{}: cannot be written: {error}", out.display())))?;
    say!("report   {}", out.join("report.html").display());
    Ok(())
}

fn measure(
    plan: &Plan,
    moment: Moment,
    machine: machine::Machine,
    folder: Option<&Folder>,
    counting: Counting,
) -> Result<Results, Failure> {
    let program = crate::process::this_program()
        .map_err(|error| Failure::Usage(format!("this binary does not know its own path: {error}")))?;
    let interrupt = Interrupt::install()
        .map_err(|error| Failure::Usage(format!("Ctrl-C cannot be taken over: {error}")))?;
    let run = Run {
        id: folder
            .and_then(|folder| folder.path().file_name())
            .map_or_else(|| moment.name(), |name| name.to_string_lossy().into_owned()),
        started: moment.rfc3339(),
        command: cli::again(plan.seed),
        seed: plan.seed,
        scale: plan.scale,
        complete: false,
        commit: machine::commit(),
        rustc: machine::rustc(),
        machine,
        noise_floor: None,
        rounds: if plan.running(Kind::Bench).next().is_some() { plan.rounds } else { 0 },
        slot_ms: plan.slot_ms,
        seconds: 0.0,
        estimated_seconds: Some(plan.seconds_in_all()),
        baseline: Some(plan.entries[plan.baseline].subject.name.clone()),
    };
    let mut told = false;
    let mut save = |results: &Results| {
        if let Some(Err(error)) = folder.map(|folder| folder.save_results(results))
            && !std::mem::replace(&mut told, true)
        {
            say!("warning: results.json cannot be written yet: {error}");
        }
    };
    Ok(Runner { plan, program: &program, interrupt: &interrupt, counting }.run(run, &mut save))
}

fn show(results: &Results, format: Format) -> Result<(), Failure> {
    let view = View::new(results);
    match format {
        Format::Table => {
            let width = terminal::width().unwrap_or(120);
            let counted = costs::text(view);
            let gap = if counted.is_empty() { "" } else { "\n" };
            let table = table::render(view, width);
            let sentence = sentence::verdict(results);
            let sentence = terminal::width()
                .map_or(sentence.clone(), |width| text::wrapped(&sentence, width).join("\n"));
            print(&format!("\n{table}{gap}{counted}\n{sentence}\n"))
        }
        Format::Markdown => print(&markdown::render(results)),
        Format::Csv => print(&csv::render(results)),
        Format::Json => {
            let text = results.to_json().map_err(|error| Failure::Usage(error.to_string()))?;
            print(&text)
        }
    }
}

/// Saves first, so that a stdout that fails loses nothing, then shows, then says where everything is.
fn keep_and_show(
    folder: Option<&Folder>,
    results: &Results,
    show: impl FnOnce() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let saved = folder.map(|folder| save(folder, results)).transpose();
    let shown = show();
    if let Some(path) = saved? {
        say_where(path, results);
    }
    match shown {
        // What was stopped ends as that, also where its terminal is gone.
        Err(Failure::Usage(text)) if !results.run.complete => {
            say!("error: {}", text::clean(&text));
            Ok(())
        }
        shown => shown,
    }
}

/// Writes the files of a run, and tells their folder.
fn save<'a>(folder: &'a Folder, results: &Results) -> Result<&'a Path, Failure> {
    let path = folder.path();
    match folder.save_all(results) {
        Ok(()) => Ok(path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            say!("warning: {error}");
            Ok(path)
        }
        Err(error) => Err(Failure::Usage(format!("{}: cannot be written: {error}", path.display()))),
    }
}

fn say_where(path: &Path, results: &Results) {
    say!("took     {}", table::took(View::new(results)));
    say!("report   {}", nearest(&path.join("report.html")));
    say!("data     {}", nearest(&path.join("results.json")));
    say!("again    {}", results.run.command);
}

/// A line with a head; on a terminal it goes on below itself.
fn say_below(head: &str, text: &str) {
    let room = terminal::width_of_stderr().map_or(usize::MAX, |width| width.saturating_sub(HEAD).max(HEAD));
    for (line, text) in text::wrapped(text, room).iter().enumerate() {
        say!("{:HEAD$}{text}", if line == 0 { head } else { "" });
    }
}

/// A path as one would type it here.
fn nearest(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).display().to_string()
}

/// What the exit code says about a run.
fn verdict(results: &Results, strict: bool, fail_on: Option<f64>) -> Result<(), Failure> {
    if !results.run.complete {
        return Err(Failure::Interrupted);
    }
    let went_wrong = |status| matches!(status, Status::Fail | Status::Timeout | Status::Crash);
    let bad = results.cells.iter().any(|cell| went_wrong(cell.status) && !results.is_warning(cell));
    if bad || fail_on.is_some_and(|limit| is_behind(results, limit)) {
        return Err(Failure::Verdict);
    }
    let missing: Vec<_> = results.cells.iter().filter(|cell| cell.status == Status::Unavailable).collect();
    if let (true, Some(first)) = (strict, missing.first()) {
        say!(
            "error: --strict, and {} of {} cells are unavailable; the first: {} · {}: {}",
            missing.len(),
            results.cells.len(),
            text::clean(&first.subject),
            text::clean(&first.case),
            text::clean(first.reason.as_deref().unwrap_or("no reason given"))
        );
        return Err(Failure::Missing);
    }
    Ok(())
}

/// Whether the baseline is slower than tokio-mt by more than `limit` for sure.
fn is_behind(results: &Results, limit: f64) -> bool {
    let mut behind = false;
    for cell in &results.cells {
        let metric = cell.own_metric().filter(|_| Some(&cell.subject) == results.run.baseline.as_ref());
        let Some((low, _)) = metric.and_then(|metric| metric.ratio_to_tokio_mt_interval) else { continue };
        if low > 1.0 + limit {
            say!("--fail-on: {} takes at least {} as long as tokio-mt", cell.case, view::times(low));
            behind = true;
        }
    }
    behind
}

fn selection(size: Size, choice: &Choice) -> Selection {
    Selection {
        size,
        on: choice.on.clone(),
        filter: choice.filter.clone(),
        executors: Vec::new(),
        reactors: Vec::new(),
        timers: Vec::new(),
        peers: None,
        workers: Vec::new(),
        exhaustive: false,
        rounds: None,
        budget: None,
        scale: choice.scale,
        limit: choice.timeout,
        jobs: 1,
        seed: choice.seed.unwrap_or_else(drawn_seed),
    }
}

fn peers(named: Option<&[String]>) -> Option<Vec<String>> {
    match named? {
        [only] if only == "all" => None,
        [only] if only == "none" => Some(Vec::new()),
        names => Some(names.to_vec()),
    }
}

/// Short enough to read out, different from run to run.
fn drawn_seed() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    crate::random::Random::for_purpose(since.as_nanos() as u64, "seed").next() % 100_000
}

fn side_by_side() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| usize::from(cores).min(2))
}

/// A combination for each executor, with the default reactor and timers where there are: enough to see the difference.
fn one_for_each_executor(subjects: &[Subject]) -> Vec<String> {
    let own: Vec<&Subject> = subjects.iter().filter(|subject| subject.kind != SubjectKind::Peer).collect();
    let usual = |subject: &Subject| {
        subject.reactor.as_deref() == Some("mio") && subject.timers.as_deref() == Some("wheel")
    };
    let mut chosen: Vec<&Subject> = Vec::new();
    for subject in own.iter().copied().filter(|s| usual(s)).chain(own.iter().copied()) {
        if !chosen.iter().any(|other| other.executor == subject.executor) {
            chosen.push(subject);
        }
    }
    chosen.into_iter().map(|subject| subject.name.clone()).collect()
}
