//! The image and the manifests: they lint, they agree with the configuration, and the binary needs no more than
//! they give it.

use std::fs::{self, File};
use std::iter;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use statusquo::config::Config;
use tempfile::TempDir;

use crate::app::Connection;
use crate::eventually::eventually;
use crate::process::{Process, Signal, last_lines, scratch};

const SERVICE: &str = env!("CARGO_BIN_EXE_statusquo");
/// Exit code of `scripts/lint-deploy` where the linters cannot be installed.
const NO_LINTERS: i32 = 69;
/// What a configuration needs at least.
const SMALLEST: [&str; 4] =
    ["--set", "kafka.bootstrap=kafka:9092", "--set", "views.users.topic=user-profiles"];

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Reads the objects of a manifest.
fn objects(name: &str) -> Vec<Value> {
    let text = text(&format!("deploy/kubernetes/{name}.yaml"));
    let read = |object: &str| {
        let source = config::File::from_str(object, config::FileFormat::Yaml);
        let object = config::Config::builder().add_source(source).build();
        object.and_then(config::Config::try_deserialize).unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    text.split("\n---\n").map(read).collect()
}

fn object(name: &str) -> Value {
    objects(name).remove(0)
}

fn pod() -> Value {
    object("statefulset")["spec"]["template"]["spec"].clone()
}

/// Writes a configuration into a directory that goes away with the value.
fn config_file(text: &str) -> (TempDir, PathBuf) {
    let directory = scratch("config-");
    let file = directory.path().join("statusquo.toml");
    fs::write(&file, text).unwrap();
    (directory, file)
}

fn config_map() -> String {
    object("configmap")["data"]["statusquo.toml"].as_str().expect("statusquo.toml").to_owned()
}

fn load(text: &str, overrides: &[(&str, &str)]) -> Config {
    let (_directory, file) = config_file(text);
    let overrides: Vec<_> =
        overrides.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let loaded = statusquo::config::load(&[file], iter::empty(), &overrides);
    loaded.unwrap_or_else(|problems| panic!("{problems}")).into_config()
}

fn deployed() -> Config {
    load(&config_map(), &[])
}

fn check(text: &str, arguments: &[&str]) -> Output {
    let (_directory, file) = config_file(text);
    let mut command = Command::new(SERVICE);
    command.args(["config", "check", "--config"]).arg(file).args(arguments).env_clear();
    command.output().expect("the service's binary")
}

fn assert_good(name: &str, text: &str, arguments: &[&str]) {
    let output = check(text, arguments);
    assert!(output.status.success(), "{name}: {}\n{text}", String::from_utf8_lossy(&output.stderr));
}

/// Returns the words of the only line of the Dockerfile that starts with `instruction`.
fn dockerfile(instruction: &str) -> Vec<String> {
    let text = text("Dockerfile").replace("\\\n", " ");
    let mut lines = text.lines().filter(|line| line.split(' ').next() == Some(instruction));
    let line = lines.next().unwrap_or_else(|| panic!("no {instruction} in the Dockerfile"));
    assert_eq!(lines.next(), None, "{instruction} comes twice");
    line.split_whitespace().skip(1).map(str::to_owned).collect()
}

/// Returns the fenced blocks of a document whose info string is `kind`.
fn blocks(name: &str, kind: &str) -> Vec<String> {
    let text = text(name);
    let fences = text.split("\n```").enumerate().filter(|(index, _)| index % 2 == 1);
    let block = |(_, fenced): (usize, &str)| {
        let (info, block) = fenced.split_once('\n')?;
        (info.trim() == kind).then(|| block.to_owned())
    };
    fences.filter_map(block).collect()
}

#[test]
fn image_and_manifests_pass_their_linters() {
    let output = Command::new(path("scripts/lint-deploy")).output().expect("scripts/lint-deploy");
    let said =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    if output.status.code() == Some(NO_LINTERS) && std::env::var_os("CI").is_none() {
        eprintln!("SKIPPED: image and manifests are not linted\n{said}");
        return;
    }
    assert!(output.status.success(), "{said}");
}

#[test]
fn image_and_manifests_use_the_ports_of_the_configuration() {
    let config = deployed();
    let ports = [config.http.listen.port(), config.ops.listen.port()];
    let image = load(
        &text("deploy/docker/statusquo.toml"),
        &[
            ("kafka.bootstrap", "kafka:9092"),
            ("views.users.topic", "user-profiles"),
            ("http.allow_unauthenticated", "true"),
        ],
    );

    assert_eq!([image.http.listen.port(), image.ops.listen.port()], ports);
    assert_eq!(dockerfile("EXPOSE"), ports.map(|port| port.to_string()));
    let container = &pod()["containers"][0]["ports"];
    assert_eq!(
        *container,
        serde_json::json!([
            { "name": "http", "containerPort": ports[0] },
            { "name": "ops", "containerPort": ports[1] },
        ])
    );
    let services = objects("service");
    let targets = services.iter().flat_map(|service| service["spec"]["ports"].as_array().unwrap());
    for port in targets {
        assert_eq!(port["name"], port["targetPort"], "a port by name: {port}");
        assert!(port["name"] == "http" || port["name"] == "ops", "{port}");
    }
}

#[test]
fn what_is_deployed_passes_config_check() {
    assert_good("configmap.yaml", &config_map(), &[]);
    let image = text("deploy/docker/statusquo.toml");
    assert_good("image", &image, &[&SMALLEST[..], &["--set", "http.allow_unauthenticated=true"]].concat());
    // The image alone must not open the views to the network.
    assert!(!check(&image, &SMALLEST).status.success(), "the image listens for everybody");
}

#[test]
fn configurations_in_the_documents_pass_config_check() {
    let readme = blocks("README.md", "toml");
    assert!(!readme.is_empty(), "the README shows no configuration");
    for block in readme {
        assert_good("README.md", &block, &[]);
    }
    for name in ["docs/configuration.md", "docs/operations.md", "deploy/kubernetes/README.md"] {
        for block in blocks(name, "toml") {
            assert_good(name, &block, &SMALLEST);
        }
    }
}

#[test]
fn a_pod_is_given_more_time_to_stop_than_it_takes() {
    let grace = deployed().shutdown.grace.as_secs();
    let period = pod()["terminationGracePeriodSeconds"].as_u64().unwrap();
    assert!(period > grace, "{period} s for a grace of {grace} s");
}

#[test]
fn a_pod_is_given_the_memory_its_budgets_add_up_to() {
    let config = deployed();
    let views = config.views.len();
    let shared = config.store.block_cache.as_u64() + memtables(&config, views);
    let per_view = config.kafka.queue.as_u64() + 4 * config.batch.bytes_max.as_u64();
    let budget = shared + per_view * views as u64;
    let resources = &pod()["containers"][0]["resources"];
    let request = resources["requests"]["memory"].as_str().unwrap();
    let bytes = format!("{request}B").parse::<bytesize::ByteSize>().unwrap().as_u64();

    // As much again for what has no setting, see the comment there.
    assert!(bytes >= 2 * budget, "{request} for {budget} bytes");
    assert_eq!(resources["limits"]["memory"], request);
}

fn memtables(config: &Config, views: usize) -> u64 {
    statusquo::store::Resources::memtable_budget(&config.store, views) as u64
}

#[test]
fn image_and_manifests_agree_about_directories_and_user() {
    let volume = dockerfile("VOLUME").remove(0);
    let environment = dockerfile("ENV");
    let pod = pod();
    let container = &pod["containers"][0];

    assert!(environment.contains(&format!("STATUSQUO__DATA_DIR={volume}")), "{environment:?}");
    for variable in
        container["env"].as_array().unwrap().iter().filter(|variable| variable["value"].is_string())
    {
        let pair = format!("{}={}", variable["name"].as_str().unwrap(), variable["value"].as_str().unwrap());
        assert!(environment.contains(&pair), "{pair} is not in {environment:?}");
    }
    assert_eq!(container["volumeMounts"][0]["mountPath"], volume);
    let user = pod["securityContext"]["runAsUser"].as_u64().unwrap();
    assert_eq!(dockerfile("USER"), [format!("{user}:{user}")]);
    assert_eq!(pod["securityContext"]["fsGroup"], user);
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
}

#[test]
fn probes_ask_what_the_documents_describe() {
    let documents = text("docs/api.md");
    let container = &pod()["containers"][0];
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        let asked = container[probe]["httpGet"]["path"].as_str().unwrap();
        assert!(documents.contains(&format!("GET {asked}")), "{asked} is not in docs/api.md");
        assert_eq!(container[probe]["httpGet"]["port"], "ops");
    }
}

#[test]
fn the_image_installs_what_a_build_needs() {
    let script = text("scripts/install-packages");
    let wanted = script.split("build='").nth(1).and_then(|rest| rest.split('\'').next()).unwrap();
    let wanted: Vec<_> =
        wanted.lines().filter_map(|line| line.split('|').next()?.split_whitespace().next()).collect();
    let build = text("Dockerfile").split("WORKDIR").next().unwrap().to_owned();

    assert!(!wanted.is_empty());
    for package in wanted {
        assert!(build.split_whitespace().any(|word| word == package), "the image is built without {package}");
    }
}

/// Mounts everything read-only but `/mnt/data`, gives up root where it can, and runs the service: `$1` the binary,
/// `$2` its configuration, `$3` the data directory. Below /mnt, because another user may not reach the others.
const CONFINE: &str = r#"
set -eu
mount -t tmpfs -o mode=0755 tmpfs /mnt
touch /mnt/statusquo
mkdir /mnt/data
mount --bind "$1" /mnt/statusquo
cp "$2" /mnt/statusquo.toml
mount --bind "$3" /mnt/data
user='setpriv --reuid 65532 --regid 65532 --clear-groups --no-new-privs --bounding-set=-all'
if $user true 2> /dev/null; then chown 65532:65532 /mnt/data; else user=; fi
cut -d ' ' -f 5 /proc/self/mountinfo | while read -r point; do
  [ "$point" = /mnt/data ] || mount -o remount,bind,ro "$point" 2> /dev/null || :
done
for directory in / /mnt /tmp /var/tmp; do
  if touch "$directory/writable" 2> /dev/null; then echo "$directory is writable"; exit 99; fi
done
cd /
exec $user /mnt/statusquo serve --config /mnt/statusquo.toml
"#;

/// A command in a mount namespace of its own; none where that is forbidden.
fn confined() -> Option<Command> {
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private"]);
        if !rustix::process::geteuid().is_root() {
            command.arg("--map-root-user");
        }
        command
    };
    let mut probe = unshare();
    probe.args(["mount", "-t", "tmpfs", "tmpfs", "/mnt"]).stderr(Stdio::null());
    probe.status().is_ok_and(|status| status.success()).then(unshare)
}

#[test]
fn the_service_needs_no_writable_directory_but_its_own() {
    let Some(mut command) = confined() else {
        eprintln!("SKIPPED: mount namespaces are forbidden here, so a read-only root was not tried");
        return;
    };
    let (directory, file) = config_file(concat!(
        "data_dir = \"/mnt/data\"\n",
        "[kafka]\nbootstrap = \"127.0.0.1:9\"\n",
        "[http]\nlisten = \"127.0.0.1:0\"\n[ops]\nlisten = \"127.0.0.1:0\"\n",
        "[views.users]\ntopic = \"user-profiles\"\n",
    ));
    let (data, log) = (directory.path().join("data"), directory.path().join("log"));
    fs::create_dir(&data).unwrap();
    let output = File::create(&log).unwrap();
    command.args(["sh", "-c", CONFINE, "confine", SERVICE]).arg(&file).arg(&data);
    command.stdout(output.try_clone().unwrap()).stderr(output);

    let mut process = Process::spawn(&mut command).expect("unshare");
    let listen = eventually(Duration::from_secs(30), "listen.json", || {
        let ended = process.exited();
        assert!(ended.is_none(), "{ended:?}\n{}", last_lines(&log, 40));
        serde_json::from_slice::<Value>(&fs::read(data.join("listen.json")).ok()?).ok()
    });
    let ops: SocketAddr = listen["ops"].as_str().unwrap().parse().unwrap();
    for probe in ["/livez", "/startupz"] {
        assert_eq!(Connection::open(ops).unwrap().get(probe).status, 200, "{probe}");
    }
    assert!(data.join("users/IDENTITY").exists(), "the store was made");
    process.signal(Signal::TERM);
    let status = process.wait_within(Duration::from_secs(40));
    assert_eq!(status.and_then(|status| status.code()), Some(0), "{}", last_lines(&log, 40));
}
