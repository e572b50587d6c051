//! `file`: what lies on this host. It looks; content is read only where it is asked for, and never from a device or fifo.

use std::fs::Metadata;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use futures_util::FutureExt;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::engine::world::Request;
use crate::value::pattern::Pattern;
use crate::value::size::{NotRead, list_of, read_json, too_large};
use crate::value::{Answer, UnknownCause, Value};

use super::native::{Registered, probe};
use super::{io_words, within};

pub(super) const NATIVES: &[Registered] = &[
    probe("file", |_, request| look(request).boxed()).by_field(),
    probe("file.glob", |_, request| glob(request).boxed()),
];

/// The largest content that is read as text.
const LARGEST: u64 = 8 << 20;

/// The most paths that a pattern may cover.
const MOST: usize = 10_000;

/// `file(path)`
async fn look(request: Request) -> Answer {
    within(request.limit, async move { blocking(move || read(&request)).await }).await
}

/// `file.glob(pattern)`
async fn glob(request: Request) -> Answer {
    within(request.limit, async move { blocking(move || covered(&request)).await }).await
}

async fn blocking(work: impl FnOnce() -> Answer + Send + 'static) -> Answer {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|_| Answer::unknown(UnknownCause::Invalid, "the file could not be looked at"))
}

fn read(request: &Request) -> Answer {
    let path = request.text("path").unwrap_or_default();
    if path.contains('\0') {
        return Answer::unknown(UnknownCause::Invalid, "a path holds no NUL byte");
    }
    let shown = Path::new(path).strip_prefix(&request.root).unwrap_or(Path::new(path)).display().to_string();
    let meta = match std::fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) => {
            return match error.kind() {
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
                    let dangling = std::fs::symlink_metadata(path).is_ok();
                    let why = if dangling { "is a link to nothing" } else { "does not exist" };
                    Answer::absent(format!("`{shown}` {why}"))
                }
                std::io::ErrorKind::PermissionDenied => {
                    Answer::unknown(UnknownCause::Denied, format!("`{shown}` may not be looked at: permission denied"))
                }
                _ => Answer::unknown(
                    UnknownCause::Unreadable,
                    format!("`{shown}` can't be looked at: {}", io_words(&error)),
                ),
            };
        }
    };
    let mut fields = vec![
        ("path", Answer::Known(Value::text(shown))),
        ("kind", Answer::Known(Value::text(kind(&meta)))),
        ("size", Answer::Known(Value::Size(i64::try_from(meta.len()).unwrap_or(i64::MAX)))),
        ("mode", Answer::Known(Value::text(format!("{:04o}", meta.mode() & 0o7777)))),
    ];
    if request.wants("owner") {
        let name = nix::unistd::User::from_uid(meta.uid().into()).ok().flatten().map(|user| user.name);
        fields.push(("owner", Answer::Known(Value::text(name.unwrap_or_else(|| meta.uid().to_string())))));
    }
    if request.wants("group") {
        let name = nix::unistd::Group::from_gid(meta.gid().into()).ok().flatten().map(|group| group.name);
        fields.push(("group", Answer::Known(Value::text(name.unwrap_or_else(|| meta.gid().to_string())))));
    }
    let modified = meta.modified().ok().and_then(|time| Timestamp::try_from(time).ok());
    fields.push((
        "modified",
        modified.map_or_else(
            || Answer::unknown(UnknownCause::Unreadable, "the file system keeps no such time"),
            |time| Answer::Known(Value::Time(time)),
        ),
    ));
    let textual = ["text", "lines", "json"];
    if textual.iter().any(|field| request.wants(field)) {
        let text = content(path, &meta);
        for field in textual.into_iter().filter(|field| request.wants(field)) {
            let answer = match (&text, field) {
                (Err(unknown), _) => unknown.clone(),
                (Ok(text), "text") => Answer::Known(Value::text(text.as_str())),
                (Ok(text), "lines") => list_of(text.lines()),
                (Ok(text), _) => match read_json(text) {
                    Ok(json) => Answer::Known(json),
                    Err(NotRead::TooLarge) => too_large(),
                    Err(NotRead::NotJson(error)) => Answer::absent(format!("the file is not JSON: {error}")),
                },
            };
            fields.push((field, answer));
        }
    }
    if request.wants("sha256") {
        fields.push(("sha256", digest(path, &meta)));
    }
    Answer::Known(Value::record("file", fields))
}

fn kind(meta: &Metadata) -> &'static str {
    let ty = meta.file_type();
    if ty.is_file() {
        "file"
    } else if ty.is_dir() {
        "folder"
    } else if ty.is_socket() {
        "socket"
    } else if ty.is_fifo() {
        "fifo"
    } else {
        "device"
    }
}

/// Opens a plain file. What became a fifo in between is not waited for.
fn open(path: &str, meta: &Metadata) -> Result<std::fs::File, Answer> {
    if !meta.is_file() {
        return Err(Answer::unknown(UnknownCause::Unreadable, format!("a {} has no content to read", kind(meta))));
    }
    std::fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path).map_err(|error| {
        let cause = match error.kind() {
            std::io::ErrorKind::PermissionDenied => UnknownCause::Denied,
            _ => UnknownCause::Unreadable,
        };
        Answer::unknown(cause, format!("its content can't be read: {}", io_words(&error)))
    })
}

fn content(path: &str, meta: &Metadata) -> Result<String, Answer> {
    let unreadable = |reason: String| Answer::unknown(UnknownCause::Unreadable, reason);
    let file = open(path, meta)?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| unreadable(io_words(&error)))?;
    if bytes.len() as u64 > LARGEST {
        return Err(unreadable("it has more than the 8 MiB that are read as text".to_owned()));
    }
    String::from_utf8(bytes)
        .map_err(|error| unreadable(format!("its content is not UTF-8 (at byte {})", error.utf8_error().valid_up_to())))
}

fn digest(path: &str, meta: &Metadata) -> Answer {
    let mut file = match open(path, meta) {
        Ok(file) => file,
        Err(answer) => return answer,
    };
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => hash.update(&buffer[..count]),
            Err(error) => return Answer::unknown(UnknownCause::Unreadable, io_words(&error)),
        }
    }
    let hex: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Answer::Known(Value::text(hex))
}

fn covered(request: &Request) -> Answer {
    let pattern = request.text("pattern").unwrap_or_default();
    let matcher = match Pattern::of_paths(pattern) {
        Ok(matcher) => matcher,
        Err(why) => return Answer::unknown(UnknownCause::Invalid, format!("the pattern can't be read: {why}")),
    };
    // The folders before the first wildcard need no search.
    let fixed: std::path::PathBuf = Path::new(pattern)
        .components()
        .take_while(|part| !part.as_os_str().to_string_lossy().contains(['*', '?', '[', '{']))
        .collect();
    let deep = pattern.contains("**");
    let searched = Path::new(pattern).strip_prefix(&fixed).unwrap_or(Path::new(pattern));
    let hidden = searched.components().any(|part| part.as_os_str().as_encoded_bytes().starts_with(b"."));
    let depth = Path::new(pattern).components().count();
    let mut found = Vec::new();
    let mut open = vec![fixed.clone()];
    if matcher.is_match(&fixed) && fixed.exists() {
        found.push(fixed);
    }
    while let Some(folder) = open.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                return Answer::unknown(UnknownCause::Denied, format!("`{}` may not be looked into", folder.display()));
            }
            Err(_) => continue,
        };
        for entry in entries.flatten() {
            let path = entry.path();
            // As in a shell: what begins with a dot is meant only where a pattern says so.
            if entry.file_name().as_encoded_bytes().starts_with(b".") && !hidden {
                continue;
            }
            if matcher.is_match(&path) {
                found.push(path.clone());
            }
            let folder = entry.file_type().is_ok_and(|ty| ty.is_dir());
            if folder && (deep || path.components().count() < depth) {
                open.push(path);
            }
            if found.len() > MOST || open.len() > 10 * MOST {
                return Answer::unknown(UnknownCause::Unreadable, format!("the pattern covers more than {MOST} paths"));
            }
        }
    }
    found.sort();
    let mut paths = Vec::with_capacity(found.len());
    for path in found {
        let relative = path.strip_prefix(&request.root).unwrap_or(&path);
        match relative.to_str() {
            Some(text) => paths.push(Value::text(text)),
            None => {
                let shown = relative.display();
                return Answer::unknown(UnknownCause::Unreadable, format!("the name of `{shown}` is not UTF-8"));
            }
        }
    }
    Answer::Known(Value::list(paths))
}
