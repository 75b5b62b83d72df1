//! The report in a real browser: whole without scripts, silent towards the network, readable at any width.
//!
//! Without Chromium these tests are skipped, and counted so; with `CI=1` or `POLYLOOP_REQUIRE_TOOLS=1` they then fail.

use crate::fake::HOSTILE;
use crate::harness::{Folder, lab};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

pub(crate) const TESTS: &[(&str, fn())] = &[
    ("the_page_is_whole_in_a_browser", the_page_is_whole_in_a_browser),
    ("the_page_is_whole_without_scripts", the_page_is_whole_without_scripts),
];

/// Runs everything that the fake does well, and what it does badly but quickly.
fn page() -> (Folder, String) {
    let folder = Folder::new();
    let out = folder.join("out");
    let ran = lab(&[
        "matrix",
        "--rounds",
        "5",
        "--seed",
        "1",
        "--filter",
        "starvation",
        "--filter",
        "sleep",
        "--filter",
        "evil*",
        "--filter",
        "odd/fails",
        "--filter",
        "odd/crashes",
        "--filter",
        "odd/unavailable",
        "--filter",
        "spawn_join",
        "--filter",
        "timer_cancel",
        "--filter",
        "tcp_echo",
        "--filter",
        "rate",
        "--filter",
        "flaky",
        "--filter",
        "blocked",
        "--filter",
        "spread",
        "--out",
        &out,
    ]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let url = format!("file://{}", folder.join("out/report.html"));
    (folder, url)
}

fn the_page_is_whole_in_a_browser() {
    let Some(mut browser) = Browser::start() else { return };
    let (_folder, url) = page();
    browser.call("Network.enable", json!({}));
    browser.call("Runtime.enable", json!({}));
    browser.open(&url);
    let requested: Vec<String> = browser
        .events("Network.requestWillBeSent")
        .iter()
        .filter_map(|event| event["request"]["url"].as_str().map(str::to_owned))
        .collect();
    assert!(requested.iter().all(|asked| *asked == url || asked.starts_with("data:")), "{requested:?}");

    for width in [390, 768, 1200] {
        let metrics = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        browser.call("Emulation.setDeviceMetricsOverride", metrics);
        let wide = browser.evaluate("document.documentElement.scrollWidth");
        assert!(wide.as_u64().is_some_and(|wide| wide <= width), "the page is {wide} wide at {width}");
    }

    // A real click on the head of a column sorts by it, numbers as numbers.
    browser.evaluate("document.querySelector('#matrix thead th:nth-child(2) button').click()");
    let order = browser.evaluate(
        "JSON.stringify([...document.querySelectorAll('#matrix tbody tr')].map(r => r.cells[1].dataset.v).filter(v => v !== ''))",
    );
    let order: Vec<String> = serde_json::from_str(order.as_str().expect("text")).expect("a list");
    let numbers: Vec<f64> = order.iter().map(|text| text.parse().expect("a number")).collect();
    assert!(numbers.len() > 8 && numbers.is_sorted(), "{numbers:?}");

    browser.evaluate("document.getElementById('theme').click()");
    assert!(browser.evaluate("document.documentElement.dataset.theme").is_string());

    // What a screen reader gets: every picture has a name.
    let nameless = browser.evaluate(
        "document.querySelectorAll('svg:not([role=img]), svg:not([aria-label]), [aria-label=\"\"]').length",
    );
    assert_eq!(nameless, 0);
    assert_eq!(browser.evaluate("document.querySelectorAll('th:not([scope])').length"), 0);
    let hostile = browser.evaluate("document.querySelector('#matrix').textContent");
    assert!(hostile.as_str().expect("text").contains(HOSTILE.split('\u{202e}').next().expect("a part")));
    assert_eq!(browser.evaluate("document.images.length"), 0);
    assert!(browser.events("Runtime.exceptionThrown").is_empty());
    assert!(browser.events("Runtime.consoleAPICalled").is_empty());
}

fn the_page_is_whole_without_scripts() {
    let Some(mut browser) = Browser::start() else { return };
    let (folder, url) = page();
    browser.call("Emulation.setScriptExecutionDisabled", json!({ "value": true }));
    browser.open(&url);
    let root = browser.call("DOM.getDocument", json!({ "depth": 0 }))["root"]["nodeId"].clone();
    let count = |browser: &mut Browser, selector: &str| {
        let found = browser.call("DOM.querySelectorAll", json!({ "nodeId": root, "selector": selector }));
        found["nodeIds"].as_array().map_or(0, Vec::len)
    };
    let text = folder.read("out/results.json");
    let results: Value = serde_json::from_str(&text).expect("results");
    let drawn = |cell: &&Value| cell["kind"] == "experiment" && !cell["timeline"].is_null();
    let with_timeline = results["cells"].as_array().expect("cells").iter().filter(drawn).count();
    assert!(with_timeline > 10);
    assert_eq!(count(&mut browser, ".timeline"), with_timeline);
    assert_eq!(
        count(&mut browser, "#matrix tbody tr"),
        results["subjects"].as_array().expect("subjects").len()
    );
    // The first picture: each kind of subject that the fake has, in words and on lanes.
    assert_eq!(count(&mut browser, "#picture .panel"), 4);
    assert_eq!(count(&mut browser, "#picture .panel figcaption p"), 4);
    assert_eq!(count(&mut browser, "#picture .panel svg"), 8);
    assert_eq!(count(&mut browser, "header ~ #picture ~ #matrix ~ #spread"), 1, "it comes first");
    // Buttons need the script: without it they are not there to be pressed in vain.
    assert_eq!(count(&mut browser, "button:not([hidden])"), 0);
    // Every address on the page leads somewhere.
    let links = count(&mut browser, "td.sign a");
    assert_eq!(links, with_timeline);
}

/// A Chromium that is driven through its pipe: commands are JSON, each ended by a zero byte.
struct Browser {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    session: Option<String>,
    next: u64,
    events: Vec<Value>,
    _profile: Folder,
}

impl Browser {
    /// Starts it with an empty page; `None` if there is none and none is required.
    fn start() -> Option<Self> {
        let Some(program) = find() else {
            let required = |name: &str| {
                std::env::var(name).is_ok_and(|value| !value.is_empty() && value != "0" && value != "false")
            };
            assert!(
                !required("CI") && !required("POLYLOOP_REQUIRE_TOOLS"),
                "Chromium is required here and was not found (CHROME, chromium, google-chrome)"
            );
            polyloop_conformance::skip("no Chromium found (CHROME, chromium, google-chrome)");
            return None;
        };
        let profile = Folder::new();
        // The shell moves the pipes to the descriptors 3 and 4, where Chromium expects them.
        let script = "exec \"$0\" --headless=new --no-sandbox --disable-gpu --remote-debugging-pipe \
                      --user-data-dir=\"$1\" 3<&0 4>&1 </dev/null >/dev/null 2>&1";
        let mut child = Command::new("sh")
            .args(["-c", script, &program, &profile.join("profile")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let commands = child.stdin.take().expect("a pipe");
        let answers = BufReader::new(child.stdout.take().expect("a pipe"));
        let (session, next, events) = (None, 0, Vec::new());
        let mut browser = Self { child, commands, answers, session, next, events, _profile: profile };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.call("Target.attachToTarget", attach);
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        browser.call("Page.enable", json!({}));
        Some(browser)
    }

    fn open(&mut self, url: &str) {
        self.call("Page.navigate", json!({ "url": url }));
        while self.events("Page.loadEventFired").is_empty() {
            let event = self.read();
            self.events.push(event);
        }
    }

    fn evaluate(&mut self, expression: &str) -> Value {
        let answer =
            self.call("Runtime.evaluate", json!({ "expression": expression, "returnByValue": true }));
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    fn events(&self, name: &str) -> Vec<Value> {
        let named = self.events.iter().filter(|event| event["method"] == name);
        named.map(|event| event["params"].clone()).collect()
    }

    fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.next += 1;
        let mut command = json!({ "id": self.next, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            command["sessionId"] = session.as_str().into();
        }
        let mut bytes = command.to_string().into_bytes();
        bytes.push(0);
        self.commands.write_all(&bytes).expect("the browser listens");
        loop {
            let answer = self.read();
            if answer["id"] == self.next {
                assert!(answer.get("error").is_none(), "{method}: {answer}");
                return answer["result"].clone();
            }
            self.events.push(answer);
        }
    }

    fn read(&mut self) -> Value {
        let mut bytes = Vec::new();
        self.answers.read_until(0, &mut bytes).expect("the browser answers");
        assert_eq!(bytes.pop(), Some(0), "the browser has ended");
        serde_json::from_slice(&bytes).expect("JSON")
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn find() -> Option<String> {
    let named = std::env::var("CHROME").ok().filter(|name| !name.is_empty());
    let known = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"].map(str::to_owned);
    named.into_iter().chain(known).find(|program| {
        let asked =
            Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    })
}
