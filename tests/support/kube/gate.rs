//! A gate before the API server, which does to requests what a sick network or a sick API server does.
//!
//! It ends TLS with a certificate of the cluster's authority, and takes one request per connection. Tokens pass through it,
//! client certificates don't.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;

use super::ControlPlane;
use super::keys::Keys;
use crate::support::{Host, Port};

/// What is done to a request.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// It is answered with that status and reason, and the seconds after which to ask again; the API server never sees it.
    Answer(u16, &'static str, u64),
    /// It never arrives, and the connection is lost.
    LoseRequest,
    /// It is carried out, and the connection is lost instead of the answer.
    LoseReply,
    /// Everything in the answer comes that much later.
    Lag(Duration),
    /// It is carried out or not, and there is no answer for as long as the client waits.
    Stall { arrives: bool },
}

/// A fault for some requests.
struct Rule {
    /// Whether a request, with its head and body, is one of those.
    fits: Box<dyn Fn(&str) -> bool + Send>,
    fault: Fault,
    /// How often yet; for ever if none.
    times: Option<usize>,
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}", self.fault, self.times)
    }
}

/// A running gate where the API server is. Dropped, it takes no more connections.
#[derive(Debug)]
pub(crate) struct Gate {
    port: Port,
    place: Option<Host>,
    inside: Arc<Inside>,
}

#[derive(Debug)]
struct Inside {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
    host: String,
    target: String,
    rules: Mutex<Vec<Rule>>,
    seen: Mutex<Vec<String>>,
    stalled: Mutex<Vec<IpAddr>>,
    closed: AtomicBool,
}

impl Gate {
    /// Stands before that API server, on its host.
    pub(crate) fn new(plane: &ControlPlane) -> Self {
        let port = Port::reserve();
        let place = plane.place().cloned();
        let host = place.as_ref().map_or("127.0.0.1", Host::address).to_owned();
        let target = plane.address().strip_prefix("https://").expect("an https address").to_owned();
        let (server, client) = tls(plane.keys());
        let (rules, seen, stalled) = (Mutex::default(), Mutex::default(), Mutex::default());
        let closed = AtomicBool::new(false);
        let inside = Inside { server, client, host, target, rules, seen, stalled, closed };
        let gate = Self { inside: Arc::new(inside), port, place };
        let bind = || TcpListener::bind((gate.inside.host.as_str(), gate.port.number())).unwrap();
        let listener = gate.place.as_ref().map_or_else(bind, |place| place.run(bind));
        let (inside, place) = (Arc::clone(&gate.inside), gate.place.clone());
        thread::spawn(move || {
            // Threads that this one starts are there, too.
            if let Some(place) = place {
                place.enter();
            }
            for stream in listener.incoming() {
                if inside.closed.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(stream), inside) = (stream, Arc::clone(&inside)) else { continue };
                // A connection that is lost on the way is what this is for.
                thread::spawn(move || inside.serve(stream));
            }
        });
        gate
    }

    /// `https://HOST:PORT`, in place of the API server's.
    pub(crate) fn address(&self) -> String {
        format!("https://{}:{}", self.inside.host, self.port.number())
    }

    /// From now on requests whose first line begins so and has that somewhere meet the fault, `times` of them or all. The
    /// oldest rule that fits counts.
    pub(crate) fn rule(&self, begins: &'static str, has: &'static str, fault: Fault, times: Option<usize>) {
        let line = move |request: &str| {
            let line = request.lines().next().unwrap_or_default();
            line.starts_with(begins) && line.contains(has)
        };
        self.rule_where(line, fault, times);
    }

    /// The same for requests that are told by their head and body.
    pub(crate) fn rule_where(
        &self,
        fits: impl Fn(&str) -> bool + Send + 'static,
        fault: Fault,
        times: Option<usize>,
    ) {
        let rule = Rule { fits: Box::new(fits), fault, times };
        self.inside.rules.lock().unwrap_or_else(PoisonError::into_inner).push(rule);
    }

    /// Whose requests have stalled so far.
    pub(crate) fn stalled(&self) -> Vec<IpAddr> {
        self.inside.stalled.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// No more faults.
    pub(crate) fn heal(&self) {
        self.inside.rules.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// How many requests began so.
    pub(crate) fn count(&self, begins: &str) -> usize {
        let seen = self.inside.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().filter(|line| line.starts_with(begins)).count()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.inside.closed.store(true, Ordering::SeqCst);
        let knock = || TcpStream::connect((self.inside.host.as_str(), self.port.number())).is_ok();
        self.place.as_ref().map_or_else(knock, |place| place.run(knock));
    }
}

impl Inside {
    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let connection = ServerConnection::new(Arc::clone(&self.server)).map_err(io::Error::other)?;
        let mut client = StreamOwned::new(connection, stream);
        let Some(request) = read_request(&mut client)? else { return Ok(()) };
        let text = String::from_utf8_lossy(&request);
        let line = text.lines().next().unwrap_or_default().to_owned();
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        let lag = match self.fault(&text) {
            Some(Fault::Answer(code, reason, seconds)) => return answer(&mut client, code, reason, seconds),
            Some(Fault::LoseRequest) => return client.sock.shutdown(Shutdown::Both),
            Some(Fault::LoseReply) => {
                let mut reply = Vec::new();
                let read = self.forward(&request)?.read_to_end(&mut reply);
                client.sock.shutdown(Shutdown::Both)?;
                return read.map(|_| ());
            }
            Some(Fault::Stall { arrives }) => {
                if arrives {
                    self.forward(&request)?.read_to_end(&mut Vec::new())?;
                }
                let from = client.sock.peer_addr()?.ip();
                self.stalled.lock().unwrap_or_else(PoisonError::into_inner).push(from);
                return client.sock.read(&mut [0; 1024]).map(|_| ());
            }
            Some(Fault::Lag(lag)) => lag,
            None => Duration::ZERO,
        };
        carry(self.forward(&request)?, client, lag)
    }

    fn fault(&self, request: &str) -> Option<Fault> {
        let mut rules = self.rules.lock().unwrap_or_else(PoisonError::into_inner);
        let rule = rules.iter_mut().find(|rule| rule.times != Some(0) && (rule.fits)(request))?;
        rule.times = rule.times.map(|times| times - 1);
        Some(rule.fault.clone())
    }

    fn forward(&self, request: &[u8]) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
        let name = ServerName::try_from(self.host.clone()).unwrap();
        let connection = ClientConnection::new(Arc::clone(&self.client), name).map_err(io::Error::other)?;
        let mut server = StreamOwned::new(connection, TcpStream::connect(&self.target)?);
        server.write_all(request)?;
        server.flush()?;
        Ok(server)
    }
}

/// One request with its body, changed so that the answer ends with its connection. None if the client goes without one.
fn read_request(client: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        match client.read(&mut chunk)? {
            0 => return Ok(None),
            count => bytes.extend_from_slice(&chunk[..count]),
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
    });
    let whole = end + 4 + length.unwrap_or_default();
    while bytes.len() < whole {
        match client.read(&mut chunk)? {
            0 => return Ok(None),
            count => bytes.extend_from_slice(&chunk[..count]),
        }
    }
    let mut request = format!("{head}\r\nConnection: close\r\n\r\n").into_bytes();
    request.extend_from_slice(&bytes[end + 4..whole]);
    Ok(Some(request))
}

fn answer(client: &mut impl Write, code: u16, reason: &str, seconds: u64) -> io::Result<()> {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason,
        "message": "said by the gate", "details": {"retryAfterSeconds": seconds},
    });
    let body = status.to_string();
    let length = body.len();
    write!(
        client,
        "HTTP/1.1 {code} {reason}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )?;
    client.flush()
}

/// Carries what comes, each piece `lag` after it came. Ends when either side does.
fn carry(mut from: impl Read + Send, mut to: impl Write, lag: Duration) -> io::Result<()> {
    thread::scope(|scope| {
        let (put, get) = mpsc::channel::<(Instant, Vec<u8>)>();
        scope.spawn(move || {
            let mut chunk = [0; 16 * 1024];
            while let Ok(count @ 1..) = from.read(&mut chunk) {
                if put.send((Instant::now() + lag, chunk[..count].to_vec())).is_err() {
                    break;
                }
            }
        });
        for (due, bytes) in get {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            to.write_all(&bytes)?;
            to.flush()?;
        }
        Ok(())
    })
}

fn tls(keys: &Keys) -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let chain = CertificateDer::pem_file_iter(keys.path("server.crt")).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(keys.path("server.key")).unwrap();
    let server = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(keys.path("ca.crt")).unwrap()).unwrap();
    let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    (Arc::new(server), Arc::new(client))
}
