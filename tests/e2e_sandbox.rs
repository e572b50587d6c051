//! The sandbox of probes against a real kernel: what it refuses, that it knows that it refused, and that harmless programs
//! say in it what they say outside.
//!
//! Each try of `tests/sandbox/tries.rs` is made in a dry run, as root and as an ordinary user, with each version of Landlock
//! that this kernel has forced in turn. It must be refused, its answer must be unknown, and the world must be as it was.

mod support;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use support::{Story, Told};

/// An ordinary user: nobody (passwd(5)).
const NOBODY: u32 = 65534;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum User {
    Root,
    Nobody,
}

fn needs_root() {
    assert!(
        rustix::process::geteuid().is_root(),
        "these tests need root: they try the sandbox as root and as another user"
    );
}

/// The version of Landlock that this kernel has.
fn landlock() -> i64 {
    // SAFETY: with this flag the kernel reads no memory and only tells its version.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0_usize, 1_u32) };
    assert!(version > 0, "this kernel has no Landlock: the sandbox can't be tried");
    version
}

/// A story whose files any user may reach, with copies of the programs in it.
fn open_story() -> Story {
    needs_root();
    let story = Story::new("");
    std::fs::set_permissions(story.folder.path(), PermissionsExt::from_mode(0o777)).expect("a mode");
    for (program, name) in [(PathBuf::from(support::BINARY), "runbook"), (support::example("sandbox-tries"), "tries")] {
        std::fs::copy(program, story.path(name)).expect("copied");
        std::fs::set_permissions(story.path(name), PermissionsExt::from_mode(0o755)).expect("a mode");
    }
    story
}

fn run(story: &Story, user: User, version: Option<i64>, args: &[&str]) -> Told {
    let mut command = Command::new(story.path("runbook"));
    command.args(args).current_dir(story.folder.path()).env("NO_COLOR", "1").env_remove("RUST_LOG");
    command.env("XDG_STATE_HOME", story.path(".state")).env("HOME", story.path("home"));
    if let Some(version) = version {
        command.env("RUNBOOK_LANDLOCK_ABI", version.to_string());
    }
    if user == User::Nobody {
        command.uid(NOBODY).gid(NOBODY);
    }
    support::told(command.output().expect("it runs"))
}

/// The state of each expect, and its words, by id.
fn results(told: &Told) -> BTreeMap<String, (String, String)> {
    let events =
        told.stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("an event a line"));
    events
        .filter(|event| event["type"] == "expect-ended")
        .map(|event| {
            let id = event["expect"].as_str().expect("an id").rsplit('.').next().expect("a name").to_owned();
            (id, (event["state"].as_str().expect("a state").to_owned(), event.to_string()))
        })
        .collect()
}

/// What the tries are made on: a world outside of the sandbox that shows whether something reached it.
struct Outside {
    story: Story,
    process: Child,
    datagram: UnixDatagram,
    stream: UnixListener,
    in_abstract: UnixDatagram,
    in_abstract_stream: UnixListener,
    tcp: std::net::TcpListener,
    tcp6: Option<std::net::TcpListener>,
    udp: std::net::UdpSocket,
    fifo: std::fs::File,
    _terminal: std::os::fd::OwnedFd,
    args: String,
    before: Vec<String>,
    queues: String,
}

impl Outside {
    fn new(owner: User) -> Self {
        let story = open_story();
        let folder = story.path("outside");
        std::fs::create_dir(&folder).expect("a directory");
        std::fs::create_dir(folder.join("empty")).expect("a directory");
        story.write("outside/victim", "as it was\n");
        let fifo = std::ffi::CString::new(folder.join("fifo").to_str().expect("text")).expect("no NUL");
        // SAFETY: a path that ends with a NUL byte.
        assert_eq!(unsafe { libc::mkfifo(fifo.as_ptr(), 0o666) }, 0);
        let mut pipe = std::fs::File::options().read(true).write(true).open(folder.join("fifo")).expect("a pipe");
        pipe.write_all(b"for another\n").expect("written");
        let datagram = UnixDatagram::bind(folder.join("datagram")).expect("a socket");
        let stream = UnixListener::bind(folder.join("stream")).expect("a socket");
        let name = format!("runbook-try-{}", story.folder.path().file_name().expect("a name").to_string_lossy());
        let of = SocketAddr::from_abstract_name(&name).expect("a name");
        let in_abstract = UnixDatagram::bind_addr(&of).expect("a socket");
        let in_abstract_stream = UnixListener::bind_addr(&of).expect("a socket");
        let tcp = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = tcp.local_addr().expect("an address").port();
        let tcp6 = std::net::TcpListener::bind(format!("[::1]:{port}")).ok();
        let udp = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
        let terminal =
            rustix::pty::openpt(rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY).expect("a pty");
        rustix::pty::grantpt(&terminal).expect("granted");
        rustix::pty::unlockpt(&terminal).expect("unlocked");
        let line = rustix::pty::ptsname(&terminal, Vec::new()).expect("a name").into_string().expect("text");
        let mut command = Command::new("sleep");
        command.arg("3600").stdin(Stdio::null()).stdout(Stdio::null()).process_group(0);
        // The files and the process are the user's own: nothing but the sandbox keeps it from them.
        if owner == User::Nobody {
            command.uid(NOBODY).gid(NOBODY);
            for path in [folder.clone(), folder.join("victim"), folder.join("empty"), folder.join("fifo")] {
                std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).expect("owned");
            }
            for path in [folder.join("datagram"), folder.join("stream"), PathBuf::from(&line)] {
                std::fs::set_permissions(path, PermissionsExt::from_mode(0o666)).expect("a mode");
            }
        }
        let process = command.spawn().expect("a process");
        for socket in [&datagram, &in_abstract] {
            socket.set_nonblocking(true).expect("set");
        }
        for socket in [&stream, &in_abstract_stream] {
            socket.set_nonblocking(true).expect("set");
        }
        tcp.set_nonblocking(true).expect("set");
        if let Some(tcp6) = &tcp6 {
            tcp6.set_nonblocking(true).expect("set");
        }
        udp.set_nonblocking(true).expect("set");
        let (of, udp_port) = (process.id(), udp.local_addr().expect("an address").port());
        let folder = folder.to_str().expect("text").to_owned();
        let args = format!(
            "victim={folder}/victim folder={folder} fifo={folder}/fifo terminal={line} process={of} group={of} port={port} \
             udp={udp_port} stream={folder}/stream datagram={folder}/datagram abstract={name}"
        );
        let before = listing(Path::new(&folder));
        let queues = queues();
        Self {
            story,
            process,
            datagram,
            stream,
            in_abstract,
            in_abstract_stream,
            tcp,
            tcp6,
            udp,
            fifo: pipe,
            _terminal: terminal,
            args,
            before,
            queues,
        }
    }

    /// Nothing of it was reached.
    fn is_as_it_was(&mut self, what: &str) {
        assert!(self.process.try_wait().expect("asked").is_none(), "{what}: the process outside was ended");
        assert_eq!(listing(&self.story.path("outside")), self.before, "{what}: the files outside");
        assert_eq!(queues(), self.queues, "{what}: queues, semaphores and shared memory");
        let mut bytes = [0; 64];
        assert!(self.datagram.recv(&mut bytes).is_err(), "{what}: a datagram by path came out");
        assert!(self.in_abstract.recv(&mut bytes).is_err(), "{what}: an abstract datagram came out");
        assert!(self.udp.recv(&mut bytes).is_err(), "{what}: a packet came out");
        assert!(self.stream.accept().is_err(), "{what}: a connection by path came out");
        assert!(self.in_abstract_stream.accept().is_err(), "{what}: an abstract connection came out");
        assert!(self.tcp.accept().is_err(), "{what}: a connection came out");
        assert!(self.tcp6.as_ref().is_none_or(|tcp| tcp.accept().is_err()), "{what}: a connection came out");
        let mut waiting = 0_i32;
        // SAFETY: FIONREAD fills one number.
        unsafe { libc::ioctl(std::os::fd::AsRawFd::as_raw_fd(&self.fifo), libc::FIONREAD, &raw mut waiting) };
        assert_eq!(waiting, 12, "{what}: the pipe's data");
        for path in ["/dev/shm/runbook-try", "/dev/mqueue/runbook-try"] {
            assert!(!Path::new(path).exists(), "{what}: {path}");
        }
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn queues() -> String {
    let of = |kind: &str| std::fs::read_to_string(format!("/proc/sysvipc/{kind}")).unwrap_or_default();
    // Who holds a segment comes and goes; what there is stays.
    ["shm", "sem", "msg"].map(|kind| format!("{kind}: {}", of(kind).lines().count())).join(", ")
}

/// Every file with its content, mode, owner and times.
fn listing(folder: &Path) -> Vec<String> {
    use std::os::unix::fs::MetadataExt;
    let mut all: Vec<String> = std::fs::read_dir(folder)
        .expect("read")
        .flatten()
        .map(|entry| {
            let meta = entry.path().symlink_metadata().expect("there");
            let content = if meta.is_file() { std::fs::read(entry.path()).expect("read") } else { Vec::new() };
            let owner = (meta.uid(), meta.gid());
            format!("{} {:o} {owner:?} {} {content:?}", entry.path().display(), meta.mode(), meta.mtime_nsec())
        })
        .collect();
    all.sort();
    all
}

/// The tries, with the words of their refusals.
fn tries() -> Vec<(String, String)> {
    let listed = Command::new(support::example("sandbox-tries")).arg("list").output().expect("it runs");
    let listed = String::from_utf8(listed.stdout).expect("text");
    listed
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(name, words)| (name.to_owned(), words.to_owned()))
        .collect()
}

/// Each try in a dry run of its own kind of user, under a version of Landlock.
fn all_are_refused(user: User, version: i64) {
    let mut outside = Outside::new(user);
    let tries = tries();
    assert!(tries.len() >= 100, "{} tries", tries.len());
    let program = outside.story.path("tries");
    // A few at a time: each is a step, so that what one changes is not laid to all.
    for (at, some) in tries.chunks(40).enumerate() {
        let mut runbook = "runbook \"Tries\" { proof = none }\n\nstep tries {\n".to_owned();
        for (name, _) in some {
            let id = name.replace('-', "_");
            let (program, args) = (program.display(), &outside.args);
            runbook.push_str(&format!("  expect try_{id}: sh(\"{program} {name} {args} || true\").status == 0\n"));
        }
        runbook.push_str("}\n");
        outside.story.write("plan.runbook", &runbook);
        let told = run(&outside.story, user, Some(version), &["dry-run", "--format", "json", "plan.runbook"]);
        let results = results(&told);
        for (name, words) in some {
            let id = format!("try_{}", name.replace('-', "_"));
            let (state, event) = results.get(&id).unwrap_or_else(|| panic!("{name} was not tried:\n{}", told.text));
            assert_eq!(state, "unknown", "{user:?}, Landlock {version}: {name}: {event}");
            assert!(event.contains("the sandbox refused: "), "{user:?}, Landlock {version}: {name}: {event}");
            assert!(event.contains(words), "{user:?}, Landlock {version}: {name} is not told as {words:?}: {event}");
        }
        outside.is_as_it_was(&format!("{user:?}, Landlock {version}, part {at}"));
    }
}

#[test]
fn each_try_is_refused_and_unknown_as_root() {
    for version in 1..=landlock() {
        all_are_refused(User::Root, version);
    }
}

#[test]
fn each_try_is_refused_and_unknown_as_an_ordinary_user() {
    for version in 1..=landlock() {
        all_are_refused(User::Nobody, version);
    }
}

/// Commands that only read: what they print in the sandbox is what they print outside.
const HARMLESS: &[&str] = &[
    "true",
    "awk -F: '{ n += $3 } END { print n }' /etc/passwd",
    "df -P / | awk 'NR == 2 { print $2 }'",
    "find /etc -maxdepth 1 -name 'host*' | sort",
    "git -C repo status --short && git -C repo log --format=%s && git -C repo describe --always | wc -c",
    "jq -r .a.b data.json",
    "python3 -c 'import json, os, sys; print(sys.version_info[0], json.load(open(\"data.json\")), os.path.exists(\"/etc/passwd\"))'",
    "openssl x509 -in cert.pem -noout -subject -enddate",
    "stat -c '%a %U %s %F' data.json /etc/passwd",
    "sha256sum data.json",
    "ps -o pid=,comm= -p 1",
    "ps aux | grep -c '^root  *1 '",
    "test -d /proc/1 && echo there; kill -0 $$ && echo me",
    "readlink -f /etc/mtab | sed 's/[0-9][0-9]*/N/'",
    "ls -la /etc/passwd; id -u; id -un; hostname; uname -s; date -u +%Y",
    "grep -c . /proc/self/status > /dev/null; head -c 4 /dev/zero | od -An -tx1; cat /dev/null",
    "cd \"$TMPDIR\" && mkdir a && echo hi > a/b && touch -d 2020-01-01 a/b && chmod 600 a/b && stat -c '%a %y' a/b && mv a c && rm -r c && ls",
    "cd \"$TMPDIR\" && tar -cf t.tar -C /etc hostname && tar -xf t.tar && cat hostname && sort hostname | uniq | wc -l",
    "echo out > /dev/stdout; echo err > /dev/stderr; echo again >&2; (sleep 0.01; echo late) & wait",
    "timeout 5 sleep 0.01; echo $?; bash -c 'echo from bash; kill -TERM $$' || echo $?; nice -n 5 echo nice",
    "flock -s data.json echo shared",
    "test -r /etc/passwd && echo readable; test -x /bin/sh && echo runs; test -w data.json && echo writable; true",
    "cat /etc/no-such-file; echo $?; mkdir -p /etc && echo there; rm -f /etc/no-such-file && echo gone",
    "ss -ltnH | grep -c ':PORT '; ip -o addr show lo | awk '{ print $4 }' | head -1",
    "find / -maxdepth 1 | sort; du -s repo | wc -l; wc -c < data.json; env | grep -c '^HOME='",
    "perl -e 'print -e \"/etc/passwd\" ? \"there\\n\" : \"gone\\n\"; print getpwuid(0) . \"\\n\"'",
];

fn harmless(user: User) {
    let story = open_story();
    story.write("data.json", "{\"a\": {\"b\": 42}}\n");
    std::fs::create_dir(story.path("home")).expect("a directory");
    let certificate = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    story.write("cert.pem", &certificate.cert.pem());
    let mut git = Command::new("sh");
    git.args(["-c", "git init -q repo && cd repo && echo x > f && git add f && git -c user.name=a -c user.email=a@b commit -qm one && echo y > f"]);
    assert!(git.current_dir(story.folder.path()).status().expect("git runs").success(), "a repository");
    story.write("home/.gitconfig", "[safe]\n\tdirectory = *\n");
    if user == User::Nobody {
        let mut chown = Command::new("chown");
        chown.args(["-R", "65534:65534"]).args([story.path("repo"), story.path("data.json"), story.path("home")]);
        assert!(chown.status().expect("chown runs").success());
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port().to_string();
    let commands = HARMLESS.iter().map(|command| command.replace("PORT", &port)).collect::<Vec<_>>();
    let mut runbook = "runbook \"Harmless\" { proof = none }\n\nstep look {\n".to_owned();
    for (at, command) in commands.iter().enumerate() {
        let quoted = command.replace('\\', "\\\\").replace('"', "\\\"");
        runbook.push_str(&format!("  let c{at} = sh(\"{quoted}\", accept_pipe_failures: true)\n  show c{at}.stdout, c{at}.stderr, c{at}.status\n"));
    }
    runbook.push_str("}\n");
    story.write("plan.runbook", &runbook);
    let told = run(&story, user, None, &["dry-run", "--format", "json", "plan.runbook"]);
    let mut shown: Vec<serde_json::Value> = told
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("an event a line"))
        .filter(|event: &serde_json::Value| event["type"] == "shown")
        .collect();
    shown.reverse();
    for command in &commands {
        let mut outside = Command::new("/bin/sh");
        outside
            .args(["-eu", "-c", command])
            .current_dir(story.folder.path())
            .env("HOME", story.path("home"))
            .stdin(Stdio::null());
        let private = tempfile::tempdir().expect("a directory");
        std::fs::set_permissions(private.path(), PermissionsExt::from_mode(0o777)).expect("a mode");
        outside.env("TMPDIR", private.path()).env_remove("RUST_LOG");
        if user == User::Nobody {
            outside.uid(NOBODY).gid(NOBODY);
        }
        // Pipes of the user's own, as the sandbox gives them.
        let mut pipes = [(); 2].map(|()| std::io::pipe().expect("a pipe"));
        if user == User::Nobody {
            for (_, writer) in &pipes {
                std::os::unix::fs::fchown(writer, Some(NOBODY), Some(NOBODY)).expect("owned");
            }
        }
        outside.stdout(pipes[0].1.try_clone().expect("copied")).stderr(pipes[1].1.try_clone().expect("copied"));
        let status = outside.status().expect("it runs").code().unwrap_or(-1);
        drop(outside);
        let [printed, complained] = [0, 1].map(|at| {
            drop(std::mem::replace(&mut pipes[at].1, std::io::pipe().expect("a pipe").1));
            let mut text = String::new();
            pipes[at].0.read_to_string(&mut text).expect("text");
            text
        });
        let mut next =
            || shown.pop().unwrap_or_else(|| panic!("{command} was not shown:\n{}", told.text))["value"].clone();
        let (stdout, stderr, told_status) = (next(), next(), next());
        assert_eq!(stdout.as_str().expect("text"), printed, "{user:?}: {command}");
        assert_eq!(stderr.as_str().expect("text"), complained, "{user:?}: {command}");
        assert_eq!(told_status.as_str().expect("text"), status.to_string(), "{user:?}: {command}");
    }
}

#[test]
fn harmless_programs_say_in_it_what_they_say_outside_as_root() {
    harmless(User::Root);
}

#[test]
fn harmless_programs_say_in_it_what_they_say_outside_as_an_ordinary_user() {
    harmless(User::Nobody);
}

#[test]
fn what_a_program_would_do_with_rights_that_it_loses_is_unknown() {
    let story = open_story();
    // A set-user-ID program: no_new_privs takes that from it.
    std::fs::copy("/bin/cat", story.path("as-root")).expect("copied");
    std::fs::set_permissions(story.path("as-root"), PermissionsExt::from_mode(0o4755)).expect("a mode");
    let mut runbook = "runbook \"Lost\" { proof = none }\n\nstep look {\n".to_owned();
    let program = story.path("as-root").display().to_string();
    runbook.push_str(&format!("  expect shell: sh(\"{program} /etc/shadow || echo no\").status == 0\n"));
    runbook.push_str(&format!("  expect list: sh([\"{program}\", \"/etc/shadow\"]).status != 0\n"));
    runbook.push_str("  expect denied: sh(\"cat /etc/shadow\").status == 1\n}\n");
    story.write("plan.runbook", &runbook);
    let told = run(&story, User::Nobody, None, &["dry-run", "--format", "json", "plan.runbook"]);
    let results = results(&told);
    for id in ["shell", "list"] {
        assert_eq!(results[id].0, "unknown", "{}", results[id].1);
        assert!(results[id].1.contains("set-user-ID"), "{}", results[id].1);
    }
    // What an ordinary user is refused outside, too, is a fact.
    assert_eq!(results["denied"].0, "holds", "{}", results["denied"].1);
}
