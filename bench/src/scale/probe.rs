//! When something is served.

use std::{
    net::TcpStream,
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use super::{
    http::{Answer, Connection},
    subject::{Running, SERVED},
};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks: no finer can a time be told.
const PAUSE: Duration = Duration::from_micros(500);

/// Asks for a host until the answer is `right`, and returns when it came.
///
/// # Errors
/// It does not come in two minutes, or the subject has ended.
pub fn until(subject: &mut Running, host: &str, right: impl Fn(&Answer) -> bool) -> Result<Instant> {
    let deadline = Instant::now() + PATIENCE;
    let mut connection = None;
    while Instant::now() < deadline {
        match ask(&mut connection, host) {
            Ok(answer) if right(&answer) => return Ok(Instant::now()),
            Ok(_) => {}
            Err(_) => {
                connection = None;
                subject.check()?;
            }
        }
        sleep(PAUSE);
    }
    bail!("{host} was not served as it should be within {PATIENCE:?}")
}

fn ask(kept: &mut Option<Connection<TcpStream>>, host: &str) -> Result<Answer> {
    let connection = match kept {
        Some(connection) => connection,
        None => {
            let stream = TcpStream::connect(SERVED)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(Duration::from_secs(10)))?;
            kept.insert(Connection::new(stream))
        }
    };
    connection.send("GET", host, "/", b"")
}
