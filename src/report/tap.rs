//! TAP, version 14 (testanything.org): a test point for each row of each expect. A waived or warning one is a `TODO`, which
//! may fail.

use std::fmt::Write as _;
use std::io::Write;

use crate::engine::events::event::Verdict;

use super::at_end::AtEnd;
use super::run_model::{Collapsing, RunModel};
use super::safe::{safe, safe_json};
use super::test_cases::{Cases, Outcome};

/// Writes it to `out` when the run is over.
pub fn tap<W: Write + Send>(out: W) -> AtEnd<W> {
    AtEnd::new(out, RunModel::new(Collapsing::Never), Cases::new(points))
}

fn points(cases: &Cases) -> String {
    let mut out = format!("TAP version 14\n1..{}\n", cases.iter().count());
    for (nth, case) in cases.iter().enumerate() {
        let (ok, directive) = match &case.outcome {
            Outcome::Held | Outcome::Assumed(_) => ("ok", String::new()),
            Outcome::Skipped(why) => ("ok", format!(" # SKIP {}", words(why))),
            Outcome::Waived(risk) => ("not ok", format!(" # TODO accepted risk: {}", words(risk))),
            Outcome::Warned(why) => ("not ok", format!(" # TODO warning: {}", words(why))),
            Outcome::Differed | Outcome::Unknown | Outcome::Undecided | Outcome::Failed => ("not ok", String::new()),
        };
        let _ = writeln!(out, "{ok} {} - {}: {}{directive}", nth + 1, words(&case.step), words(&case.name));
        let state = match &case.outcome {
            Outcome::Assumed(why) => Some(("assumed", why.clone())),
            Outcome::Undecided => Some(("state", "not decided".to_owned())),
            _ => None,
        };
        let mut details = state.iter().chain(&case.details).peekable();
        if details.peek().is_some() {
            out.push_str("  ---\n");
            for (what, detail) in details {
                // A JSON string is one of YAML's.
                let detail = safe_json(serde_json::Value::from(detail.as_str()).to_string());
                let _ = writeln!(out, "  {what}: {detail}");
            }
            out.push_str("  ...\n");
        }
    }
    let mut verdicts = cases.verdicts.iter().map(|verdict| match verdict {
        Verdict::Go => "GO",
        Verdict::NoGo => "NO-GO",
        Verdict::RolledBack => "ROLLED BACK",
        Verdict::RollbackFailed => "ROLLBACK FAILED",
    });
    let verdict = verdicts.next().map(|verdict| format!("{verdict}: ")).unwrap_or_default();
    let held = cases.count(|outcome| *outcome == Outcome::Held);
    let assumed = match cases.count(|outcome| matches!(outcome, Outcome::Assumed(_))) {
        0 => String::new(),
        assumed => format!(", {assumed} assumed"),
    };
    let _ = writeln!(out, "# {verdict}{held} held{assumed}, {} not", cases.count(Outcome::blocks));
    for verdict in verdicts {
        let _ = writeln!(out, "# {verdict}");
    }
    out
}

/// Words of a test point: on one line, and no directive.
fn words(text: &str) -> String {
    safe(text).replace('\\', "\\\\").replace('#', "\\#")
}
