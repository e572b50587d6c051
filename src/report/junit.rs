//! JUnit XML, as CI systems show it: a suite for each step, a case for each row of each expect.
//!
//! What differs is a `failure`, what is unknown or was cut short an `error`; a waived one passes, and says so in `system-out`.
//! After the format that Jenkins reads (github.com/jenkinsci/xunit-plugin, junit-10.xsd). A suite takes the time that its step
//! took: its cases may be asked side by side.

use std::fmt::Write as _;
use std::io::Write;

use super::at_end::AtEnd;
use super::run_model::{Collapsing, RunModel};
use super::safe::markup as text;
use super::test_cases::{Case, Cases, Outcome, Suite};

/// Writes it to `out` when the run is over.
pub fn junit<W: Write + Send>(out: W) -> AtEnd<W> {
    AtEnd::new(out, RunModel::new(Collapsing::Never), Cases::new(xml))
}

fn xml(cases: &Cases) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        out,
        "<testsuites name=\"{}\" {} time=\"{:.3}\"{}>",
        text(&cases.title),
        counts(cases.iter()),
        cases.seconds,
        timestamp(cases.began)
    );
    let host = cases.host.as_ref().map(|host| format!(" hostname=\"{}\"", text(host))).unwrap_or_default();
    for (step, suite) in cases.suites() {
        let Suite { title, began, seconds, .. } = suite;
        let name = title.as_ref().map_or_else(|| text(step), |title| text(&format!("{step}: {title}")));
        let (counts, timestamp) = (counts(suite.cases()), timestamp(*began));
        let _ = writeln!(out, "  <testsuite name=\"{name}\" {counts} time=\"{seconds:.3}\"{timestamp}{host}>");
        for case in suite.cases() {
            one(&mut out, step, case);
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn timestamp(at: Option<jiff::Timestamp>) -> String {
    at.map(|at| format!(" timestamp=\"{at:.3}\"")).unwrap_or_default()
}

fn counts<'c>(cases: impl Iterator<Item = &'c Case>) -> String {
    let (mut tests, mut failures, mut errors, mut skipped) = (0, 0, 0, 0);
    for case in cases {
        tests += 1;
        match case.outcome {
            Outcome::Differed | Outcome::Failed => failures += 1,
            Outcome::Unknown | Outcome::Undecided => errors += 1,
            Outcome::Skipped(_) => skipped += 1,
            Outcome::Held | Outcome::Assumed(_) | Outcome::Waived(_) | Outcome::Warned(_) => {}
        }
    }
    format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{skipped}\"")
}

fn one(out: &mut String, step: &str, case: &Case) {
    let head = format!(
        "    <testcase classname=\"{}\" name=\"{}\" time=\"{:.3}\"",
        text(step),
        text(&case.name),
        case.seconds
    );
    let found = case.details.iter().find(|(what, _)| *what == "found").map_or("", |(_, found)| found);
    let because = case.details.iter().find(|(what, _)| *what == "because").map_or("", |(_, because)| because);
    let lines: Vec<String> = case.details.iter().map(|(what, detail)| format!("{what}: {}", text(detail))).collect();
    let lines = lines.join("\n");
    let inner = match &case.outcome {
        Outcome::Held => return out.push_str(&format!("{head}/>\n")),
        Outcome::Assumed(why) => format!("<system-out>assumed: {}</system-out>", text(why)),
        Outcome::Differed => format!("<failure type=\"differed\" message=\"found {}\">{lines}</failure>", text(found)),
        Outcome::Failed => format!("<failure type=\"failed\" message=\"{}\">{lines}</failure>", text(found)),
        Outcome::Unknown => format!("<error type=\"unknown\" message=\"{}\">{lines}</error>", text(found)),
        Outcome::Undecided => {
            let message = if because.is_empty() { "not decided" } else { because };
            format!("<error type=\"undecided\" message=\"{}\">{lines}</error>", text(message))
        }
        Outcome::Skipped(why) => format!("<skipped message=\"{}\"/>", text(why)),
        Outcome::Waived(risk) => format!("<system-out>accepted risk: {}\n{lines}</system-out>", text(risk)),
        Outcome::Warned(words) => format!("<system-out>warning: {}\n{lines}</system-out>", text(words)),
    };
    let _ = writeln!(out, "{head}>{inner}</testcase>");
}
