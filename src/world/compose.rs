//! `compose`: whichever of `docker compose` and `docker-compose` is installed, and what the engine tells of its projects.
//!
//! Actions are its own commands, with what they print. Probes run only those of its commands that read (`version`,
//! `config`), and ask the engine for the rest: Compose labels what it creates with the project, the service, the file
//! and a hash of the service's configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use tokio::sync::OnceCell;

use crate::engine::world::{Outcome, Request};
use crate::value::{Answer, Unknown, UnknownCause, Value};

use super::docker::{Docker, Labelled};
use super::native::{Order, Registered, action, probe};
use super::shell;

macro_rules! asked {
    (|$compose:ident, $docker:ident, $request:ident| $asking:expr) => {
        |eyes, request| {
            let ($compose, $docker) = (eyes.backends.compose.clone(), eyes.backends.docker.clone());
            super::in_time(request, move |$request| async move { $asking.await })
        }
    };
}

pub(super) const NATIVES: &[Registered] = &[
    probe("compose.version", asked!(|compose, _docker, _request| compose.version())),
    probe("compose.services", asked!(|compose, _docker, request| compose.services(&request))),
    probe("compose.drift", asked!(|compose, docker, request| compose.drift(&docker, &request))),
    probe("compose.logs", asked!(|compose, docker, request| compose.logs(&docker, &request))),
    action("compose.up", |hands, order| hands.backends.compose.clone().act("up", order).boxed()),
    action("compose.down", |hands, order| hands.backends.compose.clone().act("down", order).boxed()),
    action("compose.restart", |hands, order| hands.backends.compose.clone().act("restart", order).boxed()),
    action("compose.pull", |hands, order| hands.backends.compose.clone().act("pull", order).boxed()),
    action("compose.build", |hands, order| hands.backends.compose.clone().act("build", order).boxed()),
];

/// The most of the logs that is read.
const LARGEST: usize = 8 << 20;

/// How many containers are asked for their logs at the same time.
const AT_ONCE: usize = 8;

/// How long Compose may take to say its version.
const VERSION_LIMIT: Duration = Duration::from_secs(20);

/// Compose, once it was looked for.
#[derive(Clone, Default)]
pub(super) struct Compose {
    tool: Arc<OnceCell<Tool>>,
}

/// The command that is Compose on this host.
#[derive(Debug)]
struct Tool {
    words: &'static [&'static str],
    version: String,
}

/// The newer one first: where both are installed, it is the one that people mean.
const TOOLS: [&[&str]; 2] = [&["docker", "compose"], &["docker-compose"]];

impl Compose {
    /// `compose.up` is `docker compose … up …`, and so on.
    async fn act(self, command: &'static str, order: Order) -> Outcome {
        let Order { request, output, cancel, .. } = order;
        let tool = match self.tool().await {
            Ok(tool) => tool,
            Err(unknown) => {
                return Outcome { failure: Some(unknown.reason.to_string()), result: Answer::Unknown(unknown) };
            }
        };
        let mut words = tool.command(&request, command);
        let flag = |name: &str| request.bool(name).unwrap_or(false);
        let flags = [
            ("detach", "--detach"),
            ("build", "--build"),
            ("recreate", "--force-recreate"),
            ("orphans", "--remove-orphans"),
            ("volumes", "--volumes"),
            ("wait", "--wait"),
            ("no_cache", "--no-cache"),
        ];
        words.extend(flags.iter().filter(|(name, _)| flag(name)).map(|(_, word)| (*word).to_owned()));
        if let Some(grace) = request.duration("grace") {
            words.extend(["--timeout".to_owned(), grace.as_secs().to_string()]);
        }
        let services = texts(&request, "services");
        if let Some(option) = services.iter().find(|service| service.starts_with('-') || service.is_empty()) {
            let reason = format!("`{option}` is no name of a service: Compose would take it for an option");
            let unknown = Unknown::new(UnknownCause::Invalid, reason);
            return Outcome { failure: Some(unknown.reason.to_string()), result: Answer::Unknown(unknown) };
        }
        words.extend(services);
        shell::act_on(&request, words, folder(&request), output, cancel).await
    }

    async fn tool(&self) -> Result<&Tool, Unknown> {
        self.tool
            .get_or_try_init(|| async {
                for words in TOOLS {
                    let asked = words.iter().copied().chain(["version", "--short"]).map(str::to_owned).collect();
                    // A `docker` without the plugin takes `compose` for a mistake, and says so.
                    let Ok(said) = shell::said(None, asked, PathBuf::from("/"), VERSION_LIMIT).await else { continue };
                    let version = said.trim().trim_start_matches('v').to_owned();
                    if version.starts_with(|char: char| char.is_ascii_digit()) {
                        return Ok(Tool { words, version });
                    }
                }
                let reason = "Compose is not installed: neither `docker compose` nor `docker-compose` says its version";
                Err(Unknown::new(UnknownCause::NoAnswer, reason))
            })
            .await
    }

    async fn version(&self) -> Result<Answer, Unknown> {
        let tool = self.tool().await?;
        let known = |text: String| Answer::Known(Value::text(text));
        Ok(Answer::Known(Value::record(
            "compose.version",
            [("version", known(tool.version.clone())), ("command", known(tool.words.join(" ")))],
        )))
    }

    /// The services that the file declares, with the hash of each one's configuration.
    async fn declared(&self, request: &Request) -> Result<BTreeMap<String, String>, Unknown> {
        let tool = self.tool().await?;
        let mut words = tool.command(request, "config");
        words.push("--hash=*".to_owned());
        let said = shell::said(Some(request), words, folder(request), request.limit).await.map_err(|why| {
            Unknown::new(UnknownCause::Unreadable, format!("`{} config` {why}", tool.words.join(" ")))
        })?;
        let mut services = BTreeMap::new();
        for line in said.lines().filter(|line| !line.trim().is_empty()) {
            let Some((name, hash)) = line.trim().split_once(' ') else {
                let reason = format!("`{} config` said something else than hashes: {line}", tool.words.join(" "));
                return Err(Unknown::new(UnknownCause::Unreadable, reason));
            };
            services.insert(name.to_owned(), hash.trim().to_owned());
        }
        Ok(services)
    }

    async fn services(&self, request: &Request) -> Result<Answer, Unknown> {
        let services = self.declared(request).await?;
        let known = |text: String| Answer::Known(Value::text(text));
        let record = |(name, hash)| Value::record("compose.service", [("name", known(name)), ("hash", known(hash))]);
        Ok(Answer::Known(Value::list(services.into_iter().map(record).collect::<Vec<_>>())))
    }

    /// Where what runs and what the file says are apart.
    async fn drift(&self, docker: &Docker, request: &Request) -> Result<Answer, Unknown> {
        let tool = self.tool().await?;
        let project = self.project(request).await?;
        let (declared, containers) = tokio::join!(self.declared(request), docker.labelled(&project));
        let (declared, containers) = (declared?, containers?);
        // Those of `docker compose run` are nobody's service.
        let containers: Vec<Labelled> =
            containers.into_iter().filter(|container| container.label("oneoff") != Some("True")).collect();
        let names = |names: BTreeSet<&str>| Answer::Known(Value::list(names.into_iter().map(Value::text)));
        // They read files, which may lie anywhere.
        let files = files(request);
        let compared = super::blocking(move || {
            let elsewhere: Vec<bool> = containers.iter().map(|container| container.is_from_another(&files)).collect();
            (containers, elsewhere)
        });
        let ending = || Unknown::new(UnknownCause::NoAnswer, "the program is ending");
        let (containers, elsewhere) = compared.await.ok_or_else(ending)?;
        let of = |container: &&Labelled| container.label("service").and_then(|service| declared.get(service));
        let orphans = containers.iter().filter(|container| of(container).is_none());
        let served: BTreeSet<&str> = containers.iter().filter_map(|container| container.label("service")).collect();
        let missing = declared.keys().map(String::as_str).filter(|service| !served.contains(service));
        let elsewhere =
            containers.iter().zip(elsewhere).filter(|(_, elsewhere)| *elsewhere).map(|(container, _)| container);
        let edited = containers
            .iter()
            .filter(|container| of(container).is_some_and(|hash| container.label("config-hash") != Some(hash)));
        let other_version = containers.iter().find_map(|container| {
            let version = container.label("version").unwrap_or("another program");
            let same = version.trim_start_matches('v') == tool.version;
            (!same && of(&container).is_some()).then(|| (container.name.clone(), version.to_owned()))
        });
        let edited = match other_version {
            Some((name, version)) => Answer::unknown(
                UnknownCause::Unreadable,
                format!(
                    "`{name}` was created by Compose {version}, and {} is at hand: their hashes can't be compared",
                    tool.version
                ),
            ),
            None => names(edited.filter_map(|container| container.label("service")).collect()),
        };
        Ok(Answer::Known(Value::record(
            "compose.drift",
            [
                ("edited", edited),
                ("other_file", names(elsewhere.map(|container| container.name.as_str()).collect())),
                ("orphans", names(orphans.map(|container| container.name.as_str()).collect())),
                ("missing", names(missing.collect())),
            ],
        )))
    }

    /// What the containers of the project printed, each line behind the container's name.
    async fn logs(&self, docker: &Docker, request: &Request) -> Result<Answer, Unknown> {
        let project = self.project(request).await?;
        let tail = request.number("tail").and_then(|tail| tail.as_i64()).unwrap_or(100).max(0);
        let containers = docker.labelled(&project).await?;
        let asked: Vec<_> = containers.iter().map(|container| docker.last_lines(&container.name, tail)).collect();
        let mut asked = futures_util::stream::iter(asked).buffered(AT_ONCE);
        let mut text = String::new();
        for container in &containers {
            let Some(lines) = asked.next().await else { break };
            for line in lines? {
                text.push_str(&format!("{} | {line}\n", container.name));
            }
            if text.len() > LARGEST {
                let reason = "the logs have more than the 8 MiB that are read; ask for less of them by `tail`";
                return Err(Unknown::new(UnknownCause::Unreadable, reason));
            }
        }
        Ok(Answer::Known(Value::text(text)))
    }

    /// The project's name: as it was given, or as Compose itself comes to it.
    async fn project(&self, request: &Request) -> Result<String, Unknown> {
        if let Some(project) = request.text("project") {
            return Ok(project.to_owned());
        }
        let variable = "COMPOSE_PROJECT_NAME";
        if let Some(name) = std::env::var(variable).ok().filter(|name| !name.is_empty()) {
            return Ok(name);
        }
        let dir = folder(request);
        let dotenv = tokio::fs::read_to_string(dir.join(".env")).await.unwrap_or_default();
        let written = dotenv.lines().find_map(|line| line.trim().strip_prefix(variable)?.trim().strip_prefix('='));
        if let Some(name) = written.map(|name| name.trim().trim_matches(['"', '\''])).filter(|name| !name.is_empty()) {
            return Ok(name.to_owned());
        }
        let tool = self.tool().await?;
        // The newer one knows a top-level `name`, and tells it.
        if tool.words.len() > 1 {
            let mut words = tool.command(request, "config");
            words.extend(["--format".to_owned(), "json".to_owned()]);
            let said = shell::said(Some(request), words, dir.clone(), request.limit).await;
            let json = said.ok().and_then(|said| serde_json::from_str::<serde_json::Value>(&said).ok());
            if let Some(name) = json.as_ref().and_then(|json| json["name"].as_str()) {
                return Ok(name.to_owned());
            }
        }
        // Its file's folder, in small letters, without what a name can't hold.
        let dir = files(request).first().and_then(|file| file.parent()).map_or(dir, Path::to_path_buf);
        let dir = tokio::fs::canonicalize(&dir).await.unwrap_or(dir);
        let folder = dir.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        Ok(folder.chars().filter(|char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_')).collect())
    }
}

impl Tool {
    /// `docker compose --file … --project-name … COMMAND`
    fn command(&self, request: &Request, command: &str) -> Vec<String> {
        let mut words: Vec<String> = self.words.iter().map(|word| (*word).to_owned()).collect();
        for file in request.text("file").into_iter().map(str::to_owned).chain(texts(request, "files")) {
            words.extend(["--file".to_owned(), file]);
        }
        if let Some(project) = request.text("project") {
            words.extend(["--project-name".to_owned(), project.to_owned()]);
        }
        for profile in texts(request, "profiles") {
            words.extend(["--profile".to_owned(), profile]);
        }
        words.push(command.to_owned());
        words
    }
}

fn texts(request: &Request, param: &str) -> Vec<String> {
    let items = request.list(param).unwrap_or_default().iter();
    items.filter_map(|item| item.unsealed().to_text()).map(|text| text.to_string()).collect()
}

/// Where Compose is run: what its file's path is relative to.
fn folder(request: &Request) -> PathBuf {
    request.text("dir").map_or_else(|| request.root.to_path_buf(), PathBuf::from)
}

/// The files that a request names, whole.
fn files(request: &Request) -> Vec<PathBuf> {
    let dir = folder(request);
    let named = request.text("file").into_iter().map(str::to_owned).chain(texts(request, "files"));
    named.map(|file| dir.join(file)).collect()
}

impl Labelled {
    fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(&format!("com.docker.compose.{name}")).map(String::as_str)
    }

    /// Whether it was created from other files than these. Which ones Compose takes where none is named, is its matter.
    fn is_from_another(&self, files: &[PathBuf]) -> bool {
        let Some(label) = self.label("project.config_files").filter(|_| !files.is_empty()) else { return false };
        let dir = PathBuf::from(self.label("project.working_dir").unwrap_or_default());
        let from: Vec<PathBuf> = label.split(',').map(|file| whole(&dir, Path::new(file))).collect();
        from.len() != files.len() || from.iter().zip(files).any(|(from, file)| !same_file(from, file))
    }
}

/// The label holds a path as it was typed, relative to where that was; the file itself lies in the working folder.
fn whole(dir: &Path, file: &Path) -> PathBuf {
    let joined = dir.join(file);
    match (joined.exists(), file.file_name()) {
        (false, Some(name)) => dir.join(name),
        _ => joined,
    }
}

/// The same file, or the same text under the same name: another clone of the repository is not another file.
fn same_file(a: &Path, b: &Path) -> bool {
    if let (Ok(a), Ok(b)) = (std::fs::canonicalize(a), std::fs::canonicalize(b))
        && a == b
    {
        return true;
    }
    let same_name = a.file_name() == b.file_name();
    match (std::fs::read(a), std::fs::read(b)) {
        (Ok(a), Ok(b)) => same_name && a == b,
        // It was deployed from a place that this host does not have: its name is all that there is.
        _ => same_name,
    }
}
