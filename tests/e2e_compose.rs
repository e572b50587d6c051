//! `compose` against the Compose that is installed, and the command lines of the newer one against a record of it.

mod support;

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use support::{Story, Told};

fn docker(args: &[&str]) -> (bool, String) {
    let output = Command::new("docker").env("DOCKER_BUILDKIT", "0").args(args).output().expect("docker runs");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).trim().to_owned())
}

/// The static program of the containers, built once.
fn program() -> &'static PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let program = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("compose-app-{}", std::process::id()));
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/docker/app.rs");
        let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        rustc.args(["--edition", "2024", "-O", "-C", "target-feature=+crt-static", source, "-o"]);
        assert!(rustc.arg(&program).status().expect("rustc runs").success());
        program
    })
}

/// A project of one test: its folder, its image, its containers.
struct Project {
    name: String,
    story: Story,
}

const TWO: &[(&str, &str)] = &[("api", "info"), ("web", "info")];

impl Project {
    fn new(test: &str) -> Self {
        let name = format!("runbook-test-{test}-{}", std::process::id());
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::copy(program(), folder.path().join("app")).expect("copied");
        std::fs::write(folder.path().join("Dockerfile"), "FROM scratch\nCOPY app /app\nENTRYPOINT [\"/app\"]\n")
            .expect("written");
        let (built, said) = docker(&["build", "-q", "-t", &name, folder.path().to_str().expect("a path")]);
        assert!(built, "{said}");
        let project = Self { name, story: Story::new("") };
        project.declares(TWO);
        project
    }

    /// Writes the Compose file: services, each with its log level.
    fn declares(&self, services: &[(&str, &str)]) {
        let mut text = String::from("services:\n");
        for (service, level) in services {
            text.push_str(&format!(
                "  {service}:\n    image: {}\n    command: [serve]\n    stop_grace_period: 0s\n    network_mode: none\n    environment:\n      LOG_LEVEL: {level}\n",
                self.name
            ));
        }
        self.story.write("production.yml", &text);
    }

    fn run(&self, command: &[&str], body: &str) -> Told {
        let place = format!("dir: \".\", file: \"production.yml\", project: \"{}\"", self.name);
        let body = body.replace("PLACE", &place).replace("NAME", &self.name);
        self.story
            .write("plan.runbook", &format!("runbook \"Compose\" {{ proof = none }}\n\nstep look {{\n{body}\n}}\n"));
        self.story.run(&[command, &["plan.runbook"]].concat())
    }

    #[track_caller]
    fn go(&self, body: &str) -> Told {
        let told = self.run(&["exec"], body);
        assert_eq!(told.status, 0, "{}", told.text);
        told
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let filter = format!("label=com.docker.compose.project={}", self.name);
        let (_, ids) = docker(&["ps", "-aq", "--filter", &filter]);
        for id in ids.split_whitespace() {
            docker(&["rm", "-f", "-v", id]);
        }
        docker(&["rmi", "-f", &self.name]);
    }
}

#[test]
fn a_project_goes_up_drifts_and_goes_down() {
    let project = Project::new("drift");
    project.go(r#"
  expect compose.version().version matches '^[0-9]+\.[0-9]+'
  run compose.up(PLACE)
  expect length(docker.containers(project: "NAME")) == 2
  expect compose.services(PLACE)[0].name == "api"
  expect compose.as_declared(".", "production.yml", "NAME")
  expect compose.logs(PLACE, tail: 5) contains "to standard error" within 5s
  run compose.restart(PLACE, services: ["web"], grace: 1s)
  expect all(c in docker.containers(project: "NAME"), c.state == "running")
"#);
    // The file is edited after the deployment; a service is added, another taken out.
    project.declares(&[("api", "debug"), ("queue", "info")]);
    let told = project.run(&["exec"], "  expect compose.as_declared(\".\", \"production.yml\", \"NAME\")");
    assert_eq!(told.status, 1, "{}", told.text);
    assert!(told.text.contains("1 held, 3 differed"), "{}", told.text);
    let web = format!("{}_web_1", project.name).replace('_', if told.text.contains("-web-1") { "-" } else { "_" });
    for words in [".edited is empty", "[\"api\"]", ".orphans is empty", &web, ".missing is empty", "[\"queue\"]"] {
        assert!(told.text.contains(words), "{words}: {}", told.text);
    }
    // Another file of the same text is another file, too.
    project.declares(TWO);
    std::fs::copy(project.story.path("production.yml"), project.story.path("other.yml")).expect("copied");
    let told = project.run(
        &["exec"],
        "  expect compose.drift(dir: \".\", file: \"other.yml\", project: \"NAME\") {\n    .edited is empty\n    .other_file is empty\n  }",
    );
    assert!(
        told.text.contains("1 held, 1 differed") && told.text.contains("_api_1") | told.text.contains("-api-1"),
        "{}",
        told.text
    );
    let before = docker(&["ps", "-aq", "--no-trunc"]);
    let down = "  run compose.down(PLACE, volumes: true, orphans: true, grace: 0s)\n  expect docker.containers(project: \"NAME\", all: true) is empty";
    let told = project.run(&["dry-run"], down);
    assert!(told.text.contains("1 action would be run") && told.text.contains("as of now"), "{}", told.text);
    assert_eq!(before, docker(&["ps", "-aq", "--no-trunc"]), "a dry run leaves all as it was");
    project.go(down);
    let told = project.run(&["exec"], "  run compose.up(dir: \".\", file: \"missing.yml\", project: \"NAME\")");
    assert!(told.status == 1 && told.text.contains("ended with status"), "{}", told.text);
    let told = project.run(&["exec"], "  expect compose.services(dir: \".\", file: \"missing.yml\") is empty");
    assert!(told.status == 1 && told.text.contains("1 unknown") && told.text.contains("missing.yml"), "{}", told.text);
}

/// A `docker` that has the plugin: it notes what it is asked, and answers as it did when it was recorded.
const RECORDED: &str = r#"#!/bin/sh
echo "$*" >> "$RECORD"
case "$*" in
  "compose version --short") echo 2.29.1 ;;
  *"config --hash=*") printf 'api 1f0e\nweb 2a3b\n' ;;
  *"config --format json") echo '{"name": "shop", "services": {}}' ;;
  *) echo "Container shop-api-1  Started" >&2 ;;
esac
"#;

fn recorded(body: &str) -> (Told, Vec<String>) {
    let story = Story::new(&format!("runbook \"Compose\" {{ proof = none }}\n\nstep look {{\n{body}\n}}\n"));
    story.write("bin-docker", RECORDED);
    let bin = story.path("bin");
    std::fs::create_dir(&bin).expect("a folder");
    std::fs::rename(story.path("bin-docker"), bin.join("docker")).expect("moved");
    std::fs::set_permissions(bin.join("docker"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("a mode");
    let record: PathBuf = story.path("record");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let mut command = story.command(&["exec", "plan.runbook"]);
    let told = support::told(command.env("PATH", path).env("RECORD", &record).output().expect("it runs"));
    let said = std::fs::read_to_string(record).unwrap_or_default();
    (told, said.lines().map(str::to_owned).collect())
}

#[test]
fn the_newer_compose_is_asked_in_its_own_words() {
    let (told, said) = recorded(
        r#"
  expect compose.version() {
    .version == "2.29.1"
    .command == "docker compose"
  }
  expect compose.services(file: "a.yml", files: ["b.yml"], profiles: ["ops"])[1] {
    .name == "web"
    .hash == "2a3b"
  }
  run compose.build(file: "a.yml", no_cache: true)
  run compose.pull(file: "a.yml", services: ["api"])
  run compose.up(file: "a.yml", project: "shop", build: true, recreate: true, orphans: true, wait: true)
  run compose.restart(file: "a.yml", services: ["api"], grace: 5s)
  run compose.down(file: "a.yml", project: "shop", volumes: true)
"#,
    );
    assert_eq!(told.status, 0, "{}", told.text);
    let expected = [
        "compose version --short",
        "compose --file a.yml --file b.yml --profile ops config --hash=*",
        "compose --file a.yml build --no-cache",
        "compose --file a.yml pull api",
        "compose --file a.yml --project-name shop up --detach --build --force-recreate --remove-orphans --wait",
        "compose --file a.yml restart --timeout 5 api",
        "compose --file a.yml --project-name shop down --volumes",
    ];
    assert_eq!(said, expected, "it is looked for once, and asked for each thing once");
}

#[test]
fn hashes_of_another_compose_are_not_compared() {
    let project = Project::new("versions");
    let label = |name: &str, value: &str| format!("com.docker.compose.{name}={value}");
    let labels = [
        label("project", &project.name),
        label("service", "api"),
        label("config-hash", "0000"),
        label("version", "9.9.9"),
        label("oneoff", "False"),
    ];
    let name = format!("{}-api", project.name);
    let mut args = vec!["run", "-d", "--network", "none", "--name", &name];
    labels.iter().for_each(|label| args.extend(["--label", label]));
    args.extend([&*project.name, "serve"]);
    let (started, said) = docker(&args);
    assert!(started, "{said}");
    let told = project.run(
        &["exec"],
        "  expect compose.drift(PLACE) {\n    .edited is empty\n    .missing == [\"web\"]\n    .orphans is empty\n  }",
    );
    assert!(told.text.contains("2 held, 1 unknown"), "{}", told.text);
    assert!(
        told.text.contains("was created by Compose 9.9.9") && told.text.contains("can't be compared"),
        "{}",
        told.text
    );
}

#[test]
fn without_compose_it_is_unknown_and_nothing_is_run() {
    let story = Story::new(
        "runbook \"T\" { }\nstep a {\n  expect compose.version() is present\n}\nstep b {\n  run compose.up(file: \"a.yml\")\n}\n",
    );
    let empty = tempfile::tempdir().expect("a folder");
    for only in ["a", "b"] {
        let mut command = story.command(&["exec", "--only", only, "plan.runbook"]);
        let told = support::told(command.env("PATH", empty.path()).output().expect("it runs"));
        assert_eq!(told.status, 1, "{}", told.text);
        assert!(told.text.contains("Compose is not installed"), "{}", told.text);
    }
}
