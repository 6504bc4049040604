//! The load on the daemon: subscribers, SETs, queries.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::stats::Sample;
use crate::support::group::NAME;

/// Lines of the message of one event: the array's and two for each of the four texts.
const LINES_PER_MESSAGE: u64 = 9;
/// The pause between two rounds over all subscribers: real ones would not burn this machine's time.
const SUBSCRIBER_PAUSE: Duration = Duration::from_millis(50);
/// More than there are connections for SETs.
const SETTERS_MOST: u32 = 1000;
/// How long after the end the last SETs may be answered.
const LAST_SET: Duration = Duration::from_secs(2);
/// The pause between two queries of a client.
const QUERY_PAUSE: Duration = Duration::from_millis(10);

/// Connections that PSUBSCRIBE * and read.
pub(crate) struct Subscribers {
    lines: Arc<AtomicU64>,
    lost: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Subscribers {
    /// Connects and subscribes so many, and waits until all are confirmed.
    pub(crate) fn start(port: u16, count: usize) -> Self {
        let mut streams: Vec<TcpStream> = (0..count)
            .map(|_| {
                let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
                stream.write_all(b"*2\r\n$10\r\nPSUBSCRIBE\r\n$1\r\n*\r\n").unwrap();
                stream
            })
            .collect();
        for stream in &mut streams {
            let mut first = [0];
            stream.read_exact(&mut first).unwrap();
            stream.set_nonblocking(true).unwrap();
        }
        let (lines, lost, stop) = (Arc::default(), Arc::default(), Arc::default());
        let mut this = Self { lines, lost, stop, thread: None };
        let (lines, lost, stop) = (this.lines.clone(), this.lost.clone(), this.stop.clone());
        this.thread = Some(thread::spawn(move || {
            let mut chunk = vec![0; 64 * 1024];
            while !stop.load(Ordering::Relaxed) {
                streams.retain_mut(|stream| match drain(stream, &mut chunk) {
                    Ok(count) => {
                        lines.fetch_add(count, Ordering::Relaxed);
                        true
                    }
                    Err(_) => {
                        lost.fetch_add(1, Ordering::Relaxed);
                        false
                    }
                });
                thread::sleep(SUBSCRIBER_PAUSE);
            }
        }));
        this
    }

    /// Messages that all subscribers together have read.
    pub(crate) fn messages(&self) -> u64 {
        self.lines.load(Ordering::Relaxed) / LINES_PER_MESSAGE
    }

    /// Subscribers whose connection ended.
    pub(crate) fn lost(&self) -> usize {
        self.lost.load(Ordering::Relaxed)
    }
}

impl Drop for Subscribers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Reads what is there; how many lines.
fn drain(stream: &mut TcpStream, chunk: &mut [u8]) -> io::Result<u64> {
    let mut lines = 0;
    loop {
        match stream.read(chunk) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                lines += chunk[..count].iter().map(|byte| u64::from(*byte == b'\n')).sum::<u64>();
                if count < chunk.len() {
                    return Ok(lines);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(lines),
            Err(error) => return Err(error),
        }
    }
}

/// What became of the SETs.
#[derive(Debug, Default)]
pub(crate) struct Sets {
    /// From the moment at which the SET was to be sent, to the reply.
    pub(crate) latency: Sample,
    /// Error replies.
    pub(crate) errors: usize,
}

/// One connection for each SET of a second: each connection sends one a second, at its own moment. Nobody waits
/// for anybody else, so a slow daemon doesn't slow the load.
pub(crate) struct Setters(Vec<JoinHandle<Sets>>);

impl Setters {
    /// Connects, and sends until `end`. What is to be sent before `begin` is not noted.
    pub(crate) fn start(port: u16, per_second: u32, begin: Instant, end: Instant) -> Self {
        let first = Instant::now();
        let streams: Vec<TcpStream> =
            (0..per_second).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
        let threads = streams.into_iter().zip(0..).map(|(stream, index)| {
            let first = first + Duration::from_secs(1) * index / per_second;
            thread::Builder::new()
                .stack_size(128 * 1024)
                .spawn(move || set_every_second(stream, index, first, begin, end))
                .unwrap()
        });
        Self(threads.collect())
    }

    /// Waits for the end.
    pub(crate) fn stop(self) -> Sets {
        self.0.into_iter().fold(Sets::default(), |all, thread| {
            let sets = thread.join().unwrap();
            Sets { latency: Sample::merged([all.latency, sets.latency]), errors: all.errors + sets.errors }
        })
    }
}

fn set_every_second(mut stream: TcpStream, index: u32, first: Instant, begin: Instant, end: Instant) -> Sets {
    let mut sets = Sets::default();
    stream.set_nodelay(true).unwrap();
    let moments = (0..).map(|round| (round, first + Duration::from_secs(1) * round));
    for (round, moment) in moments.take_while(|(_, moment)| *moment < end) {
        thread::sleep(moment.saturating_duration_since(Instant::now()));
        // A value of its own: no SET finds in the file what it asks for.
        let value = (180_000 + round * SETTERS_MOST + index).to_string();
        let request = request(&["SENTINEL", "SET", NAME, "failover-timeout", &value]);
        let outcome = stream.write_all(&request).and_then(|()| line(&mut stream, end + LAST_SET));
        let noted = moment >= begin;
        match outcome {
            Ok(line) if noted => {
                sets.latency.add(moment.elapsed());
                sets.errors += usize::from(line != "+OK");
            }
            Ok(_) => {}
            // The time is up: this one and those that had to wait behind it have no answer.
            Err(_) => {
                let missed = (0..).map(|later| moment + Duration::from_secs(1) * later);
                for moment in missed.take_while(|moment| *moment < end).filter(|moment| *moment >= begin) {
                    sets.latency.add_open(end - moment);
                }
                break;
            }
        }
    }
    sets
}

/// A client that asks the same again and again on one connection.
pub(crate) struct Query(JoinHandle<Sample>);

impl Query {
    /// Asks until `end`; notes from `begin` on.
    pub(crate) fn start(port: u16, words: Vec<&'static str>, begin: Instant, end: Instant) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(thread::spawn(move || {
            let mut sample = Sample::default();
            let request = request(&words);
            while Instant::now() < end {
                let asked = Instant::now();
                let outcome = stream.write_all(&request).and_then(|()| reply(&mut stream, end));
                let noted = asked >= begin;
                match outcome {
                    Ok(()) if noted => sample.add(asked.elapsed()),
                    Ok(()) => {}
                    Err(_) => {
                        sample.add_open(end - asked.max(begin));
                        break;
                    }
                }
                thread::sleep(QUERY_PAUSE);
            }
            sample
        }))
    }

    /// Waits for the end.
    pub(crate) fn stop(self) -> Sample {
        self.0.join().unwrap()
    }
}

/// How late a thread that only sleeps is woken: what this machine adds to all other figures.
pub(crate) fn machine(begin: Instant, end: Instant) -> JoinHandle<Sample> {
    thread::spawn(move || {
        let mut sample = Sample::default();
        thread::sleep(begin.saturating_duration_since(Instant::now()));
        while Instant::now() < end {
            let asleep = Instant::now();
            thread::sleep(QUERY_PAUSE);
            sample.add(asleep.elapsed().saturating_sub(QUERY_PAUSE));
        }
        sample
    })
}

fn request(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
    bytes
}

/// Reads more bytes; an error when nothing comes by `end` plus a grace for what is on its way.
fn more(stream: &mut TcpStream, buffer: &mut Vec<u8>, end: Instant) -> io::Result<()> {
    let left = (end + Duration::from_millis(1)).saturating_duration_since(Instant::now());
    stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
    let mut chunk = [0; 16 * 1024];
    match stream.read(&mut chunk)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        count => {
            buffer.extend_from_slice(&chunk[..count]);
            Ok(())
        }
    }
}

/// Reads one line.
fn line(stream: &mut TcpStream, end: Instant) -> io::Result<String> {
    let mut buffer = Vec::new();
    while !buffer.ends_with(b"\r\n") {
        more(stream, &mut buffer, end)?;
    }
    Ok(String::from_utf8_lossy(&buffer).trim().to_owned())
}

/// Reads one whole reply; an error reply is a bug of the load.
fn reply(stream: &mut TcpStream, end: Instant) -> io::Result<()> {
    let mut buffer = Vec::new();
    loop {
        more(stream, &mut buffer, end)?;
        assert_ne!(buffer[0], b'-', "{}", String::from_utf8_lossy(&buffer));
        if crate::support::resp::parse(&buffer, &mut 0)?.is_some() {
            return Ok(());
        }
    }
}
