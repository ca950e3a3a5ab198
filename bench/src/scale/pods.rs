//! What all endpoints lead to: one listener that answers with the address that was asked.

use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    thread,
};

use anyhow::{Context, Result};

/// Starts it, for as long as we live.
///
/// # Errors
/// The port is taken.
pub fn start(port: u16) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).context("the endpoints' port")?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream));
        }
    });
    Ok(())
}

/// Answers requests without a body, one after the other, until the connection ends.
fn answer(stream: TcpStream) -> Result<()> {
    stream.set_nodelay(true)?;
    let address = stream.local_addr()?.ip().to_string();
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{address}", address.len());
    let mut requests = BufReader::new(&stream);
    let mut line = String::new();
    while requests.read_line(&mut line)? > 0 {
        if line.trim_end().is_empty() {
            (&stream).write_all(answer.as_bytes())?;
        }
        line.clear();
    }
    Ok(())
}
