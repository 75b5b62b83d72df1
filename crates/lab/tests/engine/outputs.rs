//! What a run leaves: the files, the table, the timelines.

use crate::fake::HOSTILE;
use crate::harness::{Folder, Ran, lab, lab_json};
use polyloop_lab::cell::Status;
use polyloop_lab::results::Results;
use serde_json::Value;

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("results_json_has_every_field_of_the_schema", results_json_has_every_field_of_the_schema),
    (
        "ratios_and_the_noise_floor_come_out_as_they_went_in",
        ratios_and_the_noise_floor_come_out_as_they_went_in,
    ),
    ("benches_collapse_where_they_do_not_depend", benches_collapse_where_they_do_not_depend),
    ("below_five_rounds_nothing_is_compared", below_five_rounds_nothing_is_compared),
    ("every_format_and_file_says_the_same", every_format_and_file_says_the_same),
    ("formats_for_machines_are_whole", formats_for_machines_are_whole),
    ("a_list_says_the_unit_and_the_operation", a_list_says_the_unit_and_the_operation),
    ("hostile_names_stay_names", hostile_names_stay_names),
    ("the_link_follows_the_last_run", the_link_follows_the_last_run),
    ("timelines_share_one_scale_and_have_an_ascii_form", timelines_share_one_scale_and_have_an_ascii_form),
    ("the_plan_names_scale_seed_and_estimate", the_plan_names_scale_seed_and_estimate),
    ("the_estimate_knows_what_a_bench_takes", the_estimate_knows_what_a_bench_takes),
    ("two_runs_are_compared", two_runs_are_compared),
    ("workers_are_swept", workers_are_swept),
    ("what_nothing_forces_is_no_verdict", what_nothing_forces_is_no_verdict),
    (
        "workers_are_swept_on_peers_too_and_compared_with_as_many",
        workers_are_swept_on_peers_too_and_compared_with_as_many,
    ),
];

const BENCHES: &[&str] =
    &["--filter", "spawn_join", "--filter", "timer_cancel", "--filter", "tcp_echo", "--filter", "rate"];

fn benches(more: &[&str]) -> (Results, Ran) {
    let folder = Folder::new();
    let out = folder.join("out");
    let mut arguments = vec!["matrix", "--format", "json", "--seed", "7", "--out", &out];
    arguments.extend(BENCHES);
    arguments.extend(more);
    lab_json(&arguments)
}

fn results_json_has_every_field_of_the_schema() {
    let schema: Value = serde_json::from_str(include_str!("../../schema/results-1.json")).expect("a schema");
    let (results, _) = benches(&["--rounds", "5", "--on", "steal+mio+wheel", "--filter", "starvation"]);
    let value = serde_json::to_value(&results).expect("JSON");
    let mut problems = Vec::new();
    validate(&value, &schema, &schema, "$", &mut problems);
    assert!(problems.is_empty(), "{problems:#?}");
    // The validator itself notices what is missing and what is wrong.
    let mut broken = value;
    broken["run"].as_object_mut().expect("an object").remove("seed");
    broken["cells"][0]["status"] = "splendid".into();
    validate(&broken, &schema, &schema, "$", &mut problems);
    assert_eq!(problems.len(), 2, "{problems:#?}");
}

/// As much of JSON Schema as `results-1.json` uses.
fn validate(value: &Value, schema: &Value, root: &Value, at: &str, problems: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().expect("a name");
        return validate(value, &root["$defs"][name], root, at, problems);
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let is = |kind: &str| match kind {
        "null" => value.is_null(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the schema has an unknown type {other}"),
    };
    if !kinds.is_empty() && !kinds.iter().any(|kind| is(kind)) {
        problems.push(format!("{at}: {value} is none of {kinds:?}"));
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        problems.push(format!("{at}: {value} is none of {allowed:?}"));
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.is_object() && value.get(name).is_none() {
            problems.push(format!("{at}: {name} is missing"));
        }
    }
    if let (Some(fields), Some(known)) = (value.as_object(), schema["properties"].as_object()) {
        for (name, field) in fields {
            match known.get(name) {
                Some(schema) => validate(field, schema, root, &format!("{at}.{name}"), problems),
                None => problems.push(format!("{at}: {name} is not in the schema")),
            }
        }
    }
    if let (Some(fields), Some(each)) = (value.as_object(), schema.get("additionalProperties")) {
        for (name, field) in fields.iter().filter(|(name, _)| schema["properties"].get(*name).is_none()) {
            validate(field, each, root, &format!("{at}.{name}"), problems);
        }
    }
    if let (Some(items), Some(each)) = (value.as_array(), schema.get("items")) {
        for (index, item) in items.iter().enumerate() {
            validate(item, each, root, &format!("{at}[{index}]"), problems);
        }
    }
}

/// The fake's speeds are known: fifo is the best of those that race, tokio-mt takes 1.3 times as long.
fn ratios_and_the_noise_floor_come_out_as_they_went_in() {
    let (results, ran) = benches(&["--rounds", "7"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let ratio = |subject: &str, case: &str| {
        results.cell(subject, case).and_then(|cell| cell.own_metric()?.ratio_to_best).expect("a ratio")
    };
    for case in ["spawn_join", "rate"] {
        assert_eq!(ratio("smol-n", case), 1.0, "{case}");
        assert!((ratio("tokio-mt", case) - 1.3 / 0.8).abs() < 0.05, "{case}");
        assert!(
            (ratio("floor-loop", case) - 0.5 / 0.8).abs() < 0.03,
            "{case}: a floor is compared, and never the best"
        );
    }
    // The twin runs as its original with the same seed: the fake answers alike.
    assert_eq!(results.run.noise_floor, Some(0.0));
    let floor = results.cell("floor-loop", "timer_cancel").expect("a cell");
    assert_eq!((floor.status, floor.reason.as_deref()), (Status::Unsupported, Some("a loop has no timers")));
}

fn benches_collapse_where_they_do_not_depend() {
    let (results, _) = benches(&["--rounds", "1"]);
    let same = |subject: &str, case: &str| {
        results.cell(subject, case).unwrap_or_else(|| panic!("{subject} {case}")).same_as.clone()
    };
    assert_eq!(same("steal+mio+wheel", "spawn_join"), None);
    assert_eq!(same("steal+poll+heap", "spawn_join").as_deref(), Some("steal+mio+wheel"));
    assert_eq!(same("fifo+poll+heap", "spawn_join").as_deref(), Some("fifo+mio+wheel"));
    assert_eq!(same("fifo+poll+heap", "timer_cancel").as_deref(), Some("steal+mio+heap"));
    assert_eq!(same("steal+poll+heap", "tcp_echo/conns=64/bytes=64").as_deref(), Some("steal+poll+wheel"));
    assert_eq!(same("tokio-mt", "spawn_join"), None);
    let (results, _) = benches(&["--rounds", "1", "--exhaustive"]);
    assert!(results.cells.iter().all(|cell| cell.same_as.is_none()));
}

fn below_five_rounds_nothing_is_compared() {
    let (results, _) = benches(&["--rounds", "4"]);
    assert_eq!(results.run.noise_floor, None);
    for metric in results.cells.iter().flat_map(|cell| cell.metrics.values()) {
        assert_eq!((metric.low, metric.ratio_to_best_interval), (None, None));
        assert_eq!(metric.samples.len(), 4);
    }
    let ran = lab(&[&["matrix", "--rounds", "4", "--out", &Folder::new().join("o")], BENCHES].concat());
    assert!(ran.stdout.contains("4 rounds are too few to compare"), "{}", ran.stdout);
    assert!(
        !ran.stdout.contains('×') && !ran.stdout.contains('±') && !ran.stdout.contains('≈'),
        "{}",
        ran.stdout
    );
}

fn every_format_and_file_says_the_same() {
    let folder = Folder::new();
    let out = folder.join("out");
    let ran = lab(&[&["matrix", "--rounds", "5", "--out", &out], BENCHES].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let results = Results::read(std::path::Path::new(&out)).expect("results");
    assert!(results.run.complete);
    let (page, markdown) = (folder.read("out/report.html"), folder.read("out/results.md"));
    assert!(page.len() < 1_500_000);
    for text in [&ran.stdout, &page, &markdown] {
        assert!(text.contains("0.25 reactor calls each"), "{text}");
    }
    assert!(!ran.stdout.contains('\u{1b}'), "a pipe gets no colours");
    let sentence = ran.stdout.lines().rfind(|line| !line.is_empty()).expect("a sentence");
    assert!(sentence.starts_with("On this machine, in this run, steal+mio+wheel"), "{sentence}");
    assert!(sentence.contains("against tokio-mt it is faster in 4"), "{sentence}");
    assert!(page.contains(sentence) && markdown.contains(&sentence.replace('_', "\\_")));
    for cell in results.cells.iter().filter_map(|cell| cell.own_metric()) {
        assert!(page.contains(&format!("data-v='{}'", cell.median)), "{}", cell.median);
    }
    assert!(
        markdown.contains(&results.run.command) && page.contains(&results.run.command.replace('\'', "&#39;"))
    );
}

fn formats_for_machines_are_whole() {
    let stdout = |format| {
        let out = Folder::new();
        let out = out.join("out");
        let ran = lab(&[&["matrix", "--rounds", "5", "--format", format, "--out", &out], BENCHES].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        (ran.stdout, out)
    };
    let (csv, _) = stdout("csv");
    let columns: Vec<usize> = csv.lines().map(|line| line.matches(',').count()).collect();
    assert!(csv.starts_with("subject,case,kind,status,"), "{csv}");
    assert!(csv.lines().any(|line| line.starts_with("tokio-mt,spawn_join,bench,pass,,per_op,ns,lower,")));
    assert!(columns.len() > 20 && columns.iter().all(|count| *count == columns[0]), "{csv}");
    let (markdown, _) = stdout("markdown");
    assert!(markdown.contains("| median ± interval, ratio to best | spawn\\_join |"), "{markdown}");
    assert!(markdown.contains("Allocations and atomics are never counted in a timed process"), "{markdown}");
    let (json, _) = stdout("json");
    assert!(serde_json::from_str::<Results>(&json).expect("JSON").run.complete);
}

fn a_list_says_the_unit_and_the_operation() {
    let ran = lab(&["matrix", "--list", "--filter", "spawn_join", "--filter", "sleep"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stdout.contains("  spawn_join  ns  What spawn_join does, in one sentence. [executor]\n"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("  sleep/async  What sleep/async does"), "{}", ran.stdout);
}

fn hostile_names_stay_names() {
    let folder = Folder::new();
    let out = folder.join("out");
    let chosen = ["--filter", "spawn_join", "--filter", "evil*", "--filter", "odd/fails"];
    let ran = lab(&[&["matrix", "--rounds", "1", "--out", &out][..], &chosen].concat());
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    for text in [&ran.stdout, &ran.stderr, &folder.read("out/results.md"), &folder.read("out/report.html")] {
        assert!(!text.contains('\u{202e}') && !text.contains('\u{1b}'), "{text}");
    }
    let page = folder.read("out/report.html");
    assert!(page.contains("evil&lt;/script&gt;&lt;img"));
    assert!(!page.contains("<img") && page.matches("</script>").count() == 1);
    assert!(!folder.read("out/results.md").contains("<img"));
    let results = Results::read(std::path::Path::new(&out)).expect("results");
    assert!(results.subject(HOSTILE).is_some(), "the data itself is not changed");
}

fn the_link_follows_the_last_run() {
    let folder = Folder::new();
    let run = || {
        let output = crate::harness::command(&["matrix", "--filter", "sleep", "--on", "steal+mio+wheel"])
            .env("POLYLOOP_LAB_DIR", folder.path())
            .output()
            .expect("the lab");
        assert_eq!(output.status.code(), Some(0));
        std::fs::read_link(folder.path().join("latest")).expect("a link")
    };
    let (first, second) = (run(), run());
    assert_ne!(first, second);
    assert!(folder.path().join(first).join("results.json").is_file());
    assert!(folder.path().join("latest/report.html").is_file());
}

fn timelines_share_one_scale_and_have_an_ascii_form() {
    let ran = lab(&["run", "starvation", "--on", "fifo+mio+wheel", "--width", "120"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let lanes: Vec<&str> = ran.stdout.lines().filter(|line| line.contains('|')).collect();
    assert_eq!(lanes.len(), 4, "{}", ran.stdout);
    let lane = |line: &str| line.split('|').nth(1).expect("a lane").to_owned();
    let width = lane(lanes[0]).chars().count();
    assert!(lanes.iter().all(|line| lane(line).chars().count() == width));
    // 60 of 160 ms: the shorter run ends where the longer one is at three eighths.
    let used = lane(lanes[0]).trim_end().chars().count();
    assert!(used.abs_diff(width * 60 / 160) <= 1, "{used} of {width}\n{}", ran.stdout);
    assert!(lanes[1].contains("never polled"));
    assert!(ran.stdout.contains("why: b was ready"));
    let narrow = lab(&["run", "starvation", "--on", "fifo+mio+wheel", "--width", "80"]);
    assert!(narrow.stdout.lines().all(|line| line.chars().count() <= 80), "{}", narrow.stdout);
    assert!(narrow.stdout.contains("why: b was ready"), "{}", narrow.stdout);
    let ascii = lab(&["run", "starvation", "--on", "steal+mio+wheel", "--ascii"]);
    assert!(ascii.stdout.replace("µs", "us").is_ascii(), "{}", ascii.stdout);
    assert!(ascii.stdout.contains('#') && ascii.stdout.contains('='), "{}", ascii.stdout);
}

fn the_plan_names_scale_seed_and_estimate() {
    let ran = lab(&["matrix", "--quick", "--dry-run", "--seed", "42"]);
    assert_eq!(ran.code, 0);
    assert_eq!(ran.stdout, "");
    for part in ["7 rounds of 40 ms", "× 0.1", "starvation/* verbatim", "about ", "seed 42"] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
    let ran = lab(&["matrix", "--full", "--dry-run"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
    assert!(ran.stderr.contains("31 rounds of 250 ms · "), "{}", ran.stderr);
    assert!(ran.stderr.contains("sleeps verbatim"), "{}", ran.stderr);
    let ran = lab(&["matrix", "--filter", "spawn_join", "--budget", "500ms", "--dry-run"]);
    assert!(ran.stderr.contains("× 1 round of 50 ms"), "{}", ran.stderr);
    assert!(ran.stderr.contains("too small even for one round"), "{}", ran.stderr);
}

/// A minute, five times, for a subject and its twin; the slot of 50 ms says nothing about it.
fn the_estimate_knows_what_a_bench_takes() {
    let chosen = ["matrix", "--on", "steal+mio+wheel", "--filter", "takes_a_minute", "--dry-run"];
    let ran = lab(&[&chosen[..], &["--rounds", "5"]].concat());
    assert!(ran.stderr.contains("about 10 min"), "{}", ran.stderr);
    let ran = lab(&[&chosen[..], &["--budget", "5m"]].concat());
    assert!(ran.stderr.contains("× 2 rounds"), "{}", ran.stderr);
}

fn two_runs_are_compared() {
    let folder = Folder::new();
    let (old, new) = (folder.join("old"), folder.join("new"));
    for out in [&old, &new] {
        let ran = lab(&[&["matrix", "--rounds", "5", "--seed", "3", "--out", out], BENCHES].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }
    let same = lab(&["compare", &old, &new, "--fail-on", "5%"]);
    assert_eq!(same.code, 0, "{}", same.stderr);
    assert!(same.stdout.starts_with("0 better, 0 worse, 0 lost, "), "{}", same.stdout);
    let file = folder.path().join("new/results.json");
    let mut results = Results::read(&file).expect("results");
    let cell = results.cells.iter_mut().find(|cell| cell.case == "spawn_join").expect("a cell");
    for metric in cell.metrics.values_mut() {
        metric.samples.iter_mut().for_each(|sample| *sample *= 1.5);
        metric.median *= 1.5;
    }
    std::fs::write(&file, results.to_json().expect("JSON")).expect("a file");
    let slower = lab(&["compare", &old, &new, "--fail-on", "5%"]);
    assert_eq!(slower.code, 1);
    assert!(slower.stdout.contains("+50.0 % worse"), "{}", slower.stdout);
    let lost = |change: fn(&mut Results)| {
        let mut results = Results::read(std::path::Path::new(&old)).expect("results");
        change(&mut results);
        std::fs::write(&file, results.to_json().expect("JSON")).expect("a file");
        let ran = lab(&["compare", &old, &new, "--fail-on", "5%"]);
        assert_eq!(ran.code, 1, "{}", ran.stdout);
        assert!(ran.stdout.contains(" 1 lost, "), "{}", ran.stdout);
        let only_shown = lab(&["compare", &old, &new]);
        assert_eq!((only_shown.code, only_shown.stdout == ran.stdout), (0, true));
        ran.stdout
    };
    let crashed = lost(|results| {
        let cell = results.cells.iter_mut().find(|cell| cell.case == "spawn_join").expect("a cell");
        (cell.status, cell.reason) = (Status::Crash, Some("SIGSEGV".into()));
        cell.metrics.clear();
        cell.metric = None;
    });
    assert!(crashed.contains("CRASH  lost: SIGSEGV"), "{crashed}");
    let gone = lost(|results| {
        let ours = |cell: &polyloop_lab::results::Cell| {
            let it = "steal+mio+wheel";
            cell.case == "spawn_join" && (cell.subject == it || cell.same_as.as_deref() == Some(it))
        };
        results.cells.retain(|cell| !ours(cell));
    });
    assert!(gone.contains("missing  lost: not in the new run"), "{gone}");
}

fn workers_are_swept() {
    let ran = lab(&[
        "matrix",
        "--list",
        "--filter",
        "sleep",
        "--exec",
        "steal",
        "--peers",
        "none",
        "--workers",
        "1,4",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for name in ["steal:1+mio+wheel", "steal:4+mio+wheel", "steal:4+poll+heap"] {
        assert!(ran.stdout.contains(name), "{name}: {}", ran.stdout);
    }
    assert!(!ran.stdout.contains("tokio") && !ran.stdout.contains("fifo"), "{}", ran.stdout);
    // Beside one that can have them, one of a single thread has its one row.
    let ran = lab(&["matrix", "--list", "--filter", "sleep", "--workers", "4"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("  fifo+mio+wheel ") && ran.stdout.contains("steal:4+mio"), "{}", ran.stdout);
}

fn workers_are_swept_on_peers_too_and_compared_with_as_many() {
    let (results, ran) = benches(&["--rounds", "5", "--workers", "2,4"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let ratio = |subject: &str| {
        let cell = results.cell(subject, "spawn_join").unwrap_or_else(|| panic!("no {subject}"));
        cell.own_metric().and_then(|metric| metric.ratio_to_tokio_mt).expect("a ratio")
    };
    assert_eq!((ratio("tokio-mt:2"), ratio("tokio-mt:4")), (1.0, 1.0));
    // The fake takes 2.6 for tokio-mt:4, about 1 for tokio-mt:2 and for steal with any number of workers.
    assert!((ratio("steal:4+mio+wheel") - 1.0 / 2.6).abs() < 0.02, "{}", ratio("steal:4+mio+wheel"));
    assert!((ratio("steal:2+mio+wheel") - 1.0).abs() < 0.02, "{}", ratio("steal:2+mio+wheel"));
    assert!(results.subject("tokio-mt").is_none() && results.subject("floor-loop").is_some());
}

fn what_nothing_forces_is_no_verdict() {
    let folder = Folder::new();
    let out = folder.join("out");
    let ran = lab(&[
        "matrix",
        "--filter",
        "odd/open",
        "--filter",
        "sleep",
        "--on",
        "steal+mio+wheel",
        "--out",
        &out,
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let sentence = "All 1 experiment cell came out as predicted. 1 cell more ran where nothing is forced, and is no verdict.";
    assert!(ran.stdout.contains(sentence), "{}", ran.stdout);
    assert!(ran.stdout.contains("no verdict") && ran.stdout.contains("1/1 ✔"), "{}", ran.stdout);
    assert!(
        folder.read("out/results.md").contains("○") && folder.read("out/report.html").contains("no verdict")
    );
}
