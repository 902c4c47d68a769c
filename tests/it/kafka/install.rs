//! Where the jars of Kafka are, and how its classes are started.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

const POM: &str = include_str!("../../kafka/pom.xml");

/// Half the CPU and 40 % of the start time of the JVM's defaults: no second compiler, one collector thread. It warns on
/// stdout unless told otherwise, amid what tools print, of a class archive that does not fit for one.
const JVM: [&str; 4] =
    ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xlog:disable", "-Xlog:all=warning:stderr"];

/// The jars of one version of Kafka, as `scripts/kafka-jars` leaves them.
pub struct Install {
    directory: PathBuf,
}

impl Install {
    /// Returns the jars; panics with one line that says what to do where they or Java are missing.
    pub fn find() -> &'static Self {
        static INSTALL: OnceLock<Install> = OnceLock::new();
        INSTALL.get_or_init(|| {
            let java =
                Command::new("java").arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            let directory = directory();
            if !java.is_ok_and(|status| status.success()) {
                missing("java");
            }
            if !directory.join("bootstrap.checkpoint").exists() {
                missing(&format!("{}", directory.display()));
            }
            Self { directory }
        })
    }

    /// Returns a command that runs a main class of Kafka.
    pub fn java(&self, heap: &[&str], log_level: &str, class: &str) -> Command {
        let mut command = Command::new("java");
        command.args(JVM).args(heap);
        let archive = self.directory.join("classes.jsa");
        if archive.exists() {
            command.arg(format!("-XX:SharedArchiveFile={}", archive.display()));
        }
        command.arg(format!("-Dorg.slf4j.simpleLogger.defaultLogLevel={log_level}"));
        command.arg("-cp").arg(self.directory.join("*")).arg(class);
        command
    }

    /// Returns what `kafka-storage format` writes into a fresh log directory: the feature levels of this version.
    pub fn checkpoint(&self) -> PathBuf {
        self.directory.join("bootstrap.checkpoint")
    }
}

fn directory() -> PathBuf {
    let cache = match (env::var_os("STATUSQUO_CACHE"), env::var_os("HOME")) {
        (Some(cache), _) => PathBuf::from(cache),
        (None, Some(home)) => Path::new(&home).join(".cache/statusquo"),
        (None, None) => missing("the variable HOME"),
    };
    cache.join("kafka").join(version())
}

fn version() -> &'static str {
    let after = POM.split_once("<kafka.version>").expect("a version in pom.xml").1;
    after.split_once("</kafka.version>").expect("a version in pom.xml").0
}

fn missing(what: &str) -> ! {
    panic!(
        "NO KAFKA FOR THIS TEST: {what} is missing; run `make test`, it installs and fetches what is needed"
    )
}
