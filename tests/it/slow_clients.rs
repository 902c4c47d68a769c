//! Clients that take their time.

use std::fs;
use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::app::TestApp;
use crate::eventually::eventually;
use crate::kafka::{Record, TestKafka};
use crate::metrics::sample;

/// Bound on everything a test waits for.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Clients of each kind.
const EACH: usize = 700;

/// Size of the values that nobody reads on.
const VALUE: usize = 64 * 1024;

/// Look-ups among which the usual one is quick.
const LOOK_UPS: usize = 21;

/// What the memory may have grown by once all are gone: about what the allocator keeps for the next ones.
pub const SLACK_KIB: u64 = 96 * 1024;

/// Requests that are answered with more than the buffers of a connection hold.
const UNREAD: usize = 40;

fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).expect("a connection")
}

/// Begins a request and does not end it.
fn half_sent(address: SocketAddr) -> TcpStream {
    let mut stream = connect(address);
    stream.write_all(b"GET /v1/views/v/keys/large HTTP/1.1\r\nHost: x\r\nX-Slow: ").unwrap();
    stream
}

/// Asks for much and reads nothing.
fn reads_nothing(address: SocketAddr) -> TcpStream {
    let mut stream = connect(address);
    let request = b"GET /v1/views/v/keys/large HTTP/1.1\r\nHost: x\r\n\r\n".repeat(UNREAD);
    stream.write_all(&request).unwrap();
    stream
}

/// Reads on until the other side has ended the connection, in order or not.
fn read_to_end(reader: &mut TcpStream) {
    reader.set_read_timeout(Some(DEADLINE)).unwrap();
    match io::copy(reader, &mut io::sink()) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => panic!("the connection goes on"),
        _ => {}
    }
}

/// Is told of every change, and has nothing to do with it.
fn watches(address: SocketAddr) -> TcpStream {
    let mut stream = connect(address);
    stream.write_all(b"GET /v1/views/v/watch HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    stream
}

/// Memory of a process, as the kernel counts it.
pub fn resident_kib(app: &TestApp<'_>) -> u64 {
    memory_kib(app, "VmRSS:")
}

/// The most memory that a process has had.
pub fn peak_kib(app: &TestApp<'_>) -> u64 {
    memory_kib(app, "VmHWM:")
}

fn memory_kib(app: &TestApp<'_>, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", app.process_id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line of memory");
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// This process needs a descriptor for each client.
fn raise_own_limit() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).expect("a higher limit");
}

fn open_connections(app: &TestApp<'_>) -> u64 {
    sample(app, "statusquo_http_connections{listener=\"data\"}")
}

/// Times some look-ups, each over a connection of its own.
fn usual_time(app: &TestApp<'_>) -> Duration {
    let mut times: Vec<Duration> = (0..LOOK_UPS)
        .map(|_| {
            let started = Instant::now();
            assert_eq!(app.get("v", "small").status, 200);
            started.elapsed()
        })
        .collect();
    times.sort();
    times[LOOK_UPS / 2]
}

/// FAULTS row 48.
#[test]
fn two_thousand_slow_clients_hold_up_nobody() {
    raise_own_limit();
    let topic = TestKafka::shared().topic("slow").create();
    topic.put("large", "x".repeat(VALUE));
    topic.put("small", "1");
    let app = TestApp::builder(TestKafka::shared())
        .view("v", &topic)
        .set("http.header_timeout", "16s")
        .set("http.write_timeout", "10s")
        // What a shell usually starts programs with; the service has to raise it.
        .soft_limit(512)
        .start()
        .restored();
    usual_time(&app);
    let before = resident_kib(&app);

    let address = app.http_address();
    // All kinds at the same time, so that the first are still there when the last have come.
    let [halves, watchers, mut readers] = thread::scope(|scope| {
        let kinds: [fn(SocketAddr) -> TcpStream; 3] = [half_sent, watches, reads_nothing];
        let kinds =
            kinds.map(|come| scope.spawn(move || (0..EACH).map(|_| come(address)).collect::<Vec<_>>()));
        kinds.map(|clients| clients.join().unwrap())
    });
    let each = u64::try_from(EACH).unwrap();
    let all = 3 * each;
    // On a machine with much to do the first are gone before the last have come.
    eventually(DEADLINE, "most clients at once", || (open_connections(&app) >= all * 3 / 4).then_some(()));

    let usual = usual_time(&app);
    assert!(usual < Duration::from_secs(1), "a look-up takes {usual:?} beside slow clients");
    let written = topic.write_all((0..500).map(|number| Record::put(format!("k{number}"), "2")));
    app.wait_until_applied("v", written.last().unwrap());
    assert_eq!(app.get("v", "k499").text(), "2");

    // Nobody but the service ends these connections; those who watch may go on.
    eventually(DEADLINE, "slow clients are hung up on", || {
        (open_connections(&app) < each + 10).then_some(())
    });
    readers.iter_mut().for_each(read_to_end);
    drop((halves, readers, watchers));
    eventually(DEADLINE, "nobody is left", || (open_connections(&app) < 10).then_some(()));
    let after = eventually(DEADLINE, "memory that is given back", || {
        // The allocator gives back when it is used.
        usual_time(&app);
        Some(resident_kib(&app)).filter(|after| *after < before + SLACK_KIB)
    });
    eprintln!("a look-up took {usual:?} beside {all} slow clients; memory {before} KiB, then {after} KiB");
    app.wait_until_restored();
}
