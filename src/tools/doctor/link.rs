//! A connection to a running server, and what it answers.

use std::collections::BTreeMap;
use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use redis_protocol::resp3::types::{OwnedFrame, Resp3Frame};

use crate::config::doctor_args::DoctorArgs;
use crate::config::server_url::ServerUrl;
use crate::resp::{Client, Stream};
use crate::tls::{client_config, client_stream};

/// Names and their values.
pub(super) type Table = BTreeMap<String, String>;

pub(super) struct Link(Client);

impl Link {
    /// Connects, and logs in where the URL has a password.
    pub fn open(args: &DoctorArgs, url: &ServerUrl) -> Result<Self, String> {
        let mut link = Self(connect(args, url).map_err(|error| format!("{url}: {error}"))?);
        if let Some(password) = &url.password {
            let words = [Some("AUTH"), url.user.as_deref(), Some(password)];
            let words: Vec<&str> = words.into_iter().flatten().collect();
            link.ask(&words).map_err(|error| format!("{url}: {error}"))?;
        }
        Ok(link)
    }

    fn ask(&mut self, words: &[&str]) -> Result<OwnedFrame, String> {
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        let frame = self.0.call(&words).map_err(|error| error.to_string())?;
        match frame {
            OwnedFrame::SimpleError { data, .. } => Err(data),
            OwnedFrame::BlobError { data, .. } => Err(String::from_utf8_lossy(&data).into_owned()),
            frame => Ok(frame),
        }
    }

    /// What INFO tells.
    pub fn info(&mut self) -> Result<Table, String> {
        let frame = self.ask(&["INFO", "everything"])?;
        Ok(fields(frame.as_str().ok_or("INFO is not answered by text")?))
    }

    /// What CONFIG GET tells of all parameters.
    pub fn config(&mut self) -> Result<Table, String> {
        match self.ask(&["CONFIG", "GET", "*"])? {
            OwnedFrame::Array { data, .. } => {
                let words: Vec<String> = data
                    .iter()
                    .map(|word| word.as_str().unwrap_or_default().to_owned())
                    .collect();
                let pairs = words.chunks_exact(2).filter_map(|pair| match pair {
                    [name, value] => Some((name.clone(), value.clone())),
                    _ => None,
                });
                Ok(pairs.collect())
            }
            _ => Err("CONFIG GET is not answered by a list".to_owned()),
        }
    }
}

/// The lines `name:value` of INFO.
pub(super) fn fields(info: &str) -> Table {
    let pairs = info.lines().filter_map(|line| line.split_once(':'));
    pairs
        .map(|(name, value)| (name.to_owned(), value.trim_end().to_owned()))
        .collect()
}

fn connect(args: &DoctorArgs, url: &ServerUrl) -> io::Result<Client> {
    let timeout = Duration::from_millis(args.timeout_ms);
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in url.socket().to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(socket) => {
                socket.set_nodelay(true)?;
                let client = Client::over(stream(args, url, socket)?);
                client.set_timeout(Some(timeout))?;
                return Ok(client);
            }
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn stream(args: &DoctorArgs, url: &ServerUrl, socket: TcpStream) -> io::Result<Box<dyn Stream>> {
    if !url.is_tls {
        return Ok(Box::new(socket));
    }
    let config = client_config(&args.ca, None).map_err(io::Error::other)?;
    client_stream(&config, &url.host, socket)
}
