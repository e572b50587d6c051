//! JUnit XML, as CI systems show it: a suite for each step, a case for each row of each expect.
//!
//! What differs is a `failure`, what is unknown an `error`; a waived one passes, and says so in `system-out`. After the
//! format that Jenkins reads (github.com/jenkinsci/xunit-plugin, junit-10.xsd).

use std::fmt::Write as _;
use std::io::Write;

use super::cases::{Case, Cases, Outcome, Tests};
use super::safe::markup as text;

pub fn junit<W: Write + Send>(out: W) -> Tests<W> {
    Tests::new(out, xml)
}

fn xml(cases: &Cases) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let all: Vec<&Case> = cases.iter().collect();
    let _ =
        writeln!(out, "<testsuites name=\"{}\" {} time=\"{:.3}\">", text(&cases.title), counts(&all), cases.seconds);
    for (step, title, cases) in cases.steps() {
        let seconds: f64 = cases.iter().map(|case| case.seconds).sum();
        let name = if title == step { text(step) } else { text(&format!("{step}: {title}")) };
        let _ = writeln!(out, "  <testsuite name=\"{name}\" {} time=\"{seconds:.3}\">", counts(&cases));
        for case in cases {
            one(&mut out, step, case);
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn counts(cases: &[&Case]) -> String {
    let count = |is: fn(&Outcome) -> bool| cases.iter().filter(|case| is(&case.outcome)).count();
    format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"",
        cases.len(),
        count(|outcome| matches!(outcome, Outcome::Differed | Outcome::Failed)),
        count(|outcome| *outcome == Outcome::Unknown),
        count(|outcome| matches!(outcome, Outcome::Skipped(_)))
    )
}

fn one(out: &mut String, step: &str, case: &Case) {
    let head = format!(
        "    <testcase classname=\"{}\" name=\"{}\" time=\"{:.3}\"",
        text(step),
        text(&case.name),
        case.seconds
    );
    let found = case.details.iter().find(|(what, _)| *what == "found").map_or("", |(_, found)| found);
    let lines: Vec<String> = case.details.iter().map(|(what, told)| format!("{what}: {}", text(told))).collect();
    let lines = lines.join("\n");
    let inner = match &case.outcome {
        Outcome::Held => return out.push_str(&format!("{head}/>\n")),
        Outcome::Differed => format!("<failure type=\"differed\" message=\"found {}\">{lines}</failure>", text(found)),
        Outcome::Failed => format!("<failure type=\"failed\" message=\"{}\">{lines}</failure>", text(found)),
        Outcome::Unknown => format!("<error type=\"unknown\" message=\"{}\">{lines}</error>", text(found)),
        Outcome::Skipped(why) => format!("<skipped message=\"{}\"/>", text(why)),
        Outcome::Waived(risk) => format!("<system-out>accepted risk: {}\n{lines}</system-out>", text(risk)),
        Outcome::Warned(words) => format!("<system-out>warning: {}\n{lines}</system-out>", text(words)),
    };
    let _ = writeln!(out, "{head}>{inner}</testcase>");
}
