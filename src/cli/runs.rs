//! `runbook runs`: the runs that are recorded here.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;

use crate::record::{Folder, RunState, Store, StoreError, Summary};
use crate::report::safe::{safe, safe_json};
use crate::report::style::Paint;
use crate::report::times::{time, wall};

use super::output::refused;
use super::{Global, ListFormat, NOT_RUN, NOT_TOLD, output};

/// How long it takes to end the commands of a run that was killed, nearly always.
const MOMENT: Duration = Duration::from_millis(150);

#[derive(Args)]
pub(super) struct Runs {
    /// The form of what is printed
    #[arg(long, value_enum, default_value = "text")]
    format: ListFormat,
}

impl Runs {
    pub fn run(self, global: Global) -> ExitCode {
        let runs = match Folder::nearest() {
            Ok(store) => settled(&store),
            Err(why) if self.format == ListFormat::Json => {
                eprintln!("runbook: {why}");
                Ok(Vec::new())
            }
            Err(why) => return refused(NOT_RUN, why),
        };
        let runs = match runs {
            Ok(runs) => runs,
            Err(why) => return refused(NOT_TOLD, why),
        };
        let mut out = std::io::stdout().lock();
        let _ = match self.format {
            ListFormat::Json => {
                let text = serde_json::to_string(&runs).unwrap_or_default();
                writeln!(out, "{}", safe_json(text))
            }
            _ => out.write_all(table(&runs, global).as_bytes()),
        };
        ExitCode::SUCCESS
    }
}

/// The runs. The commands of one that was just killed are being ended, which takes a moment: it is not told to run.
fn settled(store: &Folder) -> Result<Vec<Summary>, StoreError> {
    let began = Instant::now();
    loop {
        let runs = store.runs()?;
        if began.elapsed() >= MOMENT || runs.iter().all(|run| run.state != RunState::Running) {
            return Ok(runs);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs as a table, newest first.
fn table(runs: &[Summary], global: Global) -> String {
    let paint = Paint { on: global.colour_out() };
    let head = ["RUN", "STARTED", "RUNBOOK", "WHO", "VERDICT", "TIME", "STOPPED"].map(str::to_owned);
    let rows: Vec<[String; 7]> = runs
        .iter()
        .map(|run| {
            let verdict = match (run.state, run.verdict) {
                (RunState::Running, _) => "running",
                (RunState::CutOff, _) => "cut off",
                (RunState::Unreadable, _) => "unreadable",
                (RunState::Ended, Some(verdict)) => verdict.name(),
                (RunState::Ended, None) => "NO-GO",
            };
            let verdict = match run.rollback {
                Some(rollback) => format!("{verdict}, {}", rollback.name()),
                None => verdict.to_owned(),
            };
            let started = match run.state {
                RunState::Unreadable => String::new(),
                _ => wall(run.started),
            };
            let who = run.by.clone().unwrap_or_default();
            let took = time(run.elapsed().into());
            let stopped = short(run.stopped.as_deref().unwrap_or_default(), 100);
            [run.run.clone(), started, short(&run.runbook, 40), safe(&who), verdict, took, stopped]
        })
        .collect();
    let width = |column: usize| {
        let cells = rows.iter().chain([&head]).map(|row| unicode_width::UnicodeWidthStr::width(row[column].as_str()));
        cells.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..7).map(width).collect();
    // On a terminal a run is a line.
    let most = std::io::stdout()
        .is_terminal()
        .then(|| output::columns().saturating_sub(widths[..6].iter().sum::<usize>() + 2 * 6).max(10));
    let line = |row: &[String; 7], head: bool| {
        let mut text = String::new();
        for (column, cell) in row.iter().enumerate() {
            let cell = &match (column, most) {
                (6, Some(most)) => short(cell, most.saturating_sub(1)),
                _ => cell.clone(),
            };
            let pad = " ".repeat(widths[column] - unicode_width::UnicodeWidthStr::width(cell.as_str()));
            let painted = match (head, column, cell.as_str()) {
                (true, ..) => paint.dim(cell),
                (_, 4, "GO") => paint.good(cell),
                (_, 4, cell) if cell.starts_with("NO-GO") || cell.ends_with("FAILED") => paint.bad(cell),
                (_, 4, _) => paint.doubtful(cell),
                _ => cell.clone(),
            };
            text.push_str(&format!("{painted}{pad}  "));
        }
        text.trim_end().to_owned() + "\n"
    };
    std::iter::once(line(&head, true)).chain(rows.iter().map(|row| line(row, false))).collect()
}

fn short(text: &str, most: usize) -> String {
    let text = safe(text.lines().next().unwrap_or_default());
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
