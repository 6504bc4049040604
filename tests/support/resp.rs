//! A small blocking RESP client that keeps the bytes as they came.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::Certs;

/// A reply of RESP2 or RESP3.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Simple(String),
    Error(String),
    Int(i64),
    Bulk(Vec<u8>),
    Array(Vec<Self>),
    Map(Vec<(Self, Self)>),
    Push(Vec<Self>),
    Double(String),
    Bool(bool),
    Null,
    NullArray,
}

impl Value {
    /// Its text; an error's text too; numbers in decimal.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Simple(text) | Self::Error(text) | Self::Double(text) => text.clone(),
            Self::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Self::Int(number) => number.to_string(),
            Self::Null | Self::NullArray => String::new(),
            other => panic!("no text: {other:?}"),
        }
    }

    /// The elements of an array or push.
    pub(crate) fn items(&self) -> &[Self] {
        match self {
            Self::Array(items) | Self::Push(items) => items,
            other => panic!("no array: {other:?}"),
        }
    }

    /// The texts of an array's elements.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.items().iter().map(Self::text).collect()
    }

    /// A map, or a flat array of names and values, of texts.
    pub(crate) fn fields(&self) -> BTreeMap<String, String> {
        match self {
            Self::Map(pairs) => pairs.iter().map(|(k, v)| (k.text(), v.text())).collect(),
            Self::Array(items) => items.chunks(2).map(|pair| (pair[0].text(), pair[1].text())).collect(),
            other => panic!("no map: {other:?}"),
        }
    }

    /// Whether it is an error.
    pub(crate) const fn is_error(&self) -> bool {
        matches!(self, Self::Error(_))
    }
}

/// How a client presents itself.
#[derive(Clone, Debug, Default)]
pub(crate) struct Login {
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
}

impl Login {
    /// A password of the default user.
    pub(crate) fn password(password: &str) -> Self {
        Self { user: None, password: Some(password.to_owned()) }
    }

    /// A user with a password.
    pub(crate) fn user(user: &str, password: &str) -> Self {
        Self { user: Some(user.to_owned()), password: Some(password.to_owned()) }
    }
}

trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// A connection.
pub(crate) struct Client {
    stream: Box<dyn Stream>,
    buffer: Vec<u8>,
}

const TIMEOUT: Duration = Duration::from_secs(30);

impl Client {
    /// Connects over TCP.
    pub(crate) fn connect(host: &str, port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect((host, port))?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        Self::over(stream)
    }

    /// Takes a connection over, from either side: requests are arrays of texts, too.
    pub(crate) fn over(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream: Box::new(stream), buffer: Vec::new() })
    }

    /// Connects over TLS with the client certificate of `certs`.
    pub(crate) fn connect_tls(host: &str, port: u16, certs: &Certs) -> io::Result<Self> {
        let stream = TcpStream::connect((host, port))?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        Ok(Self { stream: Box::new(certs.client(stream)?), buffer: Vec::new() })
    }

    /// Connects to a unix socket.
    pub(crate) fn connect_unix(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        Ok(Self { stream: Box::new(stream), buffer: Vec::new() })
    }

    /// Sends AUTH if there is something to send; an error reply is an error.
    pub(crate) fn login(mut self, login: &Login) -> io::Result<Self> {
        if let Some(password) = &login.password {
            let reply = match &login.user {
                Some(user) => self.command(&["AUTH", user, password])?,
                None => self.command(&["AUTH", password])?,
            };
            if reply.is_error() {
                return Err(io::Error::other(reply.text()));
            }
        }
        Ok(self)
    }

    /// Sends a command and reads the reply.
    pub(crate) fn command(&mut self, words: &[&str]) -> io::Result<Value> {
        self.send(words)?;
        self.read()
    }

    /// As [`Client::command`]; a failed connection is a panic.
    #[track_caller]
    pub(crate) fn call(&mut self, words: &[&str]) -> Value {
        self.command(words).unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// Sends a command and gives back the bytes of the reply.
    #[track_caller]
    pub(crate) fn raw(&mut self, words: &[&str]) -> Vec<u8> {
        self.send(words).unwrap();
        self.read_raw().unwrap_or_else(|error| panic!("{words:?}: {error}")).1
    }

    /// Sends a command as a multibulk request.
    pub(crate) fn send(&mut self, words: &[&str]) -> io::Result<()> {
        let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            bytes.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
        }
        self.send_bytes(&bytes)
    }

    /// Sends bytes as they are.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// Reads one reply.
    pub(crate) fn read(&mut self) -> io::Result<Value> {
        self.read_raw().map(|(value, _)| value)
    }

    /// Reads one reply and its bytes.
    pub(crate) fn read_raw(&mut self) -> io::Result<(Value, Vec<u8>)> {
        loop {
            let mut at = 0;
            if let Some(value) = parse(&self.buffer, &mut at)? {
                let bytes = self.buffer.drain(..at).collect();
                return Ok((value, bytes));
            }
            if self.fill()? == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed"));
            }
        }
    }

    /// Reads all until the other side closes; the bytes that came.
    pub(crate) fn read_to_close(&mut self) -> io::Result<Vec<u8>> {
        loop {
            match self.fill() {
                Ok(0) => return Ok(std::mem::take(&mut self.buffer)),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return Ok(std::mem::take(&mut self.buffer));
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut chunk = [0; 64 * 1024];
        let count = loop {
            match self.stream.read(&mut chunk) {
                // Nothing was read; a read with a time-out isn't begun again by the kernel.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.buffer.extend_from_slice(&chunk[..count]);
        Ok(count)
    }
}

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

/// One value from `at`, or nothing while it is not complete.
pub(crate) fn parse(bytes: &[u8], at: &mut usize) -> io::Result<Option<Value>> {
    let Some(end) = bytes[*at..].windows(2).position(|pair| pair == b"\r\n").map(|found| *at + found) else {
        return Ok(None);
    };
    if end == *at {
        return Err(invalid("an empty line".to_owned()));
    }
    let kind = bytes[*at];
    let line = String::from_utf8_lossy(&bytes[*at + 1..end]).into_owned();
    *at = end + 2;
    let number = || line.parse::<i64>().map_err(|_| invalid(format!("no number: {line:?}")));
    Ok(Some(match kind {
        b'+' => Value::Simple(line),
        b'-' => Value::Error(line),
        b',' => Value::Double(line),
        b'(' => Value::Simple(line),
        b':' => Value::Int(number()?),
        b'#' => Value::Bool(line == "t"),
        b'_' => Value::Null,
        b'$' | b'=' => {
            let Ok(length) = usize::try_from(number()?) else { return Ok(Some(Value::Null)) };
            if bytes.len() < *at + length + 2 {
                return Ok(None);
            }
            let body = bytes[*at..*at + length].to_vec();
            *at += length + 2;
            Value::Bulk(if kind == b'=' { body[4..].to_vec() } else { body })
        }
        b'*' | b'>' | b'~' => {
            let Ok(length) = usize::try_from(number()?) else { return Ok(Some(Value::NullArray)) };
            let mut items = Vec::new();
            for _ in 0..length {
                let Some(item) = parse(bytes, at)? else { return Ok(None) };
                items.push(item);
            }
            if kind == b'>' { Value::Push(items) } else { Value::Array(items) }
        }
        b'%' => {
            let mut pairs = Vec::new();
            for _ in 0..number()? {
                let Some(key) = parse(bytes, at)? else { return Ok(None) };
                let Some(value) = parse(bytes, at)? else { return Ok(None) };
                pairs.push((key, value));
            }
            Value::Map(pairs)
        }
        other => return Err(invalid(format!("no RESP: {:?} {line:?}", char::from(other)))),
    }))
}
