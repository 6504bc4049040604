//! The figure: two hundred SENTINEL SETs a second, a configuration file whose fsync takes 200 ms and a thousand
//! subscribers, all at once. No PING may be later than a tenth of down-after, and no query may wait for the disk.
//!
//! Everything is real but the data nodes: the daemon's process, slowed at its fsync by strace, and the connections. The
//! data nodes are threads of this program that note when PINGs come. The genuine redis-sentinel gets the same load
//! afterwards, for comparison only. Ends with status 1 when the daemon under test misses the figure.
//!
//! `cargo bench --bench figure`; `-- --seconds N` changes the length of each run, `-- --only vedette` leaves the
//! comparison out.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)]
#![allow(clippy::disallowed_methods, clippy::wildcard_enum_match_arm)]

mod load;
mod node;
mod stats;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use load::{Query, Setters, Subscribers, machine};
use node::FakeNodes;
use stats::Sample;
use support::group::NAME;
use support::sentinel::SentinelSpec;
use support::{Process, Program, Sentinel, poll};

const DOWN_AFTER: Duration = Duration::from_millis(1000);
const SUBSCRIBERS: usize = 1000;
const SETS_PER_SECOND: u32 = 200;
const FSYNC: Duration = Duration::from_millis(200);
/// What the figure allows a PING to be late.
const PING_LIMIT: Duration = Duration::from_millis(100);
/// A query that takes this long, half of an fsync, may have waited for the disk: a save runs all the time, and each takes
/// two fsyncs.
const QUERY_LIMIT: Duration = Duration::from_millis(100);
/// The load runs this long before anything is noted.
const WARM_UP: Duration = Duration::from_secs(2);

/// What was seen of one program under the load.
struct Seen {
    name: &'static str,
    pings: Sample,
    queries: Sample,
    sets: Sample,
    machine: Sample,
    set_errors: usize,
    messages: u64,
    lost_subscribers: usize,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)
    };
    let seconds = value("--seconds").map_or(20, |text| text.parse().expect("a number of seconds"));
    let only = value("--only").map(String::as_str);
    let length = Duration::from_secs(seconds);
    if Command::new("strace").arg("-V").output().is_err() {
        eprintln!("strace is missing: apt-get install strace");
        return ExitCode::from(2);
    }
    println!(
        "{SETS_PER_SECOND} SENTINEL SETs a second, {SUBSCRIBERS} subscribers of all events, every fsync takes {} ms,",
        FSYNC.as_millis()
    );
    println!("down-after {} ms, one primary and two replicas, {seconds} s each\n", DOWN_AFTER.as_millis());
    let subject = Program::subject();
    let genuine = Program::genuine();
    let mut rows = Vec::new();
    for (name, program) in [("vedette", &subject), ("redis-sentinel", &genuine)] {
        if only.is_none_or(|only| only == name) {
            rows.push(run(name, program, length));
        }
    }
    rows.iter().for_each(report);
    let Some(vedette) = rows.iter().find(|seen| seen.name == "vedette") else { return ExitCode::SUCCESS };
    let problems = judge(vedette, length);
    for problem in &problems {
        println!("MISSED: {problem}");
    }
    if !problems.is_empty() {
        return ExitCode::FAILURE;
    }
    println!(
        "HELD: no PING of vedette was later than {} ms, no query waited for the disk",
        PING_LIMIT.as_millis()
    );
    ExitCode::SUCCESS
}

/// Puts one program under the load and notes what happens.
fn run(name: &'static str, program: &Program, length: Duration) -> Seen {
    let nodes = FakeNodes::start(3);
    let spec = SentinelSpec {
        program: program.clone(),
        lines: vec![
            format!("sentinel monitor {NAME} 127.0.0.1 {} 2", nodes.primary()),
            format!("sentinel down-after-milliseconds {NAME} {}", DOWN_AFTER.as_millis()),
        ],
        ..SentinelSpec::default()
    };
    let sentinel = Sentinel::prepare(&spec);
    let mut process = launch(program, &sentinel);
    poll("the daemon answers", || {
        assert!(process.ended().is_none(), "{name} ended: {}", sentinel.log());
        sentinel.connect()?.command(&["PING"])
    });
    poll("it knows the replicas", || {
        let replicas = sentinel.master_field(NAME, "num-slaves");
        if replicas == "2" && nodes.all_pinged() { Ok(()) } else { Err(replicas) }
    });
    let port = sentinel.port();
    let subscribers = Subscribers::start(port, SUBSCRIBERS);
    let begin = Instant::now() + WARM_UP;
    let end = begin + length;
    let setters = Setters::start(port, SETS_PER_SECOND, begin, end);
    let queries = [
        vec!["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME],
        vec!["SENTINEL", "MASTER", NAME],
        vec!["SENTINEL", "REPLICAS", NAME],
    ]
    .map(|words| Query::start(port, words, begin, end));
    let machine = machine(begin, end);
    thread::sleep(begin.saturating_duration_since(Instant::now()));
    nodes.note_from(begin);
    let messages = subscribers.messages();
    thread::sleep(end.saturating_duration_since(Instant::now()));
    let pings = nodes.lateness(DOWN_AFTER, end);
    let messages = subscribers.messages() - messages;
    let lost_subscribers = subscribers.lost();
    let (queries, sets) = (queries.map(Query::stop), setters.stop());
    assert!(process.ended().is_none(), "{name} ended: {}", sentinel.log());
    process.kill();
    Seen {
        name,
        pings,
        queries: Sample::merged(queries),
        set_errors: sets.errors,
        sets: sets.latency,
        machine: machine.join().unwrap(),
        messages,
        lost_subscribers,
    }
}

/// Starts the program with a slow fsync. The tracer detaches itself, so that the child is the program.
fn launch(program: &Program, sentinel: &Sentinel) -> Process {
    let mut command = Command::new("strace");
    let delay = FSYNC.as_micros();
    command
        .args(["-D", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e"])
        .arg(format!("inject=fsync,fdatasync:delay_exit={delay}"))
        .arg(program.path())
        .arg(sentinel.conf())
        .current_dir(sentinel.dir());
    Process::spawn("daemon", command, sentinel.dir())
}

fn report(seen: &Seen) {
    println!("{}", seen.name);
    println!(
        "  {:<36} {:>8} {:>10} {:>10} {:>10} {:>10}",
        "milliseconds", "count", "median", "p99", "worst", "no answer"
    );
    for (what, sample) in [
        ("PING later than its time", &seen.pings),
        ("query (address, MASTER, REPLICAS)", &seen.queries),
        ("SENTINEL SET, saved", &seen.sets),
        ("(this machine: a sleeper woken late)", &seen.machine),
    ] {
        let [median, p99, worst] =
            sample.figures().map(|figure| format!("{:.1}", figure.as_secs_f64() * 1e3));
        println!(
            "  {what:<36} {:>8} {median:>10} {p99:>10} {worst:>10} {:>10}",
            sample.len(),
            sample.unanswered()
        );
    }
    println!(
        "  {} events delivered, {} subscribers lost, {} SETs refused\n",
        seen.messages, seen.lost_subscribers, seen.set_errors
    );
}

/// What keeps the daemon from the figure; also that the load was there at all.
fn judge(seen: &Seen, length: Duration) -> Vec<String> {
    let mut problems = Vec::new();
    let mut expect = |good: bool, text: String| {
        if !good {
            problems.push(text);
        }
    };
    let asked = u64::from(SETS_PER_SECOND) * length.as_secs();
    let done = (seen.sets.len() - seen.sets.unanswered()) as u64;
    let delivered = seen.messages / SUBSCRIBERS as u64;
    let [_, _, ping] = seen.pings.figures();
    let [_, _, query] = seen.queries.figures();
    expect(ping <= PING_LIMIT, format!("a PING was {ping:?} late"));
    expect(query <= QUERY_LIMIT, format!("a query took {query:?}"));
    expect(seen.pings.len() as u64 >= 3 * (length.as_secs() - 2), format!("only {} PINGs", seen.pings.len()));
    expect(done * 100 >= asked * 95, format!("only {done} of {asked} SETs were done"));
    expect(seen.set_errors == 0, format!("{} SETs were refused", seen.set_errors));
    expect(seen.lost_subscribers == 0, format!("{} subscribers were lost", seen.lost_subscribers));
    expect(
        delivered * 100 >= asked * 95,
        format!("only {delivered} of {asked} events reached the subscribers"),
    );
    let fastest = seen.sets.fastest();
    expect(fastest >= FSYNC, format!("a SET was answered after {fastest:?}, before it can have been saved"));
    problems
}
