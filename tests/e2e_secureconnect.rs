//! The runbooks in `runbooks/secureconnect` against their world: 17 real containers, well, in each fault, and half-broken.
//!
//! One test after another: each fault is put into the same world, and taken back.

mod support;

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use support::{Story, Told, told};

/// The system, by names and ports of this test's own; it goes away with it.
struct World {
    folder: tempfile::TempDir,
    _one: MutexGuard<'static, ()>,
}

/// Two of these worlds at once are more than a small machine carries.
fn one() -> MutexGuard<'static, ()> {
    static ONE: OnceLock<Mutex<()>> = OnceLock::new();
    ONE.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// Prepared, and nothing of it runs.
    fn prepared() -> Self {
        let world = Self { _one: one(), folder: tempfile::tempdir().expect("a folder") };
        let id = std::process::id();
        let (prefix, project) = (format!("rbtest{id}-"), format!("rbtest{id}"));
        let offset = (20000 + id % 20000).to_string();
        let options = ["--prefix", &prefix, "--project", &project, "--port-offset", &offset, "--image", &project];
        world.control(&[&["prepare"], options.as_slice()].concat());
        world
    }

    fn up() -> Self {
        let world = Self::prepared();
        world.control(&["up"]);
        world
    }

    /// The redeployment: its risks run out one day; this copy has some that don't.
    fn redeploy(&self) -> String {
        let folder = self.folder.path().join("runbooks");
        std::fs::create_dir_all(&folder).expect("a folder");
        let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * 90);
        let soon = soon.strftime("until = %Y-%m-%d").to_string();
        let until = regex::Regex::new("until +?= 20[0-9-]+").expect("a pattern");
        for name in ["redeploy.runbook", "secureconnect.runbook"] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks/secureconnect").join(name);
            let text = std::fs::read_to_string(path).expect("a runbook");
            assert!(name != "redeploy.runbook" || until.is_match(&text), "it has risks");
            std::fs::write(folder.join(name), &*until.replace_all(&text, &*soon)).expect("written");
        }
        folder.join("redeploy.runbook").to_str().expect("a path").to_owned()
    }

    /// A file in which those who have to have answered.
    fn answers(&self) -> String {
        let at = jiff::Timestamp::now();
        let answer = |item: &str, role: &str, by: &str| {
            format!(
                "[[answer]]\nitem = \"signoff.{item}\"\nrole = \"{role}\"\nby = \"{by}\"\nat = {at:.0}\nconfirmed = true\n\n"
            )
        };
        let all = answer("No code was changed: what was fixed is configuration", "release manager", "Ana")
            + &answer("Operations knows of the accepted risks", "operations", "Bo");
        let path = self.folder.path().join("answers.toml");
        std::fs::write(&path, all).expect("written");
        path.to_str().expect("a path").to_owned()
    }

    fn dir(&self) -> PathBuf {
        self.folder.path().join("system")
    }

    /// `secureconnect-world COMMAND DIR …`
    #[track_caller]
    fn control(&self, words: &[&str]) {
        let program = Path::new(support::BINARY).parent().expect("a folder").join("examples/secureconnect-world");
        let (command, rest) = words.split_first().expect("a command");
        let output = Command::new(program).arg(command).arg(self.dir()).args(rest).output();
        let output = output.expect("the world is built with the tests: `cargo test`");
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn run(&self, command: &str, runbook: &str, more: &[&str]) -> Told {
        self.run_with(command, runbook, more, &[])
    }

    fn run_with(&self, command: &str, runbook: &str, more: &[&str], env: &[(&str, &str)]) -> Told {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks/secureconnect").join(runbook);
        let params = self.dir().join("params.toml");
        let story = Story::new("");
        let state = self.folder.path().join("state");
        let exec = command == "exec";
        let mut command = story.command(&[command]);
        command.arg(path).arg("--params").arg(params).args(more).envs(env.iter().copied());
        let told = told(command.env("RUNBOOK_STATE", &state).output().expect("it runs"));
        let mut recorded = String::new();
        if exec {
            let format = if more.contains(&"json") { "json" } else { "text" };
            let mut report = story.command(&["report", "last", "--format", format]);
            report.env("RUNBOOK_STATE", &state);
            told.is_reported_by(report);
            let runs = std::fs::read_dir(state.join("runs")).expect("runs").flatten();
            recorded
                .extend(runs.map(|run| std::fs::read_to_string(run.path().join("journal.jsonl")).expect("a journal")));
        }
        for name in ["jwt_secret.txt", "redis_password.txt", "db_password.txt"] {
            let secret = std::fs::read_to_string(self.dir().join("secrets").join(name)).unwrap_or_default();
            let mut lines = told.text.lines().chain(recorded.lines());
            let shown = lines.find(|line| !secret.is_empty() && line.contains(&secret));
            assert!(shown.is_none(), "{name} is shown: {shown:?}");
        }
        assert!(!told.text.contains("correct-horse"), "a secret is shown: {}", told.text);
        assert!(!recorded.contains("correct-horse"), "a secret is recorded");
        told
    }

    /// Every container of it, as the engine tells it: what a dry run must leave as it is.
    fn state(&self) -> String {
        let label = format!("label=com.docker.compose.project=rbtest{}", std::process::id());
        let args = ["ps", "-a", "--no-trunc", "--filter", &label, "--format", "{{.ID}} {{.State}} {{.CreatedAt}}"];
        let output = Command::new("docker").args(args).output().expect("docker runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.control(&["clean"]);
    }
}

/// The ids of the expects that do not hold, and the whole of what was told of them.
fn differing(told: &Told) -> (Vec<String>, String) {
    let (mut ids, mut rows) = (Vec::new(), String::new());
    for line in told.stdout.lines() {
        let event: serde_json::Value = serde_json::from_str(line).expect("an event a line");
        if event["type"] == "expect-ended" && event["state"] != "holds" {
            ids.push(event["expect"].as_str().expect("an id").to_owned());
            rows.push_str(line);
            rows.push('\n');
        }
    }
    (ids, rows)
}

/// A fault: its name; a part of the id of each expect that it changes, and of no other; words that tell of it.
type Fault = (&'static str, &'static [&'static str], &'static [&'static str]);

const FAULTS: &[Fault] = &[
    ("unhealthy", &["\"chat-service\""], &["unhealthy", "secureconnect.runbook"]),
    ("plain-secret", &["injection"], &["JWT_SECRET", "api-gateway"]),
    ("wrong-environment", &["mode"], &["\"expected\":\"\\\"production\\\"\"", "\"actual\":\"\\\"development\\\"\""]),
    (
        "restart-loop",
        &["\"video-service\"", "containers.restarting", "containers.exited", "logs"],
        &["video-service", "panicked at src/main.rs:7:1"],
    ),
    (
        "exited",
        &["\"storage-service\"", "containers.exited"],
        &["storage-service", "\"actual\":\"\\\"exited\\\"\"", "refused"],
    ),
    ("secret-missing", &["secrets"], &["secrets/jwt_secret.txt", "does not exist"]),
    ("secret-empty", &["secrets", "REDIS_PASSWORD_FILE", "\"redis_password\""], &["redis_password.txt", "0B"]),
    ("port-closed", &["\"auth-service\""], &["closed the connection before it had answered"]),
    ("slow-answer", &["\"api-gateway\""], &["\"expected\":\"< 2s\"", "\"actual\":\"3"]),
    ("panic", &["logs"], &["panicked at src/hub.rs:42:7", "chat-service"]),
    ("noise", &[], &[]),
    ("compose-edited", &["drift"], &["edited", "api-gateway"]),
    ("orphan", &["drift", "containers.unknown_containers"], &["secureconnect_legacy"]),
];

#[test]
fn each_fault_is_named_with_what_follows_from_it_and_nothing_else() {
    let world = World::up();
    // Well: nothing differs, measured and compared with the file and all.
    let told = world.run("exec", "verify.runbook", &["--format", "json"]);
    assert_eq!((told.status, differing(&told).0), (0, vec![]), "{}", told.text);
    let told = world.run("dry-run", "verify.runbook", &["--detailed-exitcode"]);
    assert_eq!(told.status, 0, "nothing differs, nothing is unknown: {}", told.text);
    for (fault, parts, words) in FAULTS {
        world.control(&["fault", fault]);
        let before = world.state();
        for command in ["exec", "dry-run"] {
            let told = world.run(command, "verify.runbook", &["--format", "json", "--set", "resources=false"]);
            let (ids, rows) = differing(&told);
            assert_eq!(ids.is_empty(), parts.is_empty(), "{fault}: {rows}");
            assert_eq!(told.status, i32::from(command == "exec" && !parts.is_empty()), "{fault}: {}", told.text);
            for id in &ids {
                assert!(parts.iter().any(|part| id.contains(part)), "{fault} has nothing to do with {id}:\n{rows}");
            }
            for words in *words {
                assert!(rows.contains(words), "{fault}: {words:?} is not in:\n{rows}");
            }
        }
        if *fault != "restart-loop" {
            assert_eq!(before, world.state(), "{fault}: looking changes nothing");
        }
        world.control(&["mend"]);
    }
}

#[test]
fn a_redeployment_goes_through_and_recovers_a_half_broken_system() {
    let world = World::up();
    let before = world.state();
    let told = world.run("dry-run", "redeploy.runbook", &[]);
    assert_eq!(told.status, 0, "{}", told.text);
    assert!(told.text.contains("would run $ compose.down(") && told.text.contains(", 0 unknown"), "{}", told.text);
    assert_eq!(before, world.state(), "a dry run leaves all as it was");
    world.control(&["fault", "half-broken"]);
    let told = world.run("exec", &world.redeploy(), &["--answers", &world.answers()]);
    assert_eq!(told.status, 0, "{}", told.text);
    assert!(told.text.contains(" GO ") && told.text.contains("recovered step secrets"), "{}", told.text);
    assert!(told.text.contains("recovered step shutdown"), "what other files left behind is removed: {}", told.text);
    assert!(told.text.contains("made secrets/smtp_password.txt"), "{}", told.text);
    assert!(
        told.text.contains(&format!("docker.remove([\"rbtest{}-secureconnect_turn\"]", std::process::id())),
        "{}",
        told.text
    );
    assert_ne!(before, world.state());
    let told = world.run("dry-run", "verify.runbook", &["--detailed-exitcode"]);
    assert_eq!(told.status, 0, "nothing differs afterwards: {}", told.text);
}

/// The rows of the report that was written by hand, by its numbers, and words that a row of ours has. `{}`: what stands before a
/// container's name.
const BY_HAND: &[(&str, &[&[&str]])] = &[
    ("1.1 down -v", &[&["ran `compose.down(", "volumes: true", "| done | done |"]]),
    ("1.2 orphans are stopped", &[&["names\\_free: ", "| `empty` | `[]` |"]]),
    ("1.3 no containers run", &[&["project\\_gone: ", "| `empty` | `[]` |"]]),
    (
        "2.1 all secret files are mounted",
        &[
            &["docker.file(\"{}api-gateway\", \"/run/secrets/cassandra_password\").size > 0B", "48B"],
            &["docker.file(\"{}api-gateway\", \"/run/secrets/cassandra_user\").size > 0B", "48B"],
            &["docker.file(\"{}api-gateway\", \"/run/secrets/jwt_secret\").size > 0B", "48B"],
            &["docker.file(\"{}api-gateway\", \"/run/secrets/minio_access_key\").size > 0B", "48B"],
            &["docker.file(\"{}api-gateway\", \"/run/secrets/minio_secret_key\").size > 0B", "48B"],
            &["docker.file(\"{}api-gateway\", \"/run/secrets/redis_password\").size > 0B", "48B"],
            &["docker.file(\"{}api-gateway\", \"/run/secrets/smtp_password\").size > 0B", "48B"],
            &["docker.file(\"{}api-gateway\", \"/run/secrets/smtp_username\").size > 0B", "48B"],
        ],
    ),
    (
        "2.2 all _FILE variables are set",
        &[
            &[
                "env[\"SMTP_USERNAME_FILE\"] == ",
                "| `\"/run/secrets/smtp_username\"` | `\"/run/secrets/smtp_username\"` |",
            ],
            &["env[\"CASSANDRA_USER_FILE\"] == ", "| `\"/run/secrets/cassandra_user\"` |"],
            &["env[\"SMTP_PASSWORD_FILE\"] == ", "| `\"/run/secrets/smtp_password\"` |"],
            &["env[\"JWT_SECRET_FILE\"] == ", "| `\"/run/secrets/jwt_secret\"` |"],
            &["env[\"REDIS_PASSWORD_FILE\"] == ", "| `\"/run/secrets/redis_password\"` |"],
            &["env[\"CASSANDRA_PASSWORD_FILE\"] == ", "| `\"/run/secrets/cassandra_password\"` |"],
            &["env[\"MINIO_ACCESS_KEY_FILE\"] == ", "| `\"/run/secrets/minio_access_key\"` |"],
            &["env[\"MINIO_SECRET_KEY_FILE\"] == ", "| `\"/run/secrets/minio_secret_key\"` |"],
        ],
    ),
    (
        "2.3 to 2.6 no secret stands in a variable",
        &[
            &["docker.no_plaintext_secrets(\"{}api-gateway\")", "| `empty` | `[]` |"],
            &["docker.no_plaintext_secrets(\"{}auth-service\")", "| `empty` | `[]` |"],
            &["docker.no_plaintext_secrets(\"{}chat-service\")", "| `empty` | `[]` |"],
            &["docker.no_plaintext_secrets(\"{}storage-service\")", "| `empty` | `[]` |"],
        ],
    ),
    (
        "3.1 to 3.5 ENV=production",
        &[
            &["\"{}api-gateway\").env[\"ENV\"]", "| `\"production\"` | `\"production\"` |"],
            &["\"{}auth-service\").env[\"ENV\"]", "| `\"production\"` | `\"production\"` |"],
            &["\"{}chat-service\").env[\"ENV\"]", "| `\"production\"` | `\"production\"` |"],
            &["\"{}storage-service\").env[\"ENV\"]", "| `\"production\"` | `\"production\"` |"],
            &["\"{}video-service\").env[\"ENV\"]", "| `\"production\"` | `\"production\"` |"],
        ],
    ),
    ("3.6 restart policy", &[&["\"{}api-gateway\").restart_policy", "| `\"always\"` | `\"always\"` |"]]),
    (
        "4.1 health endpoints",
        &[
            &["/health\").status == 200", "api-gateway", "| `200` | `200` |"],
            &["/health\").status == 200", "auth-service", "| `200` | `200` |"],
            &["/health\").status == 200", "chat-service", "| `200` | `200` |"],
            &["/health\").status == 200", "storage-service", "| `200` | `200` |"],
        ],
    ),
    (
        "4.2 metrics endpoints",
        &[
            &["/metrics\").status == 200", "api-gateway", "| `200` | `200` |"],
            &["/metrics\").status == 200", "chat-service", "| `200` | `200` |"],
            &["/metrics\").status == 200", "storage-service", "| `200` | `200` |"],
        ],
    ),
    (
        "4.3 without Redis",
        &[
            &["ran `docker.stop(\"{}secureconnect_redis\")`", "| done | done |"],
            &["without\\_redis\\[\"api-gateway\"\\]", "| `200` | `200` |"],
            &["without\\_redis\\[\"chat-service\"\\]", "| `200` | `200` |"],
            &["without\\_redis\\[\"storage-service\"\\]", "| `200` | `200` |"],
            &["ran `docker.start(\"{}secureconnect_redis\")`", "| done | done |"],
            &["with\\_redis\\[\"api-gateway\"\\]", "| `200` | `200` |"],
            &["with\\_redis\\[\"chat-service\"\\]", "| `200` | `200` |"],
            &["with\\_redis\\[\"storage-service\"\\]", "| `200` | `200` |"],
        ],
    ),
    (
        "4.4 without MinIO",
        &[
            &["ran `docker.stop(\"{}secureconnect_minio\")`", "| done | done |"],
            &["without\\_minio\\[\"api-gateway\"\\]", "| `200` | `200` |"],
            &["without\\_minio\\[\"chat-service\"\\]", "| `200` | `200` |"],
            &["without\\_minio\\[\"storage-service\"\\]", "| `200` | `200` |"],
            &["ran `docker.start(\"{}secureconnect_minio\")`", "| done | done |"],
        ],
    ),
    ("stability", &[&["docker.container(\"{}api-gateway\").restarts == 0"], &["containers.exited: ", "`[]`"]]),
    ("log ingestion", &[&["docker.container(\"{}secureconnect_promtail\").health == \"healthy\""]]),
    ("no panics", &[&["docker.quiet(\"{}chat-service\"", "| `empty` | `[]` |"]]),
    ("resource usage", &[&["docker.stats(\"{}api-gateway\").memory_share < 90%", "| `< 90%` |"]]),
    ("configuration drift", &[&["compose.as_declared("], &["config_files\"] contains"]]),
    (
        "risk: Loki",
        &[&["Loki's health check is too strict", "verdict.loki", "20", "platform lead", "logs and metrics arrive"]],
    ),
    ("risk: TURN", &[&["TURN does not say", "verdict.turn", "20", "platform lead", "STUN alone"]]),
    ("risk: TLS", &[&["There is no TLS", "verdict.tls", "20", "platform lead", "Docker Desktop"]]),
    ("no code was changed", &[&["No code was changed", "release manager", "Ana", "20"]]),
    ("operations are told", &[&["Operations knows", "operations", "Bo", "20"]]),
];

#[test]
fn the_report_holds_all_that_the_one_written_by_hand_held() {
    let world = World::up();
    world.control(&["fault", "accepted"]);
    let runbook = world.redeploy();
    let answers = world.answers();
    let (markdown, page) = (world.folder.path().join("r.md"), world.folder.path().join("r.html"));
    let reports = ["--report", markdown.to_str().expect("a path"), "--report", page.to_str().expect("a path")];
    let told = world.run("exec", &runbook, &[&["--answers", &answers], &reports[..]].concat());
    assert_eq!(told.status, 0, "{}", told.text);
    assert!(told.stdout.starts_with(" GO  with accepted risks  steps: 8 passed"), "{}", told.stdout);
    let markdown = std::fs::read_to_string(markdown).expect("a report");
    let page = std::fs::read_to_string(page).expect("a report");
    let rows: Vec<&str> = markdown.lines().filter(|line| line.starts_with("| ")).collect();
    let prefix = format!("rbtest{}-", std::process::id());
    for (number, all) in BY_HAND {
        for words in *all {
            let words: Vec<String> = words.iter().map(|words| words.replace("{}", &prefix)).collect();
            let found = rows.iter().find(|row| words.iter().all(|words| row.contains(words.as_str())));
            assert!(found.is_some(), "{number}: no row has {words:?}:\n{markdown}");
        }
    }
    for words in ["✅ **GO** with accepted risks", "### Blockers\n\nNone.\n", "### Sign-offs", "### The run"] {
        assert!(markdown.contains(words), "{words:?} is not in:\n{markdown}");
    }
    // What a report written by hand can't hold: the time that each took, its line, how often it was asked, and what it was read from.
    let evidence = regex::Regex::new(
        r"^\| (✅|🟡 accepted) \| .* \(line [0-9]+\)(, same request as .*)? \| .* \| .* \| [0-9.]+(ms|s|m[0-9]+s)(, asked [0-9]+ times)? \|$",
    );
    let evidence = evidence.expect("a pattern");
    let known = rows.iter().filter(|row| evidence.is_match(row)).count();
    assert!(known >= 568, "{known} rows are evidence");
    assert!(
        rows.iter().any(|row| row.contains("asked ") && row.contains("verdict") || row.contains("times |")),
        "{markdown}"
    );
    assert!(
        markdown.contains("- sha256: `") && markdown.contains("- run: `20") && markdown.contains("- param `cpu = 50%`")
    );
    assert_eq!(
        page.matches("<details class=\"row good\"").count(),
        565 + 2,
        "every row is in the page, and the two confirmed"
    );
    assert_eq!(page.matches("<details class=\"row doubt\"").count(), 3);
}

/// An engine that can be stopped under a run: what is sent to this socket goes on to the real one, until it is cut.
struct Relay {
    folder: tempfile::TempDir,
    requests: Arc<Mutex<Vec<u8>>>,
    open: Arc<Mutex<Vec<UnixStream>>>,
}

impl Relay {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = UnixListener::bind(folder.path().join("docker.sock")).expect("a socket");
        let requests: Arc<Mutex<Vec<u8>>> = Arc::default();
        let open: Arc<Mutex<Vec<UnixStream>>> = Arc::default();
        let (noted, kept) = (requests.clone(), open.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(engine) = UnixStream::connect("/var/run/docker.sock") else { return };
                let copy = |stream: &UnixStream| stream.try_clone().expect("a socket");
                let (up, down, noted) = (copy(&client), copy(&engine), noted.clone());
                kept.lock().expect("streams").push(copy(&client));
                std::thread::spawn(move || pass(up, engine, |bytes| noted.lock().expect("notes").extend(bytes)));
                std::thread::spawn(move || pass(down, client, |_| {}));
            }
        });
        Self { folder, requests, open }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("docker.sock")
    }

    fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// The engine is gone, and so is every connection to it.
    fn cut(&self) {
        std::fs::remove_file(self.socket()).expect("removed");
        for stream in self.open.lock().expect("streams").drain(..) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }

    /// The methods that were asked for.
    fn methods(&self) -> Vec<String> {
        let bytes = self.requests.lock().expect("notes");
        let text = String::from_utf8_lossy(&bytes);
        let heads = text.lines().filter_map(|line| line.strip_suffix(" HTTP/1.1"));
        heads.filter_map(|line| line.split(' ').next().map(str::to_owned)).collect()
    }
}

fn pass(mut from: UnixStream, mut to: UnixStream, note: impl Fn(&[u8])) {
    let mut buffer = [0; 16384];
    while let Ok(count) = from.read(&mut buffer) {
        if count == 0 || to.write_all(&buffer[..count]).is_err() {
            break;
        }
        note(&buffer[..count]);
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}

#[test]
fn a_dry_run_only_ever_reads_from_the_engine() {
    let world = World::prepared();
    let relay = Relay::new();
    for runbook in ["verify.runbook", "redeploy.runbook"] {
        let told = world.run_with("dry-run", runbook, &[], &[("DOCKER_HOST", &relay.host())]);
        assert_eq!(told.status, 0, "{}", told.text);
    }
    let methods = relay.methods();
    assert!(methods.len() > 34, "it was asked of each container: {methods:?}");
    assert!(methods.iter().all(|method| method == "GET" || method == "HEAD"), "{methods:?}");
}

#[test]
fn an_engine_that_goes_away_under_a_run_is_unknown_and_no_go() {
    let relay = Relay::new();
    let story = Story::new(
        r#"
runbook "T" { }

step before {
  expect docker.engine().version is present
  expect docker.container("no-such-container") is absent
  run "touch here; while [ ! -e gone ]; do sleep 0.05; done"
}

step after {
  expect docker.container("no-such-container") is absent within 1s
  expect docker.containers(all: true, name: "no-such-*") is empty
}
"#,
    );
    let mut run = story.command(&["exec", "plan.runbook"]);
    let run =
        run.env("DOCKER_HOST", relay.host()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    while !story.path("here").exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    relay.cut();
    story.write("gone", "");
    let told = told(run.wait_with_output().expect("it ends"));
    assert_eq!(told.status, 1, "{}", told.text);
    let words = [
        "NO-GO",
        "2 unknown",
        "2 held",
        "the Docker engine at unix://",
        "does not answer",
        "is Docker installed, and running?",
    ];
    for words in words {
        assert!(told.text.contains(words), "{words:?} is not in: {}", told.text);
    }
}
