//! A small HTTP/1.1 client that sends a request target exactly as given.
//!
//! Client libraries normalise URLs, and hostile targets are what tests want to send.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// Bound on waiting for the next bytes of an answer; longer than any `Prefer: wait`.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// An answer.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    /// Returns the value of a header; panics if it comes more than once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        let first = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} comes twice: {:?}", self.headers);
        first
    }

    /// Returns the body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Returns the body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

/// A keep-alive connection.
pub struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// Connects.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(READ_TIMEOUT))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Sends a GET and waits for the answer.
    pub fn get(&mut self, target: impl AsRef<[u8]>) -> Response {
        self.request("GET", target, &[], b"").expect("an answer")
    }

    /// Sends a request and waits for the answer.
    pub fn request(
        &mut self,
        method: &str,
        target: impl AsRef<[u8]>,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Response> {
        let mut head =
            [method.as_bytes(), b" ", target.as_ref(), b" HTTP/1.1\r\nHost: localhost\r\n"].concat();
        for (name, value) in headers {
            head.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        if !body.is_empty() {
            head.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
        }
        head.extend_from_slice(b"\r\n");
        head.extend_from_slice(body);
        self.send_raw(&head)?;
        self.receive(method == "HEAD")
    }

    /// Sends bytes as they are; for requests that are no HTTP, or only half of one.
    pub fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Waits for an answer.
    pub fn receive(&mut self, head_only: bool) -> io::Result<Response> {
        let mut response = self.receive_head()?;
        let bodiless = head_only || matches!(response.status, 100..200 | 204 | 304);
        if !bodiless {
            response.body = self.receive_body(&response)?;
        }
        Ok(response)
    }

    /// Waits for the head of an answer; the body, such as an endless stream of events, is read by
    /// [`read_line`](Self::read_line).
    pub fn receive_head(&mut self) -> io::Result<Response> {
        let status_line = self.read_line()?;
        let status = status_line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| malformed(&status_line))?;
        let mut headers = Vec::new();
        loop {
            let line = self.read_line()?;
            if line.is_empty() {
                return Ok(Response { status, headers, body: Vec::new() });
            }
            let (name, value) = line.split_once(':').ok_or_else(|| malformed(&line))?;
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
    }

    /// Reads one line without its ending; end of input is an error.
    pub fn read_line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line)?;
        if line.pop() != Some(b'\n') {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        String::from_utf8(line).map_err(io::Error::other)
    }

    /// Waits for the body of an answer whose head was received.
    pub fn receive_body(&mut self, response: &Response) -> io::Result<Vec<u8>> {
        let chunked = response.header("transfer-encoding").is_some_and(|value| value == "chunked");
        if chunked {
            return self.receive_chunks();
        }
        match response.header("content-length") {
            Some(length) => self.receive_exactly(length.parse().map_err(io::Error::other)?),
            None => {
                let mut body = Vec::new();
                self.stream.read_to_end(&mut body)?;
                Ok(body)
            }
        }
    }

    /// Waits for the next piece of an answer without a known length; its end is an error.
    pub fn receive_chunk(&mut self) -> io::Result<Vec<u8>> {
        let line = self.read_line()?;
        let length = usize::from_str_radix(&line, 16).map_err(|_| malformed(&line))?;
        let chunk = self.receive_exactly(length)?;
        self.read_line()?;
        if length == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(chunk) }
    }

    fn receive_chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.read_line()?;
            let length = usize::from_str_radix(&line, 16).map_err(|_| malformed(&line))?;
            body.extend(self.receive_exactly(length)?);
            self.read_line()?;
            if length == 0 {
                return Ok(body);
            }
        }
    }

    fn receive_exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

fn malformed(line: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("no HTTP: {line:?}"))
}
