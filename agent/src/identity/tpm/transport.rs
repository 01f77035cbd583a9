//! The way to a TPM: the kernel's device, or the socket of a software TPM. A command goes there whole, and an answer comes back.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use super::error::TpmError;

/// No command or answer is longer.
const LONGEST: usize = 4096;

/// Making an RSA key takes small chips this long.
const PATIENCE: Duration = Duration::from_secs(90);

/// Where the TPM is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TpmPlace {
    /// A device with a resource manager, as `/dev/tpmrm0` is.
    Device(PathBuf),
    /// A software TPM that takes commands as they are, as swtpm does: for tests.
    Socket(SocketAddr),
}

impl TpmPlace {
    /// A path, or an address with its port. `Err` says what it has to be.
    pub fn read(text: &str) -> Result<Self, &'static str> {
        if text.starts_with('/') {
            return Ok(Self::Device(text.into()));
        }
        let address = text.parse::<SocketAddr>().ok().filter(|address| address.ip().is_loopback());
        address.map(Self::Socket).ok_or(
            "it is neither the path of a device, as /dev/tpmrm0, nor the address of a software TPM on this machine, as \
             127.0.0.1:2321",
        )
    }

    pub(super) fn open(&self) -> Result<Connection, TpmError> {
        let way = match self {
            Self::Device(path) => OpenOptions::new().read(true).write(true).open(path).map(Way::Device),
            Self::Socket(address) => connect(address).map(Way::Socket),
        };
        let way = way.map_err(|source| TpmError::Open { place: self.to_string(), source })?;
        Ok(Connection { way, place: self.to_string() })
    }
}

impl fmt::Display for TpmPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(path) => path.display().fmt(f),
            Self::Socket(address) => address.fmt(f),
        }
    }
}

fn connect(address: &SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(address, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

enum Way {
    Device(File),
    Socket(TcpStream),
}

/// An open way. What was loaded by it is forgotten by a device as it is closed.
pub(super) struct Connection {
    way: Way,
    place: String,
}

impl Connection {
    pub(super) fn exchange(&mut self, command: &[u8]) -> Result<Vec<u8>, TpmError> {
        let answer = match &mut self.way {
            Way::Device(file) => by_device(file, command),
            Way::Socket(stream) => by_socket(stream, command),
        };
        answer.map_err(|source| TpmError::Exchange { place: self.place.clone(), source })
    }
}

fn by_device(file: &mut File, command: &[u8]) -> io::Result<Vec<u8>> {
    file.write_all(command)?;
    let mut answer = vec![0; LONGEST];
    let length = file.read(&mut answer)?;
    answer.truncate(length);
    Ok(answer)
}

fn by_socket(stream: &mut TcpStream, command: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(command)?;
    let mut head = [0; 10];
    stream.read_exact(&mut head)?;
    let length = u32::from_be_bytes([head[2], head[3], head[4], head[5]]) as usize;
    if !(head.len()..=LONGEST).contains(&length) {
        return Err(ErrorKind::InvalidData.into());
    }
    let mut answer = head.to_vec();
    answer.resize(length, 0);
    stream.read_exact(&mut answer[head.len()..])?;
    Ok(answer)
}
