//! TCP connections by calls that wait, for protocols that are not HTTP.

use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

/// Calls one address of a host after the other. `patience`: for each of them, and for each write afterwards.
pub(super) fn dial(host: &str, port: u16, patience: Duration) -> Result<TcpStream, String> {
    let addresses =
        (host, port).to_socket_addrs().map_err(|error| format!("its name can't be resolved ({error})"))?;
    let mut why = "its name has no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(&address, patience) {
            Ok(stream) => {
                // A stream that can't be set so works all the same.
                let _ = stream.set_nodelay(true);
                let set = stream.set_write_timeout(Some(patience));
                return set.map(|()| stream).map_err(|error| error.to_string());
            }
            Err(error) => why = error.to_string(),
        }
    }
    Err(why)
}
