//! A device's way to the cloud, which can be cut: everything that goes through it is lost, and nobody gets through until it
//! is whole again.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// The way. It ends with its value.
pub(super) struct Link {
    port: u16,
    is_whole: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Link {
    /// A whole way to `cloud` on this machine, by a port of its own.
    pub(super) async fn to(cloud: u16) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no port for a link")?;
        let port = listener.local_addr()?.port();
        let is_whole = watch::Sender::new(true);
        let task = tokio::spawn(carry(
            listener,
            SocketAddr::from((Ipv4Addr::LOCALHOST, cloud)),
            is_whole.subscribe(),
        ));
        Ok(Self { port, is_whole, task })
    }

    /// Where the device connects.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// By which it is cut and made whole, also by others than who has it.
    pub(super) fn switch(&self) -> watch::Sender<bool> {
        self.is_whole.clone()
    }

    /// Cuts it, or makes it whole.
    pub(super) fn set_whole(&self, is_whole: bool) {
        self.is_whole.send_replace(is_whole);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(listener: TcpListener, cloud: SocketAddr, mut is_whole: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            changed = is_whole.changed() => {
                if changed.is_err() {
                    return;
                }
                if !*is_whole.borrow_and_update() {
                    connections.abort_all();
                }
            }
            Some(_) = connections.join_next() => {}
            Ok((device, _)) = listener.accept() => {
                // Where it is cut, whoever comes is let go again without a word.
                if *is_whole.borrow() {
                    connections.spawn(pass(device, cloud));
                }
            }
        }
    }
}

async fn pass(mut device: TcpStream, cloud: SocketAddr) {
    if let Ok(mut cloud) = TcpStream::connect(cloud).await {
        // Requests are small, and waited for.
        let _ = device.set_nodelay(true).and_then(|()| cloud.set_nodelay(true));
        // How it ends, both sides see for themselves.
        let _ = copy_bidirectional(&mut device, &mut cloud).await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_cut_link_carries_nothing_and_a_whole_one_all() {
        let echo = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let link = Link::to(echo.local_addr().unwrap().port()).await.unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = echo.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    tokio::io::copy(&mut read, &mut write).await
                });
            }
        });
        let comes_back = async |stream: &mut TcpStream| {
            let mut byte = [0];
            stream.write_all(&[7]).await.is_ok()
                && timeout(Duration::from_secs(20), stream.read(&mut byte))
                    .await
                    .unwrap()
                    .is_ok_and(|n| n == 1)
        };
        let connect = || TcpStream::connect((Ipv4Addr::LOCALHOST, link.port()));
        let mut first = connect().await.unwrap();
        assert!(comes_back(&mut first).await);
        link.set_whole(false);
        assert_eq!(timeout(Duration::from_secs(20), first.read(&mut [0])).await.unwrap().unwrap_or(0), 0);
        assert!(!comes_back(&mut connect().await.unwrap()).await);
        link.set_whole(true);
        // It may not have heard of that yet.
        while !comes_back(&mut connect().await.unwrap()).await {}
    }
}
