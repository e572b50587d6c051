//! The workflow of `docs/ci.md`: each of its scripts is run as a runner would, against a server that speaks as much of GitHub's API as
//! it asks for. It needs curl(1) and jq(1).

mod support;

use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use support::{Server, Story, Told, answer, told};

const PLAN: &str = "runbook \"Deploy\" { }\nstep build \"It is built\" {\n  run \"touch built\"\n  expect file(\"built\") is present\n}\n";

/// The script of a step of the workflow, by the step's name.
fn script(step: &str) -> String {
    let page = include_str!("../docs/ci.md");
    let behind = page.split_once(&format!("- name: {step}\n")).unwrap_or_else(|| panic!("there is a step {step:?}")).1;
    let body = behind.split_once("run: |\n").expect("its script").1;
    let indent = "          ";
    body.lines()
        .map_while(|line| line.strip_prefix(indent).or(line.is_empty().then_some("")))
        .collect::<Vec<_>>()
        .join("\n")
}

/// A pull request, with its comments.
struct Api {
    server: Server,
    comments: Arc<Mutex<Vec<Value>>>,
}

impl Api {
    fn new(comments: Vec<Value>) -> Self {
        let comments = Arc::new(Mutex::new(comments));
        let kept = comments.clone();
        let server = Server::new(move |head, body, stream| {
            let mut comments = kept.lock().expect("comments");
            let mut words = head.lines().next().unwrap_or_default().split(' ');
            let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            assert!(head.to_lowercase().contains("authorization: bearer the-token"), "{head}");
            let sent = || serde_json::from_str::<Value>(body).expect("JSON")["body"].clone();
            match (method, path.strip_prefix("/repos/shop/app/issues/").unwrap_or_default()) {
                ("GET", page) => {
                    let number: usize =
                        page.strip_prefix("7/comments?per_page=100&page=").expect("a page").parse().expect("a number");
                    let page: Vec<Value> = comments.chunks(100).nth(number - 1).unwrap_or_default().to_vec();
                    answer(stream, 200, &Value::Array(page).to_string());
                }
                ("POST", "7/comments") => {
                    let id = 1000 + comments.len();
                    comments.push(json!({ "id": id, "user": { "login": "github-actions[bot]" }, "body": sent() }));
                    answer(stream, 201, "{}");
                }
                ("PATCH", path) => {
                    let id: u64 = path.strip_prefix("comments/").expect("a comment").parse().expect("a number");
                    let own = comments.iter_mut().find(|comment| comment["id"] == id).expect("it is there");
                    own["body"] = sent();
                    answer(stream, 200, "{}");
                }
                _ => answer(stream, 404, "{}"),
            }
        });
        Self { server, comments }
    }

    /// Runs a script as a runner does, with the program in its path.
    fn run(&self, story: &Story, script: &str) -> Told {
        let bin = std::path::Path::new(support::BINARY).parent().expect("a folder");
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new("bash");
        command.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script]).current_dir(story.folder.path());
        for (name, value) in [
            ("PATH", path.as_str()),
            ("GITHUB_API_URL", &self.server.base),
            ("GITHUB_REPOSITORY", "shop/app"),
            ("GITHUB_STEP_SUMMARY", "summary"),
            ("TOKEN", "the-token"),
            ("PULL_REQUEST", "7"),
            ("RUNBOOK", "deploy"),
        ] {
            command.env(name, value);
        }
        let told = told(command.env_remove("RUNBOOK_STATE").output().expect("bash runs"));
        assert_eq!(told.status, 0, "{}", told.text);
        told
    }

    fn bodies(&self) -> Vec<String> {
        let comments = self.comments.lock().expect("comments");
        comments.iter().map(|comment| comment["body"].as_str().expect("a body").to_owned()).collect()
    }
}

fn story(plan: &str) -> Story {
    let story = Story::new("");
    // A checkout.
    std::fs::create_dir(story.path(".git")).expect("a folder");
    std::fs::create_dir(story.path("runbooks")).expect("a folder");
    story.write("runbooks/deploy.runbook", plan);
    story
}

fn others(count: usize) -> Vec<Value> {
    let by_another =
        |at: usize| json!({ "id": at, "user": { "login": "ana" }, "body": "<!-- runbook: deploy -->\nnot mine" });
    (0..count).map(by_another).collect()
}

#[test]
fn a_pull_request_has_one_comment_that_is_kept_up_to_date() {
    // The others' fill more than a page.
    let api = Api::new(others(130));
    let story = story(PLAN);
    for (state, words) in [("before", "**1** differ now"), ("after", "**1** hold now")] {
        api.run(&story, &script("What it would do"));
        api.run(&story, &script("Say so on the pull request"));
        let bodies = api.bodies();
        assert_eq!(bodies.len(), 131, "{state}");
        let own = bodies.last().expect("a comment");
        assert!(own.starts_with("<!-- runbook: deploy -->\n## Deploy\n") && own.contains(words), "{own}");
        assert!(own.contains("▷ would run `touch built`"), "{own}");
        assert!(bodies[..130].iter().all(|body| body.ends_with("not mine")));
        story.write("built", "");
    }
    let summary = std::fs::read_to_string(story.path("summary")).expect("a summary");
    assert_eq!(summary.matches("## Deploy\n").count(), 2);
    assert!(std::fs::read_to_string(story.path("plan.html")).expect("a page").contains("Dry run"));
}

#[test]
fn a_plan_that_is_longer_than_a_comment_is_summed_up() {
    let mut plan = String::from("runbook \"Deploy\" { proof = none }\nstep build {\n");
    for at in 0..900 {
        plan.push_str(&format!("  expect e{at}: \"{}\" == \"{at}\"\n", "x".repeat(40)));
    }
    plan.push_str("}\n");
    let (api, story) = (Api::new(Vec::new()), story(&plan));
    api.run(&story, &script("What it would do"));
    assert!(std::fs::metadata(story.path("plan.md")).expect("a plan").len() > 65536);
    api.run(&story, &script("Say so on the pull request"));
    let bodies = api.bodies();
    assert_eq!(bodies.len(), 1);
    assert!(bodies[0].len() < 1000 && bodies[0].contains("**900** differ now"), "{}", bodies[0]);
    assert!(bodies[0].contains("The whole plan is longer than a comment may be"), "{}", bodies[0]);
}

#[test]
fn a_deployment_is_carried_out_and_keeps_its_evidence() {
    let (api, story) = (Api::new(Vec::new()), story(PLAN));
    story.write("answers.toml", "");
    let told = api.run(&story, &script("Carry it out"));
    assert!(told.text.contains(" GO "), "{}", told.text);
    api.run(&story, &script("Keep the evidence"));
    let summary = std::fs::read_to_string(story.path("summary")).expect("a summary");
    assert!(summary.contains("✅ **GO**"), "{summary}");
    for name in ["run.html", "run.xml", "run.md", ".runbook/runs"] {
        assert!(story.path(name).exists(), "{name}");
    }
}
