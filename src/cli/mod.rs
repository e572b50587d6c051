//! The command line: one file a command. What a library user would miss is not here.

mod check;
mod demo;
mod doc;
mod forms;
mod input;
mod output;
mod recorded;
mod report;
mod resume;
mod rollback;
mod run;
mod runs;
mod signals;
mod streams;
mod viewers;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Write a production change down, see what it would do, carry it out, and prove every step.
#[derive(Parser)]
#[command(name = "runbook", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// When to use colour; `NO_COLOR` turns it off, too
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "WHEN")]
    color: When,
    /// Only the result
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Bindings, conditions and probes, too
    #[arg(short, long, global = true)]
    verbose: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Carry a runbook out
    Exec(run::Exec),
    /// Show what it would do, and how expected and actual state differ; changes nothing
    DryRun(run::DryRun),
    /// Go on with a run that was cut off
    Resume(resume::Resume),
    /// Undo what a run has begun, newest step first
    Rollback(rollback::Rollback),
    /// List the runs that are recorded here
    Runs(runs::Runs),
    /// The report of a run, again
    Report(report::Report),
    /// Find every mistake in runbooks and modules, before anything runs
    Check(check::Check),
    /// The reference of the language's modules
    Doc(doc::Doc),
    /// What an error code means, with an example
    Explain(doc::Explain),
    /// A plan with a small world of its own: see a run recover from a failure
    Demo(demo::Demo),
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum When {
    Auto,
    Always,
    Never,
}

/// How results are printed.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
    Markdown,
    Html,
    Junit,
    Tap,
}

/// How lists are printed.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ListFormat {
    Text,
    Json,
}

/// What sets a runbook's params and chooses its steps.
#[derive(Args)]
struct Choice {
    /// The runbook: a path, `-`, or a name in the nearest `runbooks/` folder
    file: String,
    /// Set a param
    #[arg(long, value_name = "PARAM=VALUE")]
    set: Vec<String>,
    /// Set params from a TOML file
    #[arg(long, value_name = "FILE.toml")]
    params: Option<std::path::PathBuf>,
    /// Set the params of a profile
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// Only this step (may be given again)
    #[arg(long, value_name = "STEP")]
    only: Vec<String>,
    /// From this step on
    #[arg(long, value_name = "STEP")]
    from: Option<String>,
    /// The form of what is printed
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    reports: Reports,
}

/// Files that a report is written to.
#[derive(Args)]
struct Reports {
    /// Write a report, in the form of the file's ending: .txt, .md, .html, .json, .jsonl, .xml (JUnit), .tap (may be given again)
    #[arg(long, value_name = "PATH")]
    report: Vec<std::path::PathBuf>,
}

/// What all commands are told.
#[derive(Clone, Copy)]
struct Global {
    color: When,
    quiet: bool,
    verbose: bool,
}

/// Bad usage, or errors in the file: nothing was touched.
const NOT_RUN: u8 = 2;

/// It could not be told, or not be recorded: nothing was begun.
const NOT_TOLD: u8 = 4;

/// Secrets are in this program's memory: no core dump is written of it, and no other program of the same user reads it
/// (prctl(2), PR_SET_DUMPABLE). What it starts is not concerned: execve(2) sets that back.
fn undumpable() {
    if let Err(error) = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable) {
        tracing::warn!("this program's memory can be dumped: {error}");
    }
}

/// Runs the program.
pub fn main() -> ExitCode {
    if let Some(code) = crate::process::watchdog_main() {
        return code;
    }
    undumpable();
    output::broken_pipes();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let verbose = std::env::args().any(|arg| matches!(&*arg, "-v" | "--verbose" | "-Vv" | "-vV"));
            if error.kind() == clap::error::ErrorKind::DisplayVersion && verbose {
                println!("runbook {}\n{}", env!("CARGO_PKG_VERSION"), crate::process::sandbox::enforced().trim_end());
                return ExitCode::SUCCESS;
            }
            error.exit()
        }
    };
    let global = Global { color: cli.color, quiet: cli.quiet, verbose: cli.verbose };
    output::traces();
    // The runtime's thread has room for expressions that are nested as deep as may be.
    let worker = std::thread::Builder::new().stack_size(64 << 20).spawn(move || match cli.command {
        Command::Exec(exec) => exec.run(global),
        Command::DryRun(dry_run) => dry_run.run(global),
        Command::Resume(resume) => resume.run(global),
        Command::Rollback(rollback) => rollback.run(global),
        Command::Runs(runs) => runs.run(global),
        Command::Report(report) => report.run(global),
        Command::Check(check) => check.run(global),
        Command::Doc(doc) => doc.run(global),
        Command::Explain(explain) => explain.run(global),
        Command::Demo(demo) => demo.run(global),
    });
    let ended = worker.map(std::thread::JoinHandle::join);
    crate::process::finish();
    match ended {
        Ok(Ok(code)) => code,
        Ok(Err(_)) => ExitCode::from(101),
        Err(error) => {
            eprintln!("runbook: no thread could be started: {error}");
            ExitCode::from(4)
        }
    }
}
