//! One line for each metric of each cell, for spreadsheets and scripts.

use crate::results::Results;

/// The run as CSV (RFC 4180), with a header line.
pub(crate) fn render(results: &Results) -> String {
    let mut out = String::from(
        "subject,case,kind,status,reason,metric,unit,better,median,low,high,ratio_to_best,ratio_to_tokio_mt,rounds\n",
    );
    for cell in &results.cells {
        let word = |value: serde_json::Result<serde_json::Value>| {
            value.ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
        };
        let head = [
            cell.subject.clone(),
            cell.case.clone(),
            word(serde_json::to_value(cell.kind)),
            word(serde_json::to_value(cell.status)),
            cell.reason.clone().unwrap_or_default(),
        ];
        if cell.metrics.is_empty() {
            line(&mut out, head.iter().cloned().chain(std::iter::repeat_n(String::new(), 9)));
        }
        for (name, metric) in &cell.metrics {
            let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
            let tail = [
                name.clone(),
                metric.unit.clone(),
                word(serde_json::to_value(metric.better)),
                metric.median.to_string(),
                number(metric.low),
                number(metric.high),
                number(metric.ratio_to_best),
                number(metric.ratio_to_tokio_mt),
                metric.samples.len().to_string(),
            ];
            line(&mut out, head.iter().cloned().chain(tail));
        }
    }
    out
}

fn line(out: &mut String, fields: impl Iterator<Item = String>) {
    for (at, field) in fields.enumerate() {
        if at > 0 {
            out.push(',');
        }
        if field.contains([',', '"', '\n', '\r']) {
            out.push('"');
            out.push_str(&field.replace('"', "\"\""));
            out.push('"');
        } else {
            out.push_str(&field);
        }
    }
    out.push('\n');
}
