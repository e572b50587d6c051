//! `docker.stats(name)` and `docker.processes(name)`: what a container takes, and what runs in it.

use bollard::errors::Error;
use bollard::models::{ContainerCpuStats, ContainerMemoryStats};
use bollard::query_parameters::{StatsOptionsBuilder, TopOptionsBuilder};
use futures_util::StreamExt;

use crate::engine::world::Request;
use crate::value::{Answer, Unknown, UnknownCause, Value};

use super::{Docker, is_missing, name, no_answer, number, text};

const NOT_RUNNING: &str = "the container does not run";

impl Docker {
    /// What the engine measures takes it a second or two for the processors, which need two readings: it is asked beside
    /// all else, and only if someone wants to know.
    pub(super) async fn stats(&self, request: &Request) -> Result<Answer, Unknown> {
        let name = name(request)?;
        let once = !request.wants("cpu");
        let options = StatsOptionsBuilder::default().stream(false).one_shot(once).build();
        let mut stream = std::pin::pin!(self.client().await?.stats(name, Some(options)));
        let told = match stream.next().await {
            Some(Ok(told)) => told,
            Some(Err(error)) if is_missing(&error) => {
                return Ok(Answer::absent(format!("there is no container `{name}`")));
            }
            Some(Err(error)) => return Err(no_answer(&error)),
            None => return Err(Unknown::new(UnknownCause::NoAnswer, "the engine measured nothing")),
        };
        // Of a container that does not run the engine tells when it read nothing: in the year 1. An answer without that
        // time is none of its measurements, and no reason to say that nothing runs.
        let processes = match (told.pids_stats.and_then(|pids| pids.current), told.read.as_deref()) {
            (Some(count), _) if count > 0 => Answer::Known(number(i64::try_from(count).unwrap_or(i64::MAX))),
            (_, Some(read)) if read.starts_with("0001-") => return Ok(Answer::absent(NOT_RUNNING)),
            (_, Some(_)) => Answer::unknown(UnknownCause::Unreadable, "the engine does not say"),
            (_, None) => {
                return Err(Unknown::new(UnknownCause::Unreadable, "what the engine answers is no measurement"));
            }
        };
        let cpu = match (once, told.cpu_stats, told.precpu_stats) {
            (true, ..) => Answer::unknown(UnknownCause::LeftOut, "it was not asked for"),
            (_, Some(now), Some(before)) => share_of_processors(&now, &before),
            _ => Answer::unknown(UnknownCause::Unreadable, "the engine does not say"),
        };
        let memory = told.memory_stats.unwrap_or_default();
        let limit = memory.limit.filter(|limit| *limit > 0);
        let used = used(&memory);
        let not_said = || Answer::unknown(UnknownCause::Unreadable, "the engine does not say");
        let size = |bytes: Option<u64>| match bytes.and_then(|bytes| i64::try_from(bytes).ok()) {
            Some(bytes) => Answer::Known(Value::Size(bytes)),
            None => not_said(),
        };
        let share = match (used, limit) {
            (Some(used), Some(limit)) => Answer::Known(Value::Percent(tenth(used as f64 / limit as f64 * 100.0))),
            _ => not_said(),
        };
        Ok(Answer::Known(Value::record(
            "docker.stats",
            [
                ("cpu", cpu),
                ("memory", size(used)),
                ("memory_limit", size(limit)),
                ("memory_share", share),
                ("processes", processes),
            ],
        )))
    }

    pub(super) async fn processes(&self, request: &Request) -> Result<Answer, Unknown> {
        let name = name(request)?;
        let options = TopOptionsBuilder::default().ps_args("-eo pid,ppid,user,args").build();
        let told = match self.client().await?.top_processes(name, Some(options)).await {
            Ok(told) => told,
            Err(error) if is_missing(&error) => {
                return Ok(Answer::absent(format!("there is no container `{name}`")));
            }
            Err(Error::DockerResponseServerError { status_code: 409, .. }) => return Ok(Answer::absent(NOT_RUNNING)),
            Err(error) => return Err(no_answer(&error)),
        };
        let titles = told.titles.unwrap_or_default();
        let column = |title: &str| titles.iter().position(|known| known.eq_ignore_ascii_case(title));
        let (pid, parent, user, command) = (column("PID"), column("PPID"), column("USER"), column("COMMAND"));
        let not_said = "the engine does not say";
        let rows = told.processes.unwrap_or_default().into_iter().map(|row| {
            let cell = |at: Option<usize>| at.and_then(|at| row.get(at)).cloned();
            let count = |at| match cell(at).and_then(|cell| cell.parse().ok()) {
                Some(value) => Answer::Known(number(value)),
                None => Answer::unknown(UnknownCause::Unreadable, not_said),
            };
            let words = ("command", text(cell(command), not_said));
            Value::record(
                "docker.process",
                [("pid", count(pid)), ("parent", count(parent)), ("user", text(cell(user), not_said)), words],
            )
        });
        Ok(Answer::Known(Value::list(rows.collect::<Vec<_>>())))
    }
}

/// Of one processor: two that are busy are 200%, as `docker stats` tells it.
fn share_of_processors(now: &ContainerCpuStats, before: &ContainerCpuStats) -> Answer {
    let total = |stats: &ContainerCpuStats| stats.cpu_usage.as_ref().and_then(|usage| usage.total_usage);
    let spent = total(now).zip(total(before)).map(|(now, before)| now.saturating_sub(before));
    let passed = now.system_cpu_usage.zip(before.system_cpu_usage).map(|(now, before)| now.saturating_sub(before));
    match (spent, passed) {
        (Some(spent), Some(passed)) if passed > 0 => {
            let processors = f64::from(now.online_cpus.unwrap_or(1).max(1));
            Answer::Known(Value::Percent(tenth(spent as f64 / passed as f64 * processors * 100.0)))
        }
        _ => Answer::unknown(UnknownCause::NoAnswer, "the engine has not measured it twice yet"),
    }
}

/// Without what the kernel would give back at once, as `docker stats` tells it: its key is `inactive_file` with control
/// groups of version 2, `total_inactive_file` with those of version 1.
fn used(memory: &ContainerMemoryStats) -> Option<u64> {
    let usage = memory.usage?;
    let stats = memory.stats.as_ref();
    let inactive = stats.and_then(|stats| stats.get("total_inactive_file").or_else(|| stats.get("inactive_file")));
    Some(usage.saturating_sub(inactive.copied().unwrap_or(0)))
}

/// To the tenth: what is shown is what is compared.
fn tenth(percent: f64) -> f64 {
    (percent * 10.0).round() / 10.0
}
