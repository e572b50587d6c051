//! `docker.file(container, path)`: what lies at a path in a container, without running anything in it.
//!
//! Of a container that runs on this host its first process shows it, where we may look at that; else the engine's archive
//! endpoint tells it. That mounts all that the container has mounted, anew, for each question: it takes milliseconds, and
//! finds nothing at all if one of the sources is gone from the host, while the running container has it all the same.
//! That the container's own user may read a file is another question.

use std::io::Read;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use bollard::container::PathStatResponse;
use bollard::errors::Error;
use bollard::query_parameters::{ContainerArchiveInfoOptionsBuilder, DownloadFromContainerOptionsBuilder};
use futures_util::StreamExt;
use tokio::sync::OnceCell;

use crate::engine::world::Request;
use crate::value::size::list_of;
use crate::value::{Answer, Unknown, UnknownCause, Value};

use super::{Docker, inside, is_missing, named, no_answer, time};

/// The largest content that is read.
const LARGEST: i64 = 8 << 20;

/// How many symbolic links are followed.
const LINKS: usize = 16;

/// The kinds of files, by the bits of Go's `os.FileMode`.
const KINDS: [(u32, &str); 4] = [(1 << 31, "folder"), (1 << 26, "device"), (1 << 25, "fifo"), (1 << 24, "socket")];
const LINK: u32 = 1 << 27;

/// How long it is taken for known which process is a container's first.
const FRESH: Duration = Duration::from_millis(100);

/// Since when it is asked, and what is told of it.
pub(super) type FirstProcess = (Instant, Arc<OnceCell<Option<(i64, String)>>>);

/// What was found; or, as words, that nothing is there.
type Looked = Result<Facts, String>;

/// What was found at a path, whichever way it was looked at.
struct Facts {
    kind: &'static str,
    size: i64,
    mode: u32,
    modified: Answer,
    /// `None` if nobody wants to know.
    content: Option<Answer>,
}

impl Docker {
    pub(super) async fn file(&self, request: &Request) -> Result<Answer, Unknown> {
        let container = named(request, "container")?;
        let asked = request.text("path").unwrap_or_default();
        if !asked.starts_with('/') {
            let reason = format!("`{asked}` is no path in a container: it has to begin with `/`");
            return Err(Unknown::new(UnknownCause::Invalid, reason));
        }
        let wanted = request.wants("text") || request.wants("lines");
        let facts = match self.by_process(container, asked, wanted).await? {
            Some(facts) => facts,
            None => self.by_archive(container, asked, wanted).await?,
        };
        let facts = match facts {
            Ok(facts) => facts,
            Err(absence) => return Ok(Answer::absent(absence)),
        };
        let text = facts.content.unwrap_or_else(|| Answer::unknown(UnknownCause::LeftOut, "it was not asked for"));
        let lines = text.clone().and_then(|text| list_of(text.to_text().unwrap_or_default().lines()));
        let known = Answer::Known;
        Ok(known(Value::record(
            "docker.file",
            [
                ("path", known(Value::text(asked))),
                ("kind", known(Value::text(facts.kind))),
                ("size", known(Value::Size(facts.size))),
                ("mode", known(Value::text(format!("{:04o}", facts.mode)))),
                ("modified", facts.modified),
                ("text", text),
                ("lines", lines),
            ],
        )))
    }

    /// By the engine's archive endpoint.
    async fn by_archive(&self, container: &str, asked: &str, wanted: bool) -> Result<Looked, Unknown> {
        let mut path = asked.to_owned();
        let mut links = 0;
        let found = loop {
            match self.stat(container, &path).await? {
                Some(found) if found.file_mode & LINK != 0 && !found.link_target.is_empty() && links < LINKS => {
                    path = found.link_target;
                    links += 1;
                }
                Some(found) => break found,
                None => return self.nothing(container, asked).await,
            }
        };
        let bits = found.file_mode;
        let kind = KINDS.iter().find(|(bit, _)| bits & bit != 0).map_or("file", |(_, kind)| kind);
        let special = [(1 << 23, 0o4000), (1 << 22, 0o2000), (1 << 20, 0o1000)];
        let mode = special.iter().filter(|(bit, _)| bits & bit != 0).fold(bits & 0o777, |all, (_, bit)| all | bit);
        let content = match (wanted, unread(kind, found.size)) {
            (false, _) => None,
            (true, Some(why)) => Some(why),
            (true, None) => Some(self.content(container, &path).await?),
        };
        let modified = time(found.modification_time.as_deref(), "the engine does not say");
        Ok(Ok(Facts { kind, size: found.size, mode, modified, content }))
    }

    /// The archive endpoint found nothing, which is one answer to several questions: is there no such path, no such
    /// container, or could it not look?
    async fn nothing(&self, container: &str, path: &str) -> Result<Looked, Unknown> {
        match self.client().await?.inspect_container(container, None).await {
            Ok(_) => {}
            Err(error) if is_missing(&error) => return Ok(Err(format!("there is no container `{container}`"))),
            Err(error) => return Err(no_answer(&error)),
        }
        match self.stat(container, "/").await? {
            Some(_) => Ok(Err(format!("`{container}` has no {path}"))),
            None => Err(shut_out(container)),
        }
    }

    async fn stat(&self, container: &str, path: &str) -> Result<Option<PathStatResponse>, Unknown> {
        let options = ContainerArchiveInfoOptionsBuilder::default().path(path).build();
        match self.client().await?.get_container_archive_info(container, Some(options)).await {
            Ok(found) => Ok(Some(found)),
            Err(error) if is_missing(&error) => Ok(None),
            // An answer to HEAD has no body that would say why.
            Err(Error::DockerResponseServerError { status_code: 500.., .. }) => Err(shut_out(container)),
            Err(error) => Err(no_answer(&error)),
        }
    }

    /// By the container's first process; `None` if it does not run on this host, or may not be looked at.
    async fn by_process(&self, container: &str, path: &str, wanted: bool) -> Result<Option<Looked>, Unknown> {
        let Some((pid, id)) = self.first_process(container).await? else { return Ok(None) };
        let (path, container) = (path.to_owned(), container.to_owned());
        // A file system that is mounted there may not answer.
        let looked = crate::world::blocking(move || looked(pid, &id, &path, &container, wanted)).await;
        Ok(looked.flatten())
    }

    /// The number of a running container's first process, and the container's id. Asked once for many files: that a
    /// number is no longer the container's own is found where it is used.
    async fn first_process(&self, container: &str) -> Result<Option<(i64, String)>, Unknown> {
        let cell = {
            let mut processes = self.processes.lock().unwrap_or_else(PoisonError::into_inner);
            match processes.get(container) {
                Some((at, cell)) if at.elapsed() < FRESH => cell.clone(),
                _ => {
                    let cell = Arc::default();
                    processes.insert(container.to_owned(), (Instant::now(), Arc::clone(&cell)));
                    cell
                }
            }
        };
        let process = cell.get_or_try_init(|| async {
            match self.client().await?.inspect_container(container, None).await {
                Ok(found) => Ok(found.state.and_then(|state| state.pid).filter(|pid| *pid > 0).zip(found.id)),
                Err(error) if is_missing(&error) => Ok(None),
                Err(error) => Err(no_answer(&error)),
            }
        });
        process.await.cloned()
    }

    /// The content of a plain file: the engine sends it as a tar archive of one entry.
    async fn content(&self, container: &str, path: &str) -> Result<Answer, Unknown> {
        let options = DownloadFromContainerOptionsBuilder::default().path(path).build();
        let (streaming, budget) = self.streaming().await?;
        let mut stream = std::pin::pin!(streaming.download_from_container(container, Some(options)));
        let mut archive = Vec::new();
        while let Some(piece) = stream.next().await {
            budget.fill_up();
            archive.extend_from_slice(&piece.map_err(|error| no_answer(&error))?);
            if archive.len() as i64 > LARGEST + (1 << 16) {
                return Ok(Answer::unknown(UnknownCause::Unreadable, TOO_LARGE));
            }
        }
        let unreadable = |error: std::io::Error| {
            Unknown::new(UnknownCause::Unreadable, format!("what the engine sent of it can't be read: {error}"))
        };
        let mut archive = tar::Archive::new(archive.as_slice());
        let mut content = Vec::new();
        if let Some(entry) = archive.entries().map_err(unreadable)?.next() {
            // An entry may say that it goes on with holes, for longer than what was sent of it.
            let most = LARGEST as u64 + 1;
            entry.map_err(unreadable)?.take(most).read_to_end(&mut content).map_err(unreadable)?;
        }
        if content.len() as i64 > LARGEST {
            return Ok(Answer::unknown(UnknownCause::Unreadable, TOO_LARGE));
        }
        Ok(utf8(content))
    }
}

/// Looks through a process of the container; `None` if it may not be looked at.
fn looked(pid: i64, id: &str, path: &str, container: &str, wanted: bool) -> Option<Looked> {
    let found = match inside::look(pid, id, path) {
        Ok(Some(found)) => found,
        Ok(None) => return Some(Err(format!("`{container}` has no {path}"))),
        Err(_) => return None,
    };
    let (kind, size) = (found.kind(), found.stat.st_size);
    let content = match (wanted, unread(kind, size)) {
        (false, _) => None,
        (true, Some(why)) => Some(why),
        (true, None) => Some(match found.content(LARGEST) {
            Ok(content) => utf8(content),
            Err(why) => Answer::unknown(UnknownCause::Unreadable, why),
        }),
    };
    let modified = match jiff::Timestamp::new(found.stat.st_mtime, 0) {
        Ok(time) => Answer::Known(Value::Time(time)),
        Err(_) => Answer::unknown(UnknownCause::Unreadable, "the kernel does not say"),
    };
    Some(Ok(Facts { kind, size, mode: found.stat.st_mode & 0o7777, modified, content }))
}

fn shut_out(container: &str) -> Unknown {
    let reason =
        format!("the engine can't look into `{container}`: is something that is mounted there gone from the host?");
    Unknown::new(UnknownCause::Unreadable, reason)
}

const TOO_LARGE: &str = "it has more than the 8 MiB that are read";

/// Why a content is not read.
fn unread(kind: &str, size: i64) -> Option<Answer> {
    match kind {
        "file" if size <= LARGEST => None,
        "file" => Some(Answer::unknown(UnknownCause::Unreadable, TOO_LARGE)),
        kind => Some(Answer::unknown(UnknownCause::Unreadable, format!("it is a {kind}"))),
    }
}

fn utf8(content: Vec<u8>) -> Answer {
    match String::from_utf8(content) {
        Ok(text) => Answer::Known(Value::text(text)),
        Err(_) => Answer::unknown(UnknownCause::Unreadable, "it is no UTF-8"),
    }
}
