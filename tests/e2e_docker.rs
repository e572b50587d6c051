//! `docker` against a real engine: images are built here from a static program, and containers bear a name of this test.

mod support;

use support::Story;
use support::engine::{World, done};

#[test]
fn a_container_is_told_as_it_is() {
    let world = World::new();
    let folder = tempfile::tempdir().expect("a folder");
    let mount = format!("{}:/data:ro", folder.path().display());
    let options = [
        "-e",
        "SECRET_KEY=do-not-show-me",
        "-v",
        &mount,
        "-m",
        "64m",
        "--cpus",
        "0.5",
        "--restart",
        "unless-stopped",
        "--label",
        "tier=one",
    ];
    world.start("api", &options, &[]);
    let told = world.go(r#"
  expect docker.healthy("NAME-api") within 20s every 100ms
  expect docker.stable("NAME-api")
  expect docker.within_limits("NAME-api", cpu: 90%, memory: 50%) within 10s
  expect docker.container("NAME-api") {
    .name == "NAME-api"
    .image == "NAME"
    .image_id matches '^sha256:'
    .state == "running"
    .exit_code is absent
    .restart_policy == "unless-stopped"
    .env["LOG_LEVEL"] == "info"
    .env["NOT_SET"] is absent
    .labels["role"] == "test"
    .labels["tier"] == "one"
    .cpu_limit == 0.5
    .command == ["/app", "serve", "well"]
    .user is absent
    .created <= .started
    .memory_limit == 64MiB
    .finished is absent
    .networks is not empty
  }
  expect any(m in docker.container("NAME-api").mounts, m.target == "/data" and m.read_only and m.type == "bind")
  expect docker.container("NAME-none") is absent
  show docker.container("NAME-api")
"#);
    assert!(!told.text.contains("do-not-show-me"), "variables are not shown all at once: {}", told.text);
}

#[test]
fn what_differs_is_named_and_only_that() {
    let world = World::new();
    world.start("ill", &["-e", "TOKEN=do-not-show-me"], &["serve"]);
    world.start("gone", &["--restart", "no"], &["end", "3"]);
    world.no_go(
        "  expect docker.healthy(\"NAME-ill\") within 6s every 100ms\n  expect docker.container(\"NAME-ill\").env[\"LOG_LEVEL\"] == \"debug\"",
        &["expected \"healthy\"", "found    \"unhealthy\"", "expected \"debug\"", "found    \"info\"", "2 differed"],
    );
    world.no_go(
        "  expect docker.container(\"NAME-gone\").state == \"exited\" within 10s\n  expect docker.container(\"NAME-gone\").exit_code == 0\n  expect docker.healthy(\"NAME-none\")",
        &["expected 0", "found    3", "absent: there is no container `NAME-none`"],
    );
    let told = world.story("  expect docker.container(\"NAME-ill\").env == { LOG_LEVEL: \"info\" }").exec();
    assert!(told.text.contains("TOKEN: …") && !told.text.contains("do-not-show-me"), "{}", told.text);
}

#[test]
fn containers_are_found_by_name_label_and_state() {
    let world = World::new();
    world.start("one", &["--label", "com.docker.compose.project=NAME-p"], &[]);
    world.start("two", &["--label", "tier=two"], &[]);
    world.start("old", &[], &["end", "0"]);
    world.go(r#"
  expect docker.container("NAME-old").state == "exited" within 10s
  let running = docker.containers(name: "NAME-*")
  expect length(running) == 2
  expect running[0].name == "NAME-one" and running[1].name == "NAME-two"
  expect length(docker.containers(name: "NAME-*", all: true)) == 3
  expect docker.containers(name: "NAME-*", state: "exited")[0].name == "NAME-old"
  expect length(docker.containers(name: "NAME-*", label: "tier=two")) == 1
  expect length(docker.containers(name: "NAME-*", label: "tier")) == 1
  expect docker.containers(name: "NAME") is empty
  expect docker.containers(name: "NAME-*", state: "dead") is empty
  expect docker.engine().version matches '^[0-9]+\.[0-9]+'
"#);
}

#[test]
fn logs_are_both_streams_told_apart() {
    let world = World::new();
    world.start("calm", &[], &[]);
    world.start("loud", &[], &["serve", "panic"]);
    world.go(r#"
  expect docker.logs("NAME-calm") within 5s {
    .stdout == "serving errors=0\n"
    .stderr == "to standard error\n"
    .lines contains "serving errors=0"
  }
  expect docker.logs("NAME-calm", tail: 1).lines is not empty
  expect docker.quiet("NAME-calm", after: time.now() - 10m)
  expect docker.logs("NAME-none") is absent
  expect docker.logs("NAME-loud").stderr contains "panicked" within 5s
"#);
    let panicked = "thread 'main' panicked at 'it broke'";
    world.no_go("  expect docker.quiet(\"NAME-loud\", after: time.now() - 10m)", &[panicked, "NAME-loud"]);
    // By itself it asks of what was printed since the step began.
    world.go("  expect docker.quiet(\"NAME-loud\")");
    world.start("counts", &[], &["say", "errors=0 fatal=0 panic: false \"fatal\":0 panics_total=0", "no fatal errors"]);
    world.go("  expect docker.logs(\"NAME-counts\").text contains \"fatal=0\" within 5s\n  expect docker.quiet(\"NAME-counts\", after: time.now() - 1m)");
}

#[test]
fn what_is_done_to_a_container_is_done_and_proven() {
    let world = World::new();
    world.start("api", &[], &[]);
    world.go(r#"
  run docker.stop("NAME-api", grace: 1s)
  expect docker.container("NAME-api").state == "exited"
  run docker.stop("NAME-api")
  run docker.start("NAME-api")
  run docker.start("NAME-api")
  expect docker.healthy("NAME-api") within 20s every 100ms
  run docker.pause("NAME-api")
  expect docker.container("NAME-api").state == "paused"
  run docker.unpause("NAME-api")
  run docker.restart("NAME-api", grace: 1s)
  expect docker.container("NAME-api").state == "running"
  run docker.kill("NAME-api")
  expect docker.container("NAME-api") within 5s {
    .state == "exited"
    .exit_code == 137
  }
  run docker.remove("NAME-api")
  expect docker.container("NAME-api") is absent
"#);
    world.no_go("  run docker.start(\"NAME-none\")", &["there is no container `NAME-none`"]);
    world.start("api", &[], &[]);
    world.no_go("  run docker.remove(\"NAME-api\")", &["the Docker engine refused: ", "running container"]);
    world.no_go("  run docker.stop(\"../x?y=1\")", &["is no name that Docker takes"]);
}

#[test]
fn a_dry_run_changes_no_container_and_knows_what_an_action_changes() {
    let world = World::new();
    world.start("a", &[], &[]);
    world.start("b", &[], &[]);
    let state = || {
        done(&[
            "ps",
            "-a",
            "--no-trunc",
            "--filter",
            &format!("name=^/{}-", world.name),
            "--format",
            "{{.ID}} {{.State}}",
        ])
    };
    let before = state();
    let story = world.story(
        "  run docker.stop(\"NAME-a\")\n  expect docker.container(\"NAME-a\").state == \"exited\"\n  expect docker.container(\"NAME-b\").state == \"running\"\n\
         \x20 expect docker.containers(name: \"NAME-*\") is not empty\n  run docker.remove(\"NAME-a\", force: true)",
    );
    let told = story.dry_run();
    assert_eq!(state(), before);
    assert!(told.text.contains("2 actions would be run"), "{}", told.text);
    assert!(told.text.contains("2 hold now, 1 differ now, 0 unknown"), "{}", told.text);
    assert!(told.text.contains("2 of these are as of now"), "of `a` and of all, not of `b`: {}", told.text);
}

#[test]
fn an_engine_that_is_not_there_is_unknown_and_never_absent() {
    let story = Story::new(
        "runbook \"T\" { }\nstep a {\n  expect docker.container(\"x\") is absent\n  expect docker.containers() is empty\n}\nstep b {\n  run docker.stop(\"x\")\n}\n",
    );
    for (host, words) in
        [("unix:///no/such/socket", "there is no such socket"), ("tcp://127.0.0.1:1", "nothing listens there")]
    {
        let mut command = story.command(&["exec", "plan.runbook"]);
        let told = support::told(command.env("DOCKER_HOST", host).output().expect("it runs"));
        assert_eq!(told.status, 1, "{}", told.text);
        assert!(told.text.contains(words) && told.text.contains("2 unknown"), "{}", told.text);
        assert!(told.text.contains(host), "{}", told.text);
    }
}

#[test]
fn files_processes_and_what_a_container_takes() {
    let world = World::new();
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("token"), "hunter22\n").expect("written");
    std::fs::write(folder.path().join("none"), "").expect("written");
    std::os::unix::fs::symlink("token", folder.path().join("link")).expect("a link");
    let mount = format!("{}:/run/secrets:ro", folder.path().display());
    world.start("api", &["-v", &mount, "-m", "64m"], &[]);
    world.start("ended", &["-v", &mount], &["end", "0"]);
    world.go(r#"
  expect docker.container("NAME-ended").state == "exited" within 10s
  expect docker.file("NAME-api", "/run/secrets/token") {
    .kind == "file"
    .size == 9B
    .text == "hunter22\n"
    .lines == ["hunter22"]
    .mode matches '^0[0-7]{3}$'
    .path == "/run/secrets/token"
  }
  expect docker.file("NAME-ended", "/app").kind == "file"
  expect docker.file("NAME-api", "/run/secrets/link").text contains "hunter"
  expect docker.file("NAME-api", "/run/secrets").kind == "folder"
  expect docker.file("NAME-api", "/run/secrets/missing") is absent
  expect docker.file("NAME-none", "/app") is absent
  expect docker.secret_mounted("NAME-api", "token")
  expect any(p in docker.processes("NAME-api"), p.command contains "/app serve" and p.pid > 1)
  expect docker.processes("NAME-ended") is absent
  expect docker.stats("NAME-api") within 20s {
    .cpu < 100%
    .memory > 0B
    .memory_limit == 64MiB
    .memory_share < 100%
    .processes >= 1
  }
  expect docker.stats("NAME-ended") is absent
  expect docker.stats("NAME-none") is absent
"#);
    world.no_go("  expect docker.secret_mounted(\"NAME-api\", \"none\")", &["expected > 0B", "found    0B"]);
    world.no_go(
        "  expect docker.secret_mounted(\"NAME-api\", \"missing\")",
        &["`NAME-api` has no /run/secrets/missing"],
    );
    world.no_go("  expect docker.file(\"NAME-api\", \"app\") is present", &["has to begin with `/`", "1 unknown"]);
    world.no_go("  expect docker.file(\"NAME-api\", \"/run\").text is present", &["it is a folder", "1 unknown"]);
}

#[test]
fn images_networks_and_volumes_are_told() {
    let world = World::new();
    done(&["network", "create", "--internal", "--label", "tier=net", &world.named("net")]);
    done(&["volume", "create", "--label", "tier=vol", &world.named("vol")]);
    world.go(r#"
  expect docker.image("NAME") {
    .id matches '^sha256:'
    .tags contains "NAME:latest"
    .size > 100KB
    .os == "linux"
    .env["LOG_LEVEL"] == "info"
    .labels["role"] == "test"
    .command == ["/app", "serve", "well"]
    .user is absent
  }
  expect docker.image("NAME:none") is absent
  expect docker.images(name: "NAME:*")[0].labels["role"] == "test"
  expect docker.images(name: "NAME") is empty
  expect docker.network("NAME-net") {
    .driver == "bridge"
    .internal
    .labels["tier"] == "net"
    .containers is empty
  }
  expect docker.networks(name: "NAME-*")[0].name == "NAME-net"
  expect docker.network("NAME-none") is absent
  expect docker.volume("NAME-vol") {
    .driver == "local"
    .labels["tier"] == "vol"
    .source is present
  }
  expect length(docker.volumes(label: "tier=vol", name: "NAME-*")) == 1
  expect docker.volume("NAME-none") is absent
"#);
    world.no_go("  expect docker.image(\"../x\") is present", &["is no name of an image", "1 unknown"]);
    done(&["network", "rm", &world.named("net")]);
    done(&["volume", "rm", &world.named("vol")]);
}

#[test]
fn a_program_in_a_container_looks_on_its_authors_word_or_acts() {
    let world = World::new();
    world.start("api", &[], &[]);
    world.start("ended", &[], &["end", "0"]);
    let asks = r#"
  expect docker.exec("NAME-api", ["/app", "say", "it's $HOME"]) {
    .status == 0
    .text == "it's $HOME"
    .stderr == "said\n"
  }
"#;
    world.go(asks);
    let told = world.story(asks).dry_run();
    assert!(told.text.contains("0 hold now, 0 differ now, 1 unknown"), "{}", told.text);
    assert!(told.text.contains("no sandbox of this host reaches into a container"), "{}", told.text);
    let told = world.story(asks).run(&["dry-run", "--trust-probes", "plan.runbook"]);
    assert!(told.text.contains("3 hold now"), "{}", told.text);
    world.go(r#"
  expect docker.exec("NAME-api", ["/app", "end", "3"]).status == 3
  expect docker.exec("NAME-none", ["/app"]) is absent
  expect docker.container("NAME-ended").state == "exited" within 10s
  expect docker.exec("NAME-ended", ["/app"]) is absent
  let made = run docker.exec("NAME-api", ["/app", "make", "/made"], env: { A: "b" })
  expect made.status == 0
  expect docker.file("NAME-api", "/made").text == "made\n"
"#);
    world.no_go("  run docker.exec(\"NAME-api\", [\"/app\", \"end\", \"4\"])", &["ended with status 4"]);
    world.no_go("  run docker.exec(\"NAME-ended\", [\"/app\"])", &["the container `NAME-ended` does not run"]);
    world.no_go("  run docker.exec(\"NAME-api\", [\"/none\"])", &["`/none` can't be run in the container `NAME-api`"]);
}

#[test]
fn a_state_is_ensured_only_where_it_is_needed_and_a_dry_run_knows() {
    let world = World::new();
    world.start("a", &[], &[]);
    let stopped = "  ensure docker.stopped(\"NAME-a\")";
    let running = "  ensure docker.running(\"NAME-a\")";
    let told = world.story(running).dry_run();
    assert!(told.text.contains("0 actions would be run") && told.text.contains("1 hold now"), "{}", told.text);
    let told = world.story(stopped).dry_run();
    assert!(told.text.contains("1 action would be run"), "{}", told.text);
    let told = world.go(running);
    assert!(told.text.contains("not needed: docker."), "{}", told.text);
    let told = world.go(stopped);
    assert!(told.text.contains("docker.stop("), "{}", told.text);
    let told = world.go(stopped);
    assert!(told.text.contains("not needed: docker."), "{}", told.text);
    world.go(running);
    done(&["pause", &world.named("a")]);
    let told = world.go(running);
    assert!(told.text.contains("docker.unpause("), "{}", told.text);
    world.go("  ensure docker.removed(\"NAME-a\")\n  ensure docker.removed(\"NAME-a\")\n  expect docker.container(\"NAME-a\") is absent");
    world.no_go(running, &["there is no container `NAME-a`"]);
}

#[test]
fn several_containers_are_changed_at_once_and_each_failure_is_named() {
    let world = World::new();
    for name in ["a", "b", "c"] {
        world.start(name, &[], &[]);
    }
    world.go("  run docker.stop([\"NAME-a\", \"NAME-b\"], grace: 1s)\n  expect docker.container(\"NAME-a\").state == \"exited\"\n  expect docker.container(\"NAME-b\").state == \"exited\"");
    world.no_go(
        "  run docker.remove(docker.containers(name: \"NAME-*\", all: true))",
        &["NAME-c: the Docker engine refused", "docker.remove([\"NAME-a\", \"NAME-b\", \"NAME-c\"])"],
    );
    let story = world.story("  run docker.remove(docker.containers(name: \"NAME-*\", all: true), force: true)\n  expect docker.containers(name: \"NAME-*\", all: true) is empty\n  expect docker.container(\"NAME-other\") is absent");
    let told = story.dry_run();
    assert!(
        told.text.contains("docker.remove([\"NAME-c\"], force: true)".replace("NAME", &world.name).as_str()),
        "{}",
        told.text
    );
    assert!(told.text.contains("1 of these is as of now"), "of the one, and not of another: {}", told.text);
    assert_eq!(story.exec().status, 0);
    // Nothing to do is done.
    world.go("  run docker.stop([])");
}

#[test]
fn a_secret_in_the_open_is_found_by_name_and_never_shown() {
    let world = World::new();
    let open = [
        "-e",
        "JWT_SECRET=do-not-show-me",
        "-e",
        "DATABASE_URL=postgres://shop:do-not-show-me@db/shop",
        "-e",
        "REDIS_PASSWORD_FILE=do-not-show-me",
        "-e",
        "STRIPE_API_KEY=do-not-show-me",
    ];
    world.start("open", &open, &[]);
    let calm = [
        "-e",
        "JWT_SECRET_FILE=/run/secrets/jwt",
        "-e",
        "TOKEN_TTL=15m",
        "-e",
        "PASSWORD_MIN_LENGTH=12",
        "-e",
        "CASSANDRA_KEYSPACE=shop",
        "-e",
        "EMPTY_SECRET=",
        "-e",
        "PASSWORD_SEEDER=yes",
        "-e",
        "BASE_URL=http://shop/a:b",
        "-e",
        "GPG_KEYS=ABCDEF0123456789ABCDEF0123456789",
    ];
    world.start("calm", &calm, &[]);
    let told = world.story("  expect docker.no_plaintext_secrets(\"NAME-open\")\n  expect docker.container(\"NAME-open\").env[\"JWT_SECRET\"] is absent\n  show docker.container(\"NAME-open\").env\n  show where(k, v in docker.container(\"NAME-open\").env, k != v)").exec();
    assert_eq!(told.status, 1, "{}", told.text);
    assert!(!told.text.contains("do-not-show-me"), "{}", told.text);
    for name in ["DATABASE_URL", "JWT_SECRET", "REDIS_PASSWORD_FILE", "STRIPE_API_KEY"] {
        assert!(told.text.contains(&format!("\"{name}\"")), "{name}: {}", told.text);
    }
    world.go("  expect docker.no_plaintext_secrets(\"NAME-calm\")\n  expect docker.no_plaintext_secrets(\"NAME-open\", allowed: [\"JWT_SECRET\", \"DATABASE_URL\", \"REDIS_PASSWORD_FILE\", \"STRIPE_API_KEY\"])");
}

#[test]
fn a_mounted_file_that_is_gone_from_the_host_is_still_seen_or_unknown_and_never_absent() {
    let world = World::new();
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("token"), "hunter22").expect("written");
    let mount = format!("{}:/run/secrets/token:ro", folder.path().join("token").display());
    world.start("api", &["-v", &mount], &[]);
    std::fs::remove_file(folder.path().join("token")).expect("removed");
    let body = "  expect docker.file(\"NAME-api\", \"/run/secrets/token\").text == \"hunter22\"\n  expect docker.file(\"NAME-api\", \"/app\").kind == \"file\"";
    let told = world.story(body).exec();
    // Who may look at the container's processes sees it as the container does.
    match rustix::process::geteuid().is_root() {
        true => assert_eq!(told.status, 0, "{}", told.text),
        false => assert!(told.text.contains("2 unknown") && told.text.contains("gone from the host"), "{}", told.text),
    }
    // Of a container that does not run nobody can tell.
    done(&["stop", "-t", "0", &world.named("api")]);
    let told = world.story(body).exec();
    assert!(told.text.contains("2 unknown") && told.text.contains("gone from the host"), "{}", told.text);
}

#[test]
fn a_link_in_a_container_never_leads_out_of_it() {
    let world = World::new();
    let folder = tempfile::tempdir().expect("a folder");
    std::os::unix::fs::symlink("/etc/hostname", folder.path().join("out")).expect("a link");
    std::os::unix::fs::symlink("../../../../etc/passwd", folder.path().join("up")).expect("a link");
    let mount = format!("{}:/data:ro", folder.path().display());
    world.start("api", &["-v", &mount], &[]);
    let told = world.story("  show docker.file(\"NAME-api\", \"/data/up\").text\n  expect docker.file(\"NAME-api\", \"/data/up\") is absent").exec();
    assert_eq!(told.status, 0, "its own /etc/passwd is none: {}", told.text);
    assert!(!told.text.contains("root:"), "{}", told.text);
}
