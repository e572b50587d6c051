//! TAP, version 14 (testanything.org): a test point for each row of each expect. A waived or warning one is a `TODO`, which
//! may fail.

use std::fmt::Write as _;
use std::io::Write;

use crate::engine::events::event::Verdict;

use super::cases::{Cases, Outcome, Tests, blocks};
use super::safe::{safe, safe_json};

pub fn tap<W: Write + Send>(out: W) -> Tests<W> {
    Tests::new(out, points)
}

fn points(cases: &Cases) -> String {
    let mut out = format!("TAP version 14\n1..{}\n", cases.iter().count());
    for (nth, case) in cases.iter().enumerate() {
        let (ok, directive) = match &case.outcome {
            Outcome::Held => ("ok", String::new()),
            Outcome::Skipped(why) => ("ok", format!(" # SKIP {}", words(why))),
            Outcome::Waived(risk) => ("not ok", format!(" # TODO accepted risk: {}", words(risk))),
            Outcome::Warned(told) => ("not ok", format!(" # TODO warning: {}", words(told))),
            Outcome::Differed | Outcome::Unknown | Outcome::Failed => ("not ok", String::new()),
        };
        let _ = writeln!(out, "{ok} {} - {}: {}{directive}", nth + 1, words(&case.step), words(&case.name));
        if !case.details.is_empty() {
            out.push_str("  ---\n");
            for (what, told) in &case.details {
                // A JSON string is one of YAML's.
                let told = safe_json(serde_json::Value::from(told.as_str()).to_string());
                let _ = writeln!(out, "  {what}: {told}");
            }
            out.push_str("  ...\n");
        }
    }
    let verdict = match cases.verdict {
        Some(Verdict::Go) => "GO: ",
        Some(Verdict::NoGo) => "NO-GO: ",
        Some(Verdict::RolledBack) => "ROLLED BACK: ",
        Some(Verdict::RollbackFailed) => "ROLLBACK FAILED: ",
        None => "",
    };
    let held = cases.count(|outcome| *outcome == Outcome::Held);
    let _ = writeln!(out, "# {verdict}{held} held, {} not", cases.count(blocks));
    out
}

/// Words of a test point: on one line, and no directive.
fn words(text: &str) -> String {
    safe(text).replace('\\', "\\\\").replace('#', "\\#")
}
